"""The way that publishing goes, on as many vectors as one likes: plan, build, tune, save, map, serve."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index.contenders import Contender, K, Vectors
from benchmarks.index.measuring import Watch, private_bytes, row, truth_scores
from lookalike.index.choosing import choose_index
from lookalike.index.planner import IndexWish
from lookalike.wiring import build_index, load_index


def synthetic(path: Path, count: int, dimension: int) -> None:
    """Clustered unit vectors, written block by block: a thousand centres an hundred thousand, 24 directions each."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((max(10, count // 100), dimension)).astype(np.float32)
    turns = random.standard_normal((16, 24, dimension)).astype(np.float32)
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (count, dimension))
    for start in range(0, count, 50_000):
        size = min(50_000, count - start)
        kinds = random.integers(0, len(centres), size)
        block = centres[kinds]
        for turn in range(len(turns)):
            rows = kinds % len(turns) == turn
            block[rows] += 0.2 * random.standard_normal((int(rows.sum()), 24)).astype(np.float32) @ turns[turn]
        vectors[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    vectors.flush()


def whole(vectors: Vectors, queries: Vectors, wish: IndexWish) -> dict[str, Any]:
    """What publishing takes and gives, and how it serves from the file that it wrote."""
    before, started, clock = private_bytes(), time.process_time(), time.monotonic()
    watch = Watch()

    def tell(what: str, done: int, total: int) -> None:
        print(f"{what}: {done} of {total}, {(watch.peak - before) / 1e9:.1f} GB at most", flush=True)

    with watch:
        chosen = choose_index(vectors, wish, build_index, seed=1, tell=tell)
    settings = chosen.settings
    facts: dict[str, Any] = {
        "engine": chosen.engine,
        "reasons": chosen.reasons,
        "settings": None if settings is None else {"effort": settings.effort, "factor": settings.factor},
        "recall": None if chosen.recall is None else [chosen.recall.value, chosen.recall.low],
        "build_and_tune_cpu_s": time.process_time() - started,
        "build_and_tune_s": time.monotonic() - clock,
        "memory_bytes": private_bytes() - before,
        "peak_bytes": watch.peak - before,
    }
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "index.bin"
        chosen.index.save(path)
        facts["file_bytes"] = path.stat().st_size
        index = load_index(chosen.engine, path, vectors, settings)
        served = Contender("served", lambda rows, _: index.search(rows, K).positions, efforts=(1, 1))
        facts["served"] = row(served, 1, vectors, queries, np.sort(truth_scores(vectors, queries), axis=1)[:, :1])
    return facts
