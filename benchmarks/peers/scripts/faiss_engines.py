"""FAISS by hand: the exact scan that most glue starts with, and its graph over full vectors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss as untyped_faiss

from benchmarks.peers.scripts.common import versions
from benchmarks.peers.scripts.indexes import NEIGHBOURS, Positions, Vectors, run_index

# The wheel's stubs describe the C++ signatures; its Python layer accepts arrays and keywords instead.
faiss: Any = untyped_faiss

LINKS = 16
EFFORT = 100


class FaissIndex:
    """``flat`` or ``hnsw``, named by PEERS_VARIANT."""

    def __init__(self) -> None:
        self._variant = os.environ["PEERS_VARIANT"]
        self._index: Any = None

    def build(self, vectors: Vectors, path: Path) -> None:
        """Add all at once."""
        if self._variant == "flat":
            index = faiss.IndexFlatIP(vectors.shape[1])
        else:
            index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = EFFORT
        index.add(vectors)
        faiss.write_index(index, str(path))

    def open(self, path: Path, shape: tuple[int, int]) -> None:
        """Into memory."""
        del shape
        faiss.omp_set_num_threads(1)
        self._index = faiss.read_index(str(path))

    def settings(self) -> Sequence[dict[str, Any]]:
        """A scan has none."""
        if self._variant == "flat":
            return [{}]
        return [{"efSearch": effort} for effort in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)]

    def searcher(self, setting: dict[str, Any]) -> Callable[[Vectors], Positions]:
        """One query at a time."""
        parameters = faiss.SearchParametersHNSW(**setting) if setting else None

        def search(query: Vectors) -> Positions:
            found: Positions = self._index.search(query[None], NEIGHBOURS, params=parameters)[1][0]
            return found

        return search


if __name__ == "__main__":
    run_index(FaissIndex(), lambda: versions("faiss-cpu", "numpy"))
