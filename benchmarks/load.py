"""Asks a server over HTTP and notes how long the answers take: one thread, no framework, so that it costs little."""

from __future__ import annotations

import itertools
import os
import re
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

BOUNDARY = "lookalike-benchmark"
_MOST_AT_ONCE = 128
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Tally:
    """What came back: latencies in seconds, statuses, and what it cost either side in seconds of CPU."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0

    def add(self, other: Tally) -> None:
        """Count another one in."""
        self.latencies += other.latencies
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        self.seconds += other.seconds
        self.server_cpu += other.server_cpu
        self.client_cpu += other.client_cpu

    def row(self) -> dict[str, Any]:
        """The figures, rounded."""
        answers = len(self.latencies)
        p50, p99 = np.percentile(self.latencies, [50, 99]) * 1000
        return {
            "answers": answers,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
            "answers_per_second": round(answers / self.seconds, 1),
            "server_cpu_ms": round(self.server_cpu / answers * 1000, 3),
            "client_cpu_ms": round(self.client_cpu / answers * 1000, 3),
            "server_cores": round(self.server_cpu / self.seconds, 2),
            "client_cores": round(self.client_cpu / self.seconds, 2),
        }


class _Connection:
    """One client that keeps its connection and asks again when it has its answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begun = 0.0
        self.busy = self.closed = False
        self._got = b""

    def ask(self, request: bytes, begun: float) -> None:
        self.begun, self.busy = begun, True
        self.socket.sendall(request)

    def read(self) -> int | None:
        """The status once the whole answer is here."""
        piece = self.socket.recv(1 << 16)
        if not piece:
            if self.busy:
                raise ConnectionError("the server closed the connection")
            self.closed = True  # it had nothing to say for longer than a server keeps one that is idle
            return None
        self._got += piece
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return None
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return None
        self._got, self.busy = b"", False
        return int(head[9:12])


def closed(
    port: int, process: int, requests: list[bytes], clients: int, *, seconds: float = 0, count: int = 0
) -> Tally:
    """So many clients, each of which asks again as soon as it has its answer: for a time, or so many times in all."""
    tally, turns, left = Tally(), _turns(requests), count
    with _connected(port, clients) as (selector, connections), _costs(tally, process):
        begin = time.perf_counter()

        def goes_on(now: float) -> bool:
            nonlocal left
            left -= 1
            return left >= 0 if count else now - begin < seconds

        busy = 0
        for connection in connections:
            if goes_on(begin):
                connection.ask(next(turns), time.perf_counter())
                busy += 1
        while busy:
            for connection in _answered(selector, tally, None):
                now = time.perf_counter()
                if goes_on(now):
                    connection.ask(next(turns), now)
                else:
                    busy -= 1
    return tally


def steady(port: int, process: int, requests: list[bytes], rate: float, *, seconds: float) -> Tally:
    """So many questions a second, evenly spaced, whether the answers keep up or not.

    Latency counts from when a question was due, so that one that had to wait for a free connection has waited.
    """
    tally, turns = Tally(), _turns(requests)
    due = [number / rate for number in range(round(rate * seconds))][::-1]
    busy = 0
    with _connected(port, 1) as (selector, connections), _costs(tally, process):
        idle = list(connections)
        begin = time.perf_counter()
        while due or busy:
            while due and busy < _MOST_AT_ONCE and begin + due[-1] <= time.perf_counter():
                idle = [connection for connection in idle if not connection.closed] or [_connect(port, selector)]
                idle.pop().ask(next(turns), begin + due.pop())
                busy += 1
            wait = max(0.0, begin + due[-1] - time.perf_counter()) if due and busy < _MOST_AT_ONCE else None
            answered = _answered(selector, tally, wait)
            idle += answered
            busy -= len(answered)
    return tally


@contextmanager
def _connected(port: int, clients: int) -> Iterator[tuple[selectors.BaseSelector, list[_Connection]]]:
    with selectors.DefaultSelector() as selector:
        try:
            yield selector, [_connect(port, selector) for _ in range(clients)]
        finally:
            for key in list(selector.get_map().values()):
                key.data.socket.close()


def _connect(port: int, selector: selectors.BaseSelector) -> _Connection:
    connection = _Connection(port)
    selector.register(connection.socket, selectors.EVENT_READ, connection)
    return connection


@contextmanager
def _costs(tally: Tally, process: int) -> Iterator[None]:
    server, client, begin = cpu_seconds(process), time.process_time(), time.perf_counter()
    yield
    tally.seconds = time.perf_counter() - begin
    tally.server_cpu, tally.client_cpu = cpu_seconds(process) - server, time.process_time() - client


def _answered(selector: selectors.BaseSelector, tally: Tally, wait: float | None) -> list[_Connection]:
    """The connections whose answers have come within ``wait`` seconds, counted."""
    found: list[_Connection] = []
    for key, _ in selector.select(wait):
        connection: _Connection = key.data
        status = connection.read()
        if connection.closed:
            selector.unregister(connection.socket)
            connection.socket.close()
        if status is not None:
            tally.latencies.append(time.perf_counter() - connection.begun)
            tally.statuses[status] = tally.statuses.get(status, 0) + 1
            found.append(connection)
    return found


def _turns(requests: list[bytes]) -> Iterator[bytes]:
    return itertools.cycle(requests)


def cpu_seconds(process: int) -> float:
    """Seconds of CPU that a process has had, all its threads together."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def own_bytes(process: int) -> int:
    """What a process holds that is not of a mapped file; raises ValueError where the system does not say."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    if found is None:
        raise ValueError(f"/proc/{process}/status has no RssAnon")
    return int(found[1]) * 1024


def search_request(picture: bytes, path: str = "/search") -> bytes:
    """``POST /search``, or the same form to another path, with a picture, as bytes."""
    return _form(path, {"image": picture}, {})


def pair_request(first: bytes, second: bytes, **fields: str) -> bytes:
    """``POST /compare`` of two pictures, as bytes."""
    return _form("/compare", {"image_a": first, "image_b": second}, fields)


def key_request(key: str) -> bytes:
    """``POST /search`` with the key of an indexed picture, as bytes."""
    body = f"key={key}".encode()
    return _head("POST /search", "application/x-www-form-urlencoded", len(body)) + body


def similar_request(key: str, question: str = "") -> bytes:
    """``GET .../similar`` of an indexed picture, as bytes; ``question`` is what stands behind the path."""
    return f"GET /collections/bench/items/{key}/similar{question} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _form(path: str, pictures: dict[str, bytes], fields: dict[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts += [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="q.jpg"\r\n'.encode()
        + b"Content-Type: image/jpeg\r\n\r\n"
        + picture
        + b"\r\n"
        for name, picture in pictures.items()
    ]
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return _head(f"POST {path}", f"multipart/form-data; boundary={BOUNDARY}", len(body)) + body


def _head(what: str, kind: str, length: int) -> bytes:
    return f"{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode()
