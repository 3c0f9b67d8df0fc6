"""The service under load, beside its own encoder's speed and the framework's own limit in the same run.

``python -m benchmarks.service`` indexes pictures, starts ``python -m service`` as a process of its own, asks it, and
writes ``benchmarks/results/service.json``.

How it measures. The encoder is loaded in this process too, and measured while the service is idle, before every load:
pictures a second in batches of 16, and milliseconds for one. Throughput of ``/search`` is given as a share of the
former; a share of 1 would mean that everything around the encoder costs nothing. Clients and service share the
machine's cores with whatever else runs there, so the CPU time that either side took for an answer stands beside it: the
share of the encoder in that is what a machine would give that has nothing else to do. Searches by key take turns with
bare routes of the same framework, in a server with the same settings, that answer a JSON of the same size, or read a
picture from a form and do nothing with it. The service keeps its last answers to searches by key: ``similar`` and
``search_by_key`` are such, ``similar_asked_once`` are questions that nobody asked before, of rows that are in memory.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import (
    Tally,
    closed,
    cpu_seconds,
    key_request,
    pair_request,
    search_request,
    similar_request,
    steady,
)
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.images import decode, encode_jpeg
from lookalike.options import EncoderRequest, Places
from lookalike.testing import make_picture
from lookalike.wiring import default_encoder, load_encoder

RESULT = Path(__file__).parent / "results" / "service.json"
CLIENTS = (1, 8, 32)
BATCH = 16
PICTURES = 300
SIZE = (500, 375)
ROUNDS = 4
ANSWER_BYTES = 3700
MANY = 20_000
STARTS = 3


class Encoder:
    """This process's own encoder, measured again and again."""

    def __init__(self, pictures: list[bytes]) -> None:
        self._port: ImageEncoder = load_encoder(EncoderRequest(default_encoder()), Places(Path()).encoders_dir)
        begin = time.process_time()
        prepared = [self._prepared(picture) for picture in pictures[: 4 * BATCH]]
        self.decode_ms = (time.process_time() - begin) * 1000 / len(prepared)
        self._batch: RGB = np.stack(prepared[:BATCH])
        self._batches: list[tuple[float, float]] = []
        self._singles: list[tuple[float, float]] = []
        self._port.forward(self._batch)

    def measure(self, rounds: int = 4) -> float:
        """Pictures a second in batches now; kept for the medians."""
        batches = [self._took(self._batch) for _ in range(rounds)]
        self._batches += batches
        self._singles += [self._took(self._batch[:1]) for _ in range(rounds)]
        return BATCH / statistics.median(wall for wall, _ in batches)

    def row(self) -> dict[str, Any]:
        """Medians of all that was measured."""
        wall, cpu = (statistics.median(column) for column in zip(*self._batches, strict=True))
        single, single_cpu = (statistics.median(column) for column in zip(*self._singles, strict=True))
        return {
            "runtime": self._port.runtime,
            "pictures_per_second": round(BATCH / wall, 2),
            "cpu_ms": round(cpu / BATCH * 1000, 2),
            "single_ms": round(single * 1000, 2),
            "single_cpu_ms": round(single_cpu * 1000, 2),
            "decode_ms": round(self.decode_ms, 2),
        }

    def _prepared(self, picture: bytes) -> RGB:
        return self._port.prepare(decode(picture, fit=self._port.spec.decode_side).pixels)

    def _took(self, batch: RGB) -> tuple[float, float]:
        begin, cpu = time.perf_counter(), time.process_time()
        self._port.forward(batch)
        return time.perf_counter() - begin, time.process_time() - cpu


@contextmanager
def serving(*command: str) -> Iterator[tuple[int, int, float]]:
    """A server as a process of its own; its port, its process id, and the seconds until it was ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.perf_counter()
    words = [word.format(port=port) for word in command]
    # Its log goes where a log goes, and costs what it costs: a line a request.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, "-m", *words], stderr=log)
        try:
            _wait(port, process)
            yield port, process.pid, time.perf_counter() - begin
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                if connection.recv(1 << 16)[9:12] in {b"200", b"404"}:  # a bare server has no such path
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit("the server did not start")


def service_command(data: Path) -> list[str]:
    """How the service is started."""
    return ["service", "--data", str(data), "--port", "{port}", "--log-format", "json"]


def batches(port: int) -> tuple[float, float]:
    """How many pictures the service has encoded, and in how many batches."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if line.startswith("lookalike_batch_size_"))
    return float(found["lookalike_batch_size_sum"]), float(found["lookalike_batch_size_count"])


def searches(port: int, process: int, asked: list[bytes], encoder: Encoder, seconds: float) -> list[dict[str, Any]]:
    """``/search`` from each number of clients, beside the encoder."""
    tallies = {clients: Tally() for clients in CLIENTS}
    beside: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    formed = dict.fromkeys(CLIENTS, (0.0, 0.0))
    for _ in range(ROUNDS):
        for clients, tally in tallies.items():
            beside[clients].append(encoder.measure())
            before = batches(port)
            tally.add(closed(port, process, asked, clients, seconds=seconds / ROUNDS))
            pictures, count = (
                total + now - then for total, now, then in zip(formed[clients], batches(port), before, strict=True)
            )
            formed[clients] = (pictures, count)
    rows = []
    for clients, tally in tallies.items():
        row = tally.row()
        alone = statistics.median(beside[clients])
        row["pictures_a_batch"] = round(formed[clients][0] / formed[clients][1], 1)
        rows.append({"clients": clients, **row, "share_of_encoder": round(row["answers_per_second"] / alone, 3)})
    return rows


