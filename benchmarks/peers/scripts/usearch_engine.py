"""usearch, storing halves, with the number of links that the other graphs here have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from usearch.index import Index

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.indexes import NEIGHBOURS, Positions, Vectors, run_index

LINKS = 16
EFFORT = 128
"""usearch's own default."""


class UsearchIndex:
    """A graph over inner products of float16."""

    def __init__(self) -> None:
        self._index: Any = None

    def build(self, vectors: Vectors, path: Path) -> None:
        """Add all at once, on all cores."""
        index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=LINKS, expansion_add=EFFORT)
        index.add(np.arange(len(vectors)), vectors)
        index.save(str(path))

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Into memory."""
        del shape
        self._index = Index.restore(str(path))

    def settings(self) -> Sequence[dict[str, Any]]:
        """How far the graph is followed."""
        return [{"expansion": effort} for effort in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)]

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """One query at a time."""
        self._index.expansion_search = setting["expansion"]

        def search(query: Vectors) -> Positions:
            found: Positions = self._index.search(query, NEIGHBOURS, threads=1).keys.astype(np.int64)
            return found

        return search


if __name__ == "__main__":
    run_index(UsearchIndex(), lambda: versions("usearch", "numpy"))
