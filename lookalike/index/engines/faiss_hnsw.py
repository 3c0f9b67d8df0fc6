"""A navigable graph over the first principal components: a query's cost hardly grows with the collection.

HNSW: Malkov and Yashunin, 2016. FAISS builds the graph on a byte a component; ``GraphSearch`` walks it on half bytes of
more components, and what it finds is scored again by the vectors themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lookalike.index.base import IndexSettings, Mask, Neighbours, Positions, Tell, Vectors, check_vectors
from lookalike.index.engines.four_bit_codes import NUMBERS, Codes, HalfBytes, code_bytes
from lookalike.index.engines.pca import SAMPLE, SPREAD, Components, byte_scale, sample, to_bytes
from lookalike.index.engines.reranked import BLOCK, FEWEST, SCATTER, RerankedIndex, growth
from lookalike.index.faiss_ops import all_threads, faiss, threads
from lookalike.index.hnsw_graph import Graph, GraphSearch, stride_for
from lookalike.index.index_types import Estimate

LINKS = 32  # of a node on the ground floor; half as many on each floor above
WIDTH = 256  # components that the graph is built on
CONSTRUCTION = 200  # candidates that are kept while a node's links are chosen
VISITS = 12.0  # nodes whose distance is taken for each candidate that is kept, roughly


def bytes_a_vector(dimension: int) -> float:
    """A record, and the links of the sixteenth part of the nodes that stand on upper floors."""
    return stride_for(code_bytes(min(dimension, NUMBERS)), LINKS) + (12.0 + 2 * LINKS) / (LINKS / 2 - 1)


class FaissHnswIndex(RerankedIndex):
    """A graph that ``faiss.IndexHNSWSQ`` built, of nodes in half bytes."""

    start: ClassVar[IndexSettings] = IndexSettings(effort=128, factor=4.0)
    fewest: ClassVar[int] = FEWEST
    next_up: ClassVar[str | None] = "faiss-flat16"

    @classmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""
        # 30 000 and 100 000 vectors of 608 numbers: built in 13.5 and 51 s of a core, a query that finds 99 % takes
        # 0.19 and 0.25 ms. 192 bytes are a code at most, 128 the links of a vector on the ground floor, and 5 its share
        # of the floors above.
        size = count * (min(dimension, 192.0) + 128.0 + 5.0)
        share = 0.4 + 0.6 * min(dimension, WIDTH) / WIDTH
        build_s, query_ms = 51.0 * share * growth(count, 1.1), 0.25 * share * growth(count, 0.2)
        return Estimate(size, size + 4.0 * count * dimension, build_s, query_ms)

    def __init__(self, graph: Graph, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        super().__init__(vectors, settings)
        self._graph = graph
        self._walk = GraphSearch(graph, self._rows.vectors)
        self._visit = VISITS * bytes_a_vector(self._dimension)  # bytes that keeping a candidate reads

    def efforts(self) -> Sequence[int]:
        """Candidates that are kept while the graph is walked."""
        tried = (16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 512, 768, 1024)
        return [effort for effort in tried if effort <= len(self)] or [len(self)]

    def depths(self, effort: int) -> tuple[int, int]:
        """From a third of what was kept to all of it.

        A picture from outside needs more of them than the collection's own: its neighbours lie closer together than the
        missing components can tell apart.
        """
        return effort // 3, effort

    def cost(self, effort: int, depth: int) -> float:
        """Nodes lie anywhere in memory, and so do the candidates' vectors."""
        kept = min(float(effort), self._count / VISITS)
        return SCATTER * (kept * self._visit + depth * 4.0 * self._dimension)

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
            chosen = sample(vectors, SAMPLE)
            components = Components.train(chosen, WIDTH, NUMBERS)
            spread = components(chosen[:SPREAD])
            width = WIDTH if components.ranked else spread.shape[1]
            scale, half_bytes = byte_scale(spread[:, :width]), HalfBytes.of(spread)
            records = np.zeros((len(vectors), stride_for(half_bytes.width, LINKS)), dtype=np.uint8)
            built = faiss.IndexHNSWSQ(width, faiss.ScalarQuantizer.QT_8bit_direct, LINKS // 2, faiss.METRIC_L2)
            built.hnsw.efConstruction = CONSTRUCTION
            built.train(np.zeros((1, width), dtype=np.float32))
            for start in range(0, len(vectors), BLOCK):
                rows = slice(start, min(start + BLOCK, len(vectors)))
                own = components(vectors[rows])
                records[rows, : half_bytes.width] = half_bytes.codes(own)
                built.add(to_bytes(own[:, :width], scale))
                tell("building the index", rows.stop, len(vectors))
        return cls(_graph(built.hnsw, records, half_bytes.width, half_bytes.weighing(components)), vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map what ``save`` wrote; raises IndexDamagedError if it is not that, or is of other vectors."""
        return cls(Graph.read(path, vectors), vectors, settings)

    def _effort_for(self, effort: int, depth: int) -> int:
        return max(effort, depth)

    def _walked(self, queries: Vectors, effort: int, depth: int, k: int, allowed: Mask | None) -> Neighbours:
        return self._walk.search(queries, effort, depth, k, allowed)


def _graph(hnsw: Any, records: Codes, width: int, weighing: tuple[npt.NDArray[np.int8], Vectors]) -> Graph:
    """The graph of (n, stride) records whose first ``width`` bytes are codes, with the links that FAISS chose."""
    links, offsets = faiss.vector_to_array(hnsw.neighbors), faiss.vector_to_array(hnsw.offsets)
    offsets = offsets.astype(np.int64)
    for start in range(0, len(records), BLOCK):
        rows = slice(start, min(start + BLOCK, len(records)))
        own = links[offsets[rows][:, None] + np.arange(LINKS)].astype(np.int32)
        records[rows, width : width + 4 * LINKS] = own.view(np.uint8)
    blocks = (np.diff(offsets) - LINKS) // (LINKS // 2)  # a node's upper floors; those that it has not are not stored
    climbers = np.flatnonzero(blocks)
    starts = np.concatenate([[0], np.cumsum(blocks[climbers])])
    floors = [links[offsets[node] + LINKS : offsets[node + 1]] for node in climbers]
    return Graph(
        matrix=weighing[0],
        scales=weighing[1],
        records=records,
        links=LINKS,
        climbers=climbers.astype(np.int32),
        starts=starts[:-1].astype(np.int64),
        floors=np.concatenate([np.empty(0, np.int32), *floors]).astype(np.int32).reshape(-1, LINKS // 2),
        entry=int(hnsw.entry_point),
        top=int(hnsw.max_level),
    )
