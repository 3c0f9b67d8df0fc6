"""A navigable graph over one byte a component: a query's cost hardly grows with the collection.

HNSW: Malkov and Yashunin, 2016. FAISS builds the graph, on the first principal components, in bytes; ``GraphSearch``
walks it, and what it finds is scored again by the vectors themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lookalike.index.base import IndexSettings, Mask, Neighbours, Positions, Tell, Vectors, check_vectors
from lookalike.index.engines.projecting import ByteProjection
from lookalike.index.engines.reranked import BLOCK, SCATTER, RerankedIndex
from lookalike.index.graph import Graph, GraphSearch, stride_for
from lookalike.index.native import all_threads, faiss, threads

LINKS = 32  # of a node on the ground floor; half as many on each floor above
WIDTH = 256  # components that are kept
CONSTRUCTION = 200  # candidates that are kept while a node's links are chosen
VISITS = 12.0  # nodes whose distance is taken for each candidate that is kept, roughly


def width_for(dimension: int) -> int:
    """Components that the graph is walked on."""
    return min(dimension, WIDTH)


def bytes_a_vector(dimension: int) -> float:
    """A record, and the links of the sixteenth part of the nodes that stand on upper floors."""
    return stride_for(_padded(width_for(dimension)), LINKS) + (12.0 + 2 * LINKS) / (LINKS / 2 - 1)


class FaissHnswIndex(RerankedIndex):
    """A graph that ``faiss.IndexHNSWSQ`` built over bytes that ``ByteProjection`` made."""

    start: ClassVar[IndexSettings] = IndexSettings(effort=128, factor=4.0)

    def __init__(self, graph: Graph, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        super().__init__(vectors, settings)
        self._graph = graph
        self._walk = GraphSearch(graph, self._vectors)

    def efforts(self) -> Sequence[int]:
        """Candidates that are kept while the graph is walked."""
        tried = (16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 512, 768, 1024)
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

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """See TunableIndex.candidates."""
        return self._walk.candidates(check_vectors(queries, self.dimension), effort, depth)

    def save(self, path: Path) -> None:
        """Write the graph; raises OSError."""
        self._graph.write(path)

    @classmethod
    def build(cls, vectors: Vectors, tell: Tell) -> Self:
        """Choose the components of (n, D) unit vectors, then take the vectors in block by block; n is at least 1."""
        with threads(all_threads()):
            matrix = ByteProjection.train(vectors, width_for(vectors.shape[1]))
            project = ByteProjection(matrix)
            built = faiss.IndexHNSWSQ(matrix.d_out, faiss.ScalarQuantizer.QT_8bit_direct, LINKS // 2, faiss.METRIC_L2)
            built.hnsw.efConstruction = CONSTRUCTION
            built.train(np.zeros((1, matrix.d_out), dtype=np.float32))
            for start in range(0, len(vectors), BLOCK):
                built.add(project(np.ascontiguousarray(vectors[start : start + BLOCK])))
                tell("building the index", min(start + BLOCK, len(vectors)), len(vectors))
        return cls(_graph(matrix, built), vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map what ``save`` wrote; raises IndexDamagedError if it is not that, or is of other vectors."""
        return cls(Graph.read(path, vectors), vectors, settings)

    def _effort_for(self, effort: int, depth: int) -> int:
        return max(effort, depth)

    def _walked(self, queries: Vectors, effort: int, depth: int, k: int, allowed: Mask | None) -> Neighbours:
        return self._walk.search(queries, effort, depth, k, allowed)


def _padded(width: int) -> int:
    """Bytes of a code: node numbers, which stand behind it, begin at multiples of four."""
    return -(-width // 4) * 4


def _graph(matrix: Any, built: Any) -> Graph:
    """What FAISS built, code and links of a node side by side."""
    codes = faiss.vector_to_array(faiss.downcast_index(built.storage).codes).reshape(built.ntotal, matrix.d_out)
    weights = faiss.vector_to_array(matrix.A).reshape(matrix.d_out, matrix.d_in)
    width = _padded(matrix.d_out)
    more = width - matrix.d_out  # components that are zero for everyone
    records = np.zeros((built.ntotal, stride_for(width, LINKS)), dtype=np.uint8)
    records[:, : matrix.d_out] = codes
    links, offsets = faiss.vector_to_array(built.hnsw.neighbors), faiss.vector_to_array(built.hnsw.offsets)
    offsets = offsets.astype(np.int64)
    for start in range(0, built.ntotal, BLOCK):
        rows = slice(start, min(start + BLOCK, built.ntotal))
        own = links[offsets[rows][:, None] + np.arange(LINKS)].astype(np.int32)
        records[rows, width : width + 4 * LINKS] = own.view(np.uint8)
    blocks = (np.diff(offsets) - LINKS) // (LINKS // 2)  # a node's upper floors; those that it has not are not stored
    climbers = np.flatnonzero(blocks)
    starts = np.concatenate([[0], np.cumsum(blocks[climbers])])
    floors = [links[offsets[node] + LINKS : offsets[node + 1]] for node in climbers]
    return Graph(
        matrix=np.pad(weights, ((0, more), (0, 0))).astype(np.float32),
        shift=np.pad(faiss.vector_to_array(matrix.b), (0, more)).astype(np.float32),
        records=records,
        links=LINKS,
        climbers=climbers.astype(np.int32),
        starts=starts[:-1].astype(np.int64),
        floors=np.concatenate([np.empty(0, np.int32), *floors]).astype(np.int32).reshape(-1, LINKS // 2),
        entry=int(built.hnsw.entry_point),
        top=int(built.hnsw.max_level),
    )
