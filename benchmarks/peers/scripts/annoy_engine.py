"""Annoy: trees of random planes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from annoy import AnnoyIndex

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.indexes import NEIGHBOURS, Positions, Vectors, run_index

TREES = 100


class Annoy:
    """A forest over angles, which rank as cosines do."""

    def __init__(self) -> None:
        self._index: Any = None

    def build(self, vectors: Vectors, path: Path) -> None:
        """Annoy takes one vector at a time, then grows its trees on all cores."""
        index = AnnoyIndex(vectors.shape[1], "angular")
        for position, vector in enumerate(vectors):
            index.add_item(position, vector)
        index.build(TREES, n_jobs=-1)
        index.save(str(path))

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """By memory map, as Annoy always does."""
        self._index = AnnoyIndex(shape[1], "angular")
        self._index.load(str(path))

    def settings(self) -> Sequence[dict[str, Any]]:
        """How many vectors are looked at; from 1000 on, where it ranks better than chance."""
        return [{"search_k": count} for count in (1000, 3000, 10_000, 20_000, 40_000, 80_000)]

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """One query at a time."""

        def search(query: Vectors) -> Positions:
            return np.array(self._index.get_nns_by_vector(query, NEIGHBOURS, **setting), dtype=np.int64)

        return search


if __name__ == "__main__":
    run_index(Annoy(), lambda: versions("annoy", "numpy"))
