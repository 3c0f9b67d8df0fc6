"""scikit-learn's NearestNeighbors; by brute force, which is what it takes itself at this many numbers a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
from sklearn.neighbors import NearestNeighbors

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.indexes import NEIGHBOURS, Positions, Vectors, run_index


class ScikitNeighbours:
    """Euclidean distances, which rank unit vectors as cosines do, and which are its fast path."""

    def __init__(self) -> None:
        self._neighbours: Any = None

    def build(self, vectors: Vectors, path: Path) -> None:
        """Keeps the vectors and their norms."""
        joblib.dump(NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="auto").fit(vectors), path)

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Into memory."""
        del shape
        self._neighbours = joblib.load(path)

    def settings(self) -> Sequence[dict[str, Any]]:
        """None: it is exact."""
        return [{}]

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """One query at a time."""
        del setting

        def search(query: Vectors) -> Positions:
            found: Positions = self._neighbours.kneighbors(query[None], return_distance=False)[0]
            return found

        return search


if __name__ == "__main__":
    run_index(ScikitNeighbours(), lambda: versions("scikit-learn", "numpy"))
