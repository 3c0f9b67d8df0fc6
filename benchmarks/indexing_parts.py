"""Where the CPU time of `index` goes: by part, of small pictures and of photos.

    python -m benchmarks.indexing_parts [--pictures 2000] [--photos 100] [--pool ../shared/data/pool] [--out FILE]

Every part of a run is a function that is told apart by the clock of its own thread, without what the parts inside it
take; waiting costs nothing there. What is left of the process's time is the network, which the runtime computes on
threads of its own. Loading the encoder is left out: it is the same for one picture and for a million. Small pictures
are drawn from the archives of ``--pool``; photos are pictures of ``--real`` enlarged to 2000 × 1500, with noise.
Medians over rounds of runs into empty collections.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import indexing
from benchmarks.decoding import enlarged, real_pictures
from indexer.ingest import decode_worker
from indexer.ingest import run as runs
from indexer.ingest.decode_worker import DecodeWorker
from indexer.ingest.encode_writer import EncodeWriter
from indexer.ingest.pipeline import Pipeline
from indexer.ingest.verdicts import Report
from lookalike.collection import publisher
from lookalike.collection.builder import Builder
from lookalike.collection.publisher import Publisher
from lookalike.encoder.base import ImageEncoder
from lookalike.options import EncoderRequest, Places
from lookalike.sources.folder import FolderSource
from lookalike.wiring import default_encoder, load_encoder

RESULT = Path(__file__).parent / "results" / "indexing_parts.json"
NETWORK = "the network"


class Parts:
    """CPU seconds by part, over all threads; a part does not count the parts inside it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._inside = threading.local()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time counts for ``part``."""

        def run(*arguments: Any, **named: Any) -> Any:
            above: float = getattr(self._inside, "taken", 0.0)
            self._inside.taken, start = 0.0, time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                whole = time.thread_time() - start
                with self._lock:
                    self.seconds[part] += whole - self._inside.taken
                self._inside.taken = above + whole

        return run

    def timed_steps(self, part: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """A generator, each step of which counts for ``part``."""

        def run(*arguments: Any) -> Iterator[Any]:
            following = self.timed(part, function(*arguments).__next__)
            while True:
                try:
                    yield following()
                except StopIteration:
                    return

        return run

    def watch(self, encoder: ImageEncoder, patches: ExitStack) -> None:
        """Put a clock on all that takes time in a run with this encoder."""
        inside: list[tuple[str, Any, str]] = [
            ("reading", FolderSource, "read"),
            ("decoding", decode_worker, "decode"),
            ("resizing", type(encoder), "prepare"),
            ("rows: looking up", Builder, "known"),
            ("rows: looking up", Builder, "items_by_content"),
            ("rows: writing", EncodeWriter, "_commit"),
            (NETWORK, EncodeWriter, "_forward"),
            ("verdicts", Report, "give"),
            ("publishing: vectors", Publisher, "_write_vectors"),
            ("publishing: index, recall", publisher, "build_measured_index"),
            ("publishing: checksums", publisher, "_stamp"),
            ("publishing: rows", Builder, "remove_absent"),
            ("publishing: rows", Builder, "publish"),
            ("handing on", DecodeWorker, "examine"),
            ("handing on", Pipeline, "run"),
            ("a new database", indexing, "open_catalogue"),
            ("the rest", indexing, "index_collection"),
        ]
        for part, owner, name in inside:
            timed = self.timed(part, getattr(owner, name))
            patches.enter_context(mock.patch.object(owner, name, timed))
        listing = self.timed_steps("listing", FolderSource.entries)
        patches.enter_context(mock.patch.object(FolderSource, "entries", listing))
        hashing = SimpleNamespace(sha256=self.timed("hashing", hashlib.sha256))
        patches.enter_context(mock.patch.object(decode_worker, "hashlib", hashing))
        patches.enter_context(mock.patch.object(runs, "load_encoder", return_value=encoder))


def main() -> None:
    """Measure, print, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pool", type=Path, default=Path("../shared/data/pool"))
    parser.add_argument("--real", type=Path, default=Path("../shared/data/imagenette_val"))
    parser.add_argument("--encoder", default=default_encoder())
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    encoders_dir = Places(Path()).encoders_dir
    encoder = load_encoder(EncoderRequest(name=options.encoder), encoders_dir)
    side = encoder.spec.input_size
    for count in range(1, indexing.BATCH + 1):  # compiles the network for every size of batch that there will be
        encoder.forward(np.zeros((count, side, side, 3), np.uint8))
    figures: dict[str, Any] = {"encoder": encoder.spec.name, "runtime": encoder.runtime}
    with tempfile.TemporaryDirectory() as scratch:
        indexing.draw(options.pool, options.pictures, Path(scratch, "small"))
        Path(scratch, "photos").mkdir()
        for number, data in enumerate(real_pictures(options.real, options.photos)):
            Path(scratch, "photos", f"{number}.jpg").write_bytes(enlarged(data, "2000x1500"))
        for kind in ("small", "photos"):
            rounds = [
                parts_of(Path(scratch, kind), Path(scratch, f"{kind}-{number}"), encoder, encoders_dir)
                for number in range(options.rounds)
            ]
            medians = {part: round(statistics.median(one[part] for one in rounds), 4) for part in rounds[0]}
            figures[kind] = dict(sorted(medians.items(), key=lambda found: -found[1]))
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def parts_of(folder: Path, data: Path, encoder: ImageEncoder, encoders_dir: Path) -> dict[str, float]:
    """One run over ``folder``: CPU milliseconds a picture by part, those of the network included."""
    parts = Parts()
    with ExitStack() as patches:
        parts.watch(encoder, patches)
        found = indexing.run_once(folder, data, encoder.spec.name, encoders_dir)
    parts.seconds[NETWORK] += found["cpu_s"] - parts.seconds.total()
    return {part: 1000 * seconds / found["encoded"] for part, seconds in parts.seconds.items()}


if __name__ == "__main__":
    main()
