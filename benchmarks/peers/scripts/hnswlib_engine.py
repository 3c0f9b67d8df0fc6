"""hnswlib, with the number of links that the other graphs here have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hnswlib

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.indexes import NEIGHBOURS, Positions, Vectors, run_index

LINKS = 16
EFFORT = 200
"""hnswlib's own default."""


class HnswlibIndex:
    """A graph over inner products."""

    def __init__(self) -> None:
        self._index: Any = None

    def build(self, vectors: Vectors, path: Path) -> None:
        """Add all at once, on all cores."""
        index = hnswlib.Index(space="ip", dim=vectors.shape[1])
        index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=EFFORT)
        index.add_items(vectors)
        index.save_index(str(path))

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Into memory."""
        self._index = hnswlib.Index(space="ip", dim=shape[1])
        self._index.load_index(str(path))
        self._index.set_num_threads(1)

    def settings(self) -> Sequence[dict[str, Any]]:
        """How far the graph is followed."""
        return [{"ef": effort} for effort in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)]

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """One query at a time."""
        self._index.set_ef(setting["ef"])

        def search(query: Vectors) -> Positions:
            found: Positions = self._index.knn_query(query, k=NEIGHBOURS)[0][0].astype("int64")
            return found

        return search


if __name__ == "__main__":
    run_index(HnswlibIndex(), lambda: versions("hnswlib", "numpy"))
