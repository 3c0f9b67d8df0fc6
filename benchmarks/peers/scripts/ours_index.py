"""This project's graph index over a mapped file: the settings that publishing would find, and others as the peers'."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.indexes import NEIGHBOURS, Positions, Vectors, run_index
from lookalike.index.base import IndexSettings
from lookalike.index.engines.faiss_hnsw import FaissHnswIndex
from lookalike.index.search_effort import draw_sample, tune

TARGETS = (0.95, 0.99)
EFFORTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
FACTORS = (2.0, 4.0, 6.0)
SAMPLE = 500


class OurIndex:
    """Codes in one file, the vectors that score their finds in another, as in a snapshot."""

    def __init__(self) -> None:
        self._index: FaissHnswIndex | None = None
        self._settings: list[dict[str, Any]] = []

    def build(self, vectors: Vectors, path: Path) -> None:
        """Build, and tune for each target on queries drawn from the vectors, not on those that are asked later."""
        path.mkdir()
        index = FaissHnswIndex.build(vectors, _silent)
        sample = draw_sample(vectors, min(SAMPLE, len(vectors)), 1, _silent)
        tuned = [dataclasses.asdict(tune(index, vectors, sample, target, _silent).settings) for target in TARGETS]
        tried = [{"effort": effort, "factor": factor} for effort in EFFORTS for factor in FACTORS]
        settings = tuned + [one for one in tried if one["factor"] * NEIGHBOURS <= one["effort"]]
        np.save(path / "vectors.npy", vectors)
        index.save(path / "index.bin")
        (path / "settings.json").write_text(json.dumps(settings), encoding="utf-8")

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Both files mapped."""
        del shape
        self._settings = json.loads((path / "settings.json").read_text(encoding="utf-8"))
        self._index = FaissHnswIndex.load(path / "index.bin", np.load(path / "vectors.npy", mmap_mode="r"), None)

    def settings(self) -> Sequence[dict[str, Any]]:
        """Those of the targets first."""
        return self._settings

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """One query at a time, checks of the query included."""
        index = self._index
        if index is None:
            raise RuntimeError("no index is open")
        index.settings = IndexSettings(**setting)

        def search(query: Vectors) -> Positions:
            positions: Positions = index.search(query[None], NEIGHBOURS).positions[0]
            return positions

        return search


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody reads."""


if __name__ == "__main__":
    run_index(OurIndex(), lambda: versions("lookalike", "faiss-cpu", "numpy"))
