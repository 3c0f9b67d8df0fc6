"""The course of a run of an index: ``build`` makes a file of a matrix, ``query`` opens it and asks one at a time."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.peers.scripts.common import (
    Clock,
    answer,
    peak_rss_mb,
    private_mb,
    resident_mb,
    take_stdout,
)

Vectors = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

NEIGHBOURS = 10
HAIR = 1e-5
"""A neighbour counts as right when its score reaches the tenth best within this much, so that ties are no misses."""
WARM_UP = 20
FEWEST = 100
CPU_SECONDS = 4.0
"""A setting is timed until it has taken this long, and answered FEWEST queries, or until there are no more."""


class Engine(Protocol):
    """An index that is built from unit vectors (n, d) float32, saved, opened, and asked by inner product or cosine."""

    def build(self, vectors: Vectors, path: Path) -> None:
        """Build with all cores and write to ``path``, a file or a folder."""

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Read what ``build`` wrote for so many vectors of such a length, ready for one thread."""

    def settings(self) -> Sequence[dict[str, Any]]:
        """What to try, from fast to sure."""

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """For one setting: from one query (d,) to its nearest positions, best first."""


def run_index(engine: Engine, packages: Callable[[], dict[str, str]]) -> None:
    """Read the command line, measure, write the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("build", "query"))
    parser.add_argument("--vectors", type=Path, required=True, help="Unit vectors, (n, d) float32 .npy.")
    parser.add_argument("--index", type=Path, required=True, help="The file or folder to write or read.")
    parser.add_argument("--queries", type=Path, help="Unit vectors, (q, d) float32 .npy.")
    parser.add_argument("--truth", type=Path, help="(q,) score of the tenth nearest of each query, .npy.")
    options = parser.parse_args()
    stdout = take_stdout()
    figures = _build(engine, options) if options.verb == "build" else _query(engine, options)
    answer(stdout, {**figures, "versions": packages()})


def _build(engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    vectors = np.load(options.vectors)
    clock = Clock()
    engine.build(vectors, options.index)
    return {**clock.figures(), "peak_rss_mb": peak_rss_mb(), "disk_mb": round(_size(options.index) / 1e6, 1)}


def _query(engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    queries = np.load(options.queries)
    vectors = np.load(options.vectors, mmap_mode="r")
    resident, private = resident_mb(), private_mb()
    engine.open(options.index, vectors.shape)
    rows, answers = [], []
    for setting in engine.settings():
        row, found = _timed(engine.searcher(setting), queries)
        rows.append({"setting": setting, **row})
        answers.append(found)
    # Before the scores are looked up: that touches the vectors, which are the index's affair only if it did so.
    memory = {"memory_mb": round(resident_mb() - resident, 1), "private_mb": round(private_mb() - private, 1)}
    tenth = np.load(options.truth)
    for row, found in zip(rows, answers, strict=True):
        row["recall"] = round(_recall(found, queries, vectors, tenth), 5)
    return {**memory, "settings": rows}


def _timed(search: Callable[[Vectors], Positions], queries: Vectors) -> tuple[dict[str, Any], list[Positions]]:
    """Queries a second, one at a time, by processor and by wall; and the answers."""
    for query in queries[:WARM_UP]:
        search(query)
    found: list[Positions] = []
    wall, cpu = time.perf_counter(), time.process_time()
    for query in queries:
        found.append(search(query))
        if len(found) >= FEWEST and time.process_time() - cpu > CPU_SECONDS:
            break
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    rates = {"per_cpu_second": round(len(found) / cpu_seconds, 1), "per_second": round(len(found) / seconds, 1)}
    return {"queries": len(found), **rates}, found


def _recall(found: list[Positions], queries: Vectors, vectors: Vectors, tenth: Vectors) -> float:
    """Share of the ten best that were answered, by score, a position counted once."""
    hits = 0
    for query, positions, least in zip(queries, found, tenth, strict=False):
        distinct = np.unique(positions[positions >= 0])
        hits += min(NEIGHBOURS, int((vectors[distinct] @ query >= least - HAIR).sum()))
    return hits / (NEIGHBOURS * len(found))


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(Path(folder, name).stat().st_size for folder, _, names in os.walk(path) for name in names)
