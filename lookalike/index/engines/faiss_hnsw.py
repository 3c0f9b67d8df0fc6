"""A navigable graph over one byte a component: a query's cost hardly grows with the collection.

HNSW: Malkov and Yashunin, 2016. The graph is walked on the first principal components, in bytes; what it finds is
scored again by the vectors themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from lookalike.index.base import IndexSettings, Positions, Vectors
from lookalike.index.engines.projecting import ByteProjection
from lookalike.index.engines.reranked import SCATTER, RerankedIndex
from lookalike.index.native import faiss

LINKS = 16  # a node has twice as many on the ground floor
WIDTH = 256  # components that are kept; a multiple of 16 fits the vector registers
VISITS = 20.0  # nodes whose distance is taken for each candidate that is kept, roughly
LARGE = 500_000


def width_for(dimension: int) -> int:
    """Components that the graph is walked on."""
    return min(dimension, WIDTH)


def bytes_a_vector(dimension: int) -> float:
    """Codes, links, and a sixteenth part of the nodes on upper floors."""
    return width_for(dimension) + 4.0 * (2 * LINKS + LINKS / (LINKS - 1)) + 16


class FaissHnswIndex(RerankedIndex):
    """``faiss.IndexHNSWSQ`` over bytes that ``ByteProjection`` makes."""

    start: ClassVar[IndexSettings] = IndexSettings(effort=128, factor=4.0)

    def __init__(self, index: Any, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        super().__init__(index, vectors, settings)
        self._project, self._graph = _parts(index)

    def efforts(self) -> Sequence[int]:
        """Candidates that are kept while the graph is walked."""
        tried = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
        return [effort for effort in tried if effort <= len(self)] or [len(self)]

    def depths(self, effort: int) -> tuple[int, int]:
        """From half of what was kept to all of it.

        Scoring them is a small part of the cost, and a picture from outside needs more of them than the collection's
        own: its neighbours lie closer together than the missing components can tell apart.
        """
        return effort // 2, effort

    def cost(self, effort: int, depth: int) -> float:
        """Nodes lie anywhere in memory, and so do the candidates' vectors."""
        visits = min(VISITS * effort, float(len(self)))
        return SCATTER * (visits * bytes_a_vector(self.dimension) + depth * 4.0 * self.dimension)

    def _effort_for(self, effort: int, depth: int) -> int:
        return max(effort, depth)

    def _parameters(self, effort: int, selector: Any) -> Any:
        return faiss.SearchParametersHNSW(efSearch=effort, sel=selector)

    def _walk(self, queries: Vectors, depth: int, parameters: Any) -> Positions:
        positions: Positions = self._graph.search(self._project(queries), depth, params=parameters)[1]
        return positions

    @classmethod
    def _add(cls, index: Any, vectors: Vectors) -> None:
        project, graph = _parts(index)
        graph.add(project(vectors))
        index.ntotal = graph.ntotal

    @classmethod
    def _empty(cls, vectors: Vectors) -> Any:
        matrix = ByteProjection.train(vectors, width_for(vectors.shape[1]))
        graph = faiss.IndexHNSWSQ(matrix.d_out, faiss.ScalarQuantizer.QT_8bit_direct, LINKS, faiss.METRIC_L2)
        graph.hnsw.efConstruction = 200 if len(vectors) > LARGE else 100
        graph.train(np.zeros((1, matrix.d_out), dtype=np.float32))
        return faiss.IndexPreTransform(matrix, graph)

    @classmethod
    def _is_ours(cls, index: Any) -> bool:
        return isinstance(index, faiss.IndexPreTransform) and isinstance(
            faiss.downcast_index(index.index), faiss.IndexHNSWSQ
        )


def _parts(index: Any) -> tuple[ByteProjection, Any]:
    """What makes bytes of vectors, and the graph over them; FAISS would do the first without minding the ends."""
    matrix = faiss.downcast_VectorTransform(index.chain.at(0))
    return ByteProjection(matrix), faiss.downcast_index(index.index)
