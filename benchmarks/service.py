"""The service under load, beside its own encoder's speed in the same run.

``python -m benchmarks.service`` indexes pictures, starts ``python -m service`` as a process of its own, asks it from
1, 8 and 32 clients that each wait for their answer before they ask again, and writes
``benchmarks/results/service.json``.

How it measures. The encoder's speed is that of this process alone, while the service is idle, before and after the
load: pictures a second that it encodes in batches of 16, and milliseconds for one. Throughput is given as a share of
the former; a share of 1 would mean that everything around the encoder costs nothing. Clients and service share the
machine's cores, so the clients' own work is in the figures too.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.catalogue.records import EncoderRequest
from lookalike.images import decode, encode_jpeg
from lookalike.options import Places
from lookalike.testing import make_picture
from lookalike.wiring import load_encoder

RESULT = Path(__file__).parent / "results" / "service.json"
CLIENTS = (1, 8, 32)
BATCH = 16
PICTURES = 300
SIZE = (500, 375)
BOUNDARY = "lookalike-benchmark"


class Client:
    """One connection that is kept open; the least that a client can cost."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """The status of the answer, whose body is read and dropped."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        return int(head[9:12])

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()


def search_request(picture: bytes) -> bytes:
    """``POST /search`` with a picture, as bytes."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    body += picture + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def similar_request(key: str) -> bytes:
    """``GET .../similar`` of an indexed picture, as bytes."""
    return f"GET /collections/bench/items/{key}/similar HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


async def load(port: int, requests: list[bytes], clients: int, *, seconds: float = 0, count: int = 0) -> dict[str, Any]:
    """Ask from so many clients for a time, or so many times in all; latencies in ms and answers a second."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    begin = time.perf_counter()
    asked = 0

    async def one(number: int) -> None:
        nonlocal asked
        client = Client(port)
        turn = number
        while (count and asked < count) or (not count and time.perf_counter() - begin < seconds):
            asked += 1
            start = time.perf_counter()
            status = await client.ask(requests[turn % len(requests)])
            latencies.append((time.perf_counter() - start) * 1000)
            statuses[status] = statuses.get(status, 0) + 1
            turn += clients
        client.close()

    await asyncio.gather(*(one(number) for number in range(clients)))
    took = time.perf_counter() - begin
    p50, p99 = np.percentile(latencies, [50, 99])
    return {
        "clients": clients,
        "answers": len(latencies),
        "statuses": statuses,
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "answers_per_second": round(len(latencies) / took, 1),
    }


def encoder_speed(pictures: list[bytes], rounds: int = 12) -> dict[str, float]:
    """Medians of this process's encoder: batches, single pictures, and decoding with resizing on one thread."""
    encoder = load_encoder(EncoderRequest(), Places(Path()).encoders_dir)
    begin = time.perf_counter()
    prepared = [encoder.prepare(decode(picture).pixels) for picture in pictures[: 4 * BATCH]]
    decode_ms = (time.perf_counter() - begin) * 1000 / len(prepared)
    batch, single = np.stack(prepared[:BATCH]), np.stack(prepared[:1])
    for warm in (batch, single, batch):
        encoder.forward(warm)
    batches, singles = [], []
    for _ in range(rounds):
        batches.append(_seconds(encoder, batch))
        singles.append(_seconds(encoder, single))
    return {
        "pictures_per_second": BATCH / statistics.median(batches),
        "single_ms": statistics.median(singles) * 1000,
        "decode_ms": decode_ms,
    }


def _seconds(encoder: Any, batch: Any) -> float:
    begin = time.perf_counter()
    encoder.forward(batch)
    return time.perf_counter() - begin


@contextmanager
def serving(data: Path) -> Iterator[tuple[int, int]]:
    """The service as a process of its own, ready; its port and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "service", "--data", str(data), "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command)
    try:
        asyncio.run(_until_ready(port, process))
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


async def _until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if await Client(port).ask(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == 200:
                return
        except (OSError, asyncio.IncompleteReadError):
            pass
        await asyncio.sleep(0.2)
    raise SystemExit("the service did not start")


def memory_mb(process: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def measure(pictures: list[bytes], keys: list[str], data: Path, *, seconds: float, requests: int) -> dict[str, Any]:
    """Everything, in one run."""
    before = encoder_speed(pictures)
    searches = [search_request(picture) for picture in pictures]
    found: dict[str, Any] = {}
    with serving(data) as (port, process):
        found["memory_at_rest_mb"] = memory_mb(process)
        asyncio.run(load(port, searches, 4, seconds=3))
        found["search"] = [asyncio.run(load(port, searches, clients, seconds=seconds)) for clients in CLIENTS]
        found["similar"] = asyncio.run(load(port, [similar_request(key) for key in keys], 8, seconds=seconds / 2))
        memory = [memory_mb(process)]
        for _ in range(4):
            asyncio.run(load(port, searches, 16, count=requests // 4))
            memory.append(memory_mb(process))
        found["memory_after_requests"] = {"requests": requests, "mb": memory}
    after = encoder_speed(pictures)
    encoder = {name: round((before[name] + after[name]) / 2, 2) for name in before}
    for row in found["search"]:
        row["share_of_encoder"] = round(row["answers_per_second"] / encoder["pictures_per_second"], 3)
    return {"encoder": encoder, **found}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each number of clients asks")
    parser.add_argument("--requests", type=int, default=10_000, help="after which memory is looked at again")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus, data = Path(folder) / "pictures", Path(folder) / "data"
        corpus.mkdir()
        pictures = [encode_jpeg(make_picture(number, size=SIZE), 90) for number in range(PICTURES)]
        names = [f"{number:04d}.jpg" for number in range(PICTURES)]
        for name, picture in zip(names, pictures, strict=True):
            (corpus / name).write_bytes(picture)
        index = [sys.executable, "-m", "indexer", "index", str(corpus), "--collection", "bench", "--data", str(data)]
        subprocess.run(index, check=True)
        result = measure(pictures, names, data, seconds=chosen.seconds, requests=chosen.requests)
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "pictures": f"{PICTURES} JPEGs of {SIZE[0]} x {SIZE[1]}",
        **result,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
