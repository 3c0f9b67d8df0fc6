"""How close `index` comes to what decoding and encoding cost alone, and whether its memory stays flat.

    python -m benchmarks.indexing [--pictures 10240] [--pool ../shared/data/pool] [--out FILE]

Pictures are drawn evenly from the archives of ``--pool``. *Decode alone* is reading, hashing, decoding and resizing all
of them on a thread a core; *encode alone* is sending as many squares through the encoder, in batches on a thread a
core. *Index* is a run into an empty collection, from listing to publishing, in a process of its own, start of Python
excluded. The three take turns, and a ratio is the median of the rounds' ratios: by wall-clock time, and by CPU time,
which other programs' work does not add to. Both stages need the same cores, so the sum of the two, not the larger one,
is what no indexer can beat: ``to_sum``.

Memory is looked at fifty times a second during a run. What the process holds of its *own* must not grow with the
corpus; pages of *mapped* files, libraries and the vectors that are being published, are the system's to take back.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.console.reporter import HumanReporter
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, RunOptions, index_collection
from lookalike.api import RGB
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.cores import available_cores
from lookalike.encoder.base import ImageEncoder
from lookalike.errors import ImageError
from lookalike.images import decode
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.wiring import default_encoder, load_encoder, open_catalogue

RESULT = Path(__file__).parent / "results" / "indexing.json"
SQUARES = 512  # squares kept to encode again and again: what is in them does not change the time
BATCH = 32
PICTURES = 10_240
"""Batches are full, here and in a quarter of it: for an odd rest the runtime would compile a network of another size,
whose 45 MB have nothing to do with the number of pictures."""
LOOK_S = 0.02  # how often memory is looked at: often enough for a batch, and not a hundredth of the work


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of wall-clock and of CPU time, over all threads."""

    wall_s: float
    cpu_s: float