def by_key(port: int, process: int, keys: list[str], pictures: list[bytes], seconds: float) -> dict[str, Any]:
    """Searches by key and the framework's own limit, in turns; rows not yet and already in the service's memory."""
    similar = [similar_request(key) for key in keys]
    first = closed(port, process, similar, 1, count=len(keys)).row()
    numbers = itertools.count()

    def once() -> list[bytes]:
        """Questions that differ in a least score that leaves nothing out."""
        return [
            similar_request(keys[n % len(keys)], f"?min_score=-0.9{n:07d}") for n in itertools.islice(numbers, MANY)
        ]

    by_form = [key_request(key) for key in keys]
    uploads = [search_request(picture, "/upload") for picture in pictures]
    tallies: dict[str, list[Tally]] = {}
    with serving("benchmarks.bare", "{port}", str(ANSWER_BYTES)) as (bare_port, bare_process, _):
        service, bare = (port, process), (bare_port, bare_process)
        asked: list[tuple[str, tuple[int, int], Callable[[], list[bytes]]]] = [
            ("bare_similar", bare, lambda: similar),
            ("similar", service, lambda: similar),
            ("bare_search", bare, lambda: by_form),
            ("search_by_key", service, lambda: by_form),
            ("bare_upload", bare, lambda: uploads),
            ("similar_asked_once", service, once),
        ]
        for _ in range(ROUNDS):
            closed(*service, similar, 1, count=len(keys))  # what was asked once has pushed these answers out
            for name, server, requests in asked:
                tallies.setdefault(name, []).append(closed(*server, requests(), 8, seconds=seconds / ROUNDS))
    rows = {name: {"clients": 8, **_together(parts).row()} for name, parts in tallies.items()}
    for name, row in rows.items():
        # The median of the rounds: what else the machine does for a moment has no say.
        row["answers_per_cpu_second"] = round(
            statistics.median(len(part.latencies) / part.server_cpu for part in tallies[name])
        )
    framework = {name.removeprefix("bare_"): rows.pop(name) for name in list(rows) if name.startswith("bare_")}
    return {
        **rows,
        "similar_first_time": {"clients": 1, **first},
        "framework": {"bytes": ANSWER_BYTES, **framework},
    }


def _together(parts: list[Tally]) -> Tally:
    whole = Tally()
    for part in parts:
        whole.add(part)
    return whole


def beside_explanations(port: int, process: int, pictures: list[bytes], seconds: float) -> dict[str, Any]:
    """One client that searches, without and with another one that has pairs explained without a pause."""
    asked = [search_request(picture) for picture in pictures]
    pairs = [pair_request(*pictures[at : at + 2], explain="true") for at in range(0, 40, 2)]
    closed(port, process, pairs, 1, count=2)  # what explains is loaded when it is first asked for
    alone = closed(port, process, asked, 1, seconds=seconds)
    explained: list[Tally] = []
    other = threading.Thread(target=lambda: explained.append(closed(port, process, pairs, 1, seconds=seconds)))
    other.start()
    together = closed(port, process, asked, 1, seconds=seconds * 0.9)
    other.join()
    return {
        "alone": _latency(alone),
        "beside_explanations": _latency(together),
        "explanations": _latency(explained[0]),
    }


def _latency(tally: Tally) -> dict[str, Any]:
    row = tally.row()
    return {name: row[name] for name in ("answers", "statuses", "p50_ms", "p99_ms", "answers_per_second")}


def memory_mb(process: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def measure(pictures: list[bytes], keys: list[str], data: Path, *, seconds: float, requests: int) -> dict[str, Any]:
    """Everything, in one run."""
    asked = [search_request(picture) for picture in pictures]
    encoder = Encoder(pictures)
    starts = []
    for _ in range(STARTS):
        with serving(*service_command(data)) as (_, process, took):
            starts.append({"seconds": round(took, 2), "cpu_seconds": round(cpu_seconds(process), 2)})
    with serving(*service_command(data)) as (port, process, _):
        found: dict[str, Any] = {"memory_at_rest_mb": memory_mb(process), "starts": starts}
        found |= by_key(port, process, keys, pictures, seconds / 2)
        closed(port, process, asked, max(CLIENTS), count=5 * max(CLIENTS))  # batches of all sizes are met once
        found["search"] = searches(port, process, asked, encoder, seconds)
        rate = max(row["answers_per_second"] for row in found["search"]) / 2
        found["half_load"] = {"rate": round(rate, 1), **steady(port, process, asked, rate, seconds=seconds).row()}
        memory = [memory_mb(process)]
        for _ in range(4):
            closed(port, process, asked, 16, count=requests // 4)
            memory.append(memory_mb(process))
        found["memory_after_requests"] = {"requests": requests, "mb": memory}
        # Last, since it is PyTorch that explains, which stays in memory.
        found["explaining"] = beside_explanations(port, process, pictures, seconds / 2)
        found["explaining"]["memory_mb"] = memory_mb(process)
    alone = encoder.row()
    for row in found["search"]:
        row["share_of_encoder_cpu"] = round(alone["cpu_ms"] / row["server_cpu_ms"], 3)
    half = found["half_load"]
    half["p99_by_p50"] = round(half["p99_ms"] / half["p50_ms"], 2)
    return {"encoder": alone, **found}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each number of clients asks")
    parser.add_argument("--requests", type=int, default=1_000, help="after which memory is looked at again")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write")
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
    chosen.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