def main() -> None:
    """Measure, print, write the figures; with ``--child`` only one run of `index`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--encoder", default=default_encoder())
    parser.add_argument("--encoders-dir", type=Path, default=Places(Path()).encoders_dir)
    parser.add_argument("--pool", type=Path, default=Path("../shared/data/pool"))
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--child", nargs=2, type=Path, metavar=("FOLDER", "DATA"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        folder, data = options.child
        print(json.dumps(run_once(folder, data, options.encoder, options.encoders_dir)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(options, Path(scratch))
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All figures; see the module."""
    files = draw(options.pool, options.pictures, scratch / "all")
    draw(options.pool, len(files) // 4, scratch / "quarter")
    encoder = load_encoder(EncoderRequest(name=options.encoder), options.encoders_dir)
    squares = [
        encoder.prepare(decode(file.read_bytes(), fit=encoder.spec.decode_side).pixels) for file in files[:SQUARES]
    ]
    encoder.forward(np.stack(squares[:BATCH]))
    rounds: list[dict[str, Any]] = []
    for number in range(options.rounds):
        decoding = spent(lambda: decode_all(files, encoder))
        encoding = spent(lambda: encode_all(squares, len(files), encoder))
        indexing = child(scratch / "all", scratch / f"data-{number}", options)
        rounds.append({"decode": asdict(decoding), "encode": asdict(encoding), "index": indexing})
        print(json.dumps(rounds[-1]), flush=True)
    quarter = child(scratch / "quarter", scratch / "data-quarter", options)
    return {
        "pictures": len(files),
        "mean_bytes": round(sum(file.stat().st_size for file in files) / len(files)),
        "cores": available_cores(),
        "encoder": encoder.spec.name,
        "runtime": encoder.runtime,
        "rounds": rounds,
        "pictures_per_s": round(statistics.median(len(files) / one["index"]["wall_s"] for one in rounds), 1),
        "to_larger": ratios(rounds, max),
        "to_sum": ratios(rounds, lambda first, second: first + second),
        **{
            kind: {str(len(files) // 4): quarter[kind], str(len(files)): rounds[-1]["index"][kind]}
            for kind in ("peak_mib", "own_mib", "mapped_mib")
        },
    }


def ratios(rounds: Sequence[dict[str, Any]], of: Callable[[float, float], float]) -> dict[str, float]:
    """Median over rounds of index / of(decode, encode), by wall-clock and by CPU time."""
    found = {}
    for unit in ("wall_s", "cpu_s"):
        each = [one["index"][unit] / of(one["decode"][unit], one["encode"][unit]) for one in rounds]
        found[unit] = round(statistics.median(each), 3)
    return found


def draw(pool: Path, count: int, folder: Path) -> list[Path]:
    """Unpack ``count`` pictures, no two the same, a like share of each archive, into ``folder``; their paths."""
    archives = sorted(pool.glob("*.zip"))
    if not archives:
        raise SystemExit(f"{pool} has no archives: say --pool")
    folder.mkdir()
    files: list[Path] = []
    drawn: set[bytes] = set()
    for number, path in enumerate(archives):
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg"))]
            wanted = len(files) + count // len(archives) + (number < count % len(archives))
            evenly = np.linspace(0, len(members) - 1, min(wanted - len(files), len(members))).astype(int).tolist()
            for place in dict.fromkeys([*evenly, *range(len(members))]):  # others where two are the same
                data = b"" if len(files) == wanted else archive.read(members[place])
                if data and data not in drawn:
                    drawn.add(data)
                    files.append(folder / f"{number}-{place:06d}.jpg")
                    files[-1].write_bytes(data)
    return files


def spent(work: Callable[[], None]) -> Spent:
    """What ``work`` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(round(time.perf_counter() - wall, 3), round(time.process_time() - cpu, 3))


def decode_all(files: Sequence[Path], encoder: ImageEncoder) -> None:
    """Read, hash, decode and resize on a thread a core."""

    def one(file: Path) -> None:
        data = file.read_bytes()
        hashlib.sha256(data).hexdigest()
        try:
            encoder.prepare(decode(data, fit=encoder.spec.decode_side).pixels)
        except ImageError as error:
            print(f"left out: {error.message}")

    with ThreadPoolExecutor(available_cores()) as pool:
        for _ in pool.map(one, files):
            pass


def encode_all(squares: Sequence[RGB], count: int, encoder: ImageEncoder) -> None:
    """Send ``count`` squares through the encoder on a thread a core."""
    batches = [np.stack(squares[start : start + BATCH]) for start in range(0, len(squares) - BATCH + 1, BATCH)]
    with ThreadPoolExecutor(available_cores()) as pool:
        times = -(-count // BATCH)
        for _ in pool.map(lambda number: encoder.forward(batches[number % len(batches)]), range(times)):
            pass


def child(folder: Path, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """`index` in a process of its own: seconds, and the most memory that it held, in MiB."""
    command = [sys.executable, "-m", "benchmarks.indexing", "--child", str(folder), str(data)]
    command += ["--encoder", options.encoder, "--encoders-dir", str(options.encoders_dir)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def memory_mib() -> dict[str, int]:
    """What this process holds at present in MiB, proc(5): of its ``own``, and pages of ``mapped`` files."""
    _, resident, mapped, *_ = map(int, Path("/proc/self/statm").read_text(encoding="utf-8").split())
    page = resource.getpagesize()
    return {"own": (resident - mapped) * page >> 20, "mapped": mapped * page >> 20}


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """The most memory of each kind during the block, filled in while it runs; the two need not come together."""
    most = memory_mib()
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            for kind, held in memory_mib().items():
                most[kind] = max(most[kind], held)

    watcher = threading.Thread(target=look, name="watch", daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def run_once(folder: Path, data: Path, encoder: str, encoders_dir: Path) -> dict[str, Any]:
    """Index ``folder`` into an empty collection."""
    places = Places(data, encoders=encoders_dir)
    limits = ImageLimits()
    settings = CollectionSettings("faiss-flat", 3, limits.max_bytes, limits.max_pixels)
    options = RunOptions(PipelineOptions(BATCH, available_cores(), limits), BuildOptions(settings))
    request = IndexRequest("bench", str(folder), None, EncoderRequest(name=encoder))
    data.mkdir(parents=True, exist_ok=True)
    load_encoder(request.encoder, encoders_dir)  # what is made once on a machine is not a run's cost
    wall, cpu = time.perf_counter(), time.process_time()
    with watched() as memory, closing(open_catalogue(places)) as catalogue:
        summary = index_collection(places, request, catalogue=catalogue, options=options, reporter=HumanReporter())
    stages = {key: value for key, value in summary.fields().items() if key.endswith("_s")}
    return {
        "wall_s": round(time.perf_counter() - wall, 3),
        "cpu_s": round(time.process_time() - cpu, 3),
        "encoded": summary.timings.encoded_count,
        "stages": stages,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **{f"{kind}_mib": most for kind, most in memory.items()},
    }


if __name__ == "__main__":
    main()
