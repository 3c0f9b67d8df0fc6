"""An HNSW graph over the first principal components: a query's cost hardly grows with the collection.

HNSW: Malkov and Yashunin, 2016. FAISS builds the graph on one byte a component; ``GraphSearch`` searches it on four-bit
codes of more components, and its candidates are scored again by their vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lookalike.cores import available_cores
from lookalike.index.base import IndexSettings, Mask, Neighbours, Positions, ProgressCallback, Vectors
from lookalike.index.engines.four_bit_codes import NUMBERS, Codes, FourBitEncoder, code_bytes
from lookalike.index.engines.pca import SAMPLE, SCALE_SAMPLE, Components, byte_scale, sample_vectors, to_bytes
from lookalike.index.engines.reranked import BLOCK, MIN_VECTORS, RANDOM_READ_FACTOR, RerankedIndex, growth
from lookalike.index.faiss_ops import faiss, use_threads
from lookalike.index.hnsw_graph import Graph, GraphSearch, stride_for
from lookalike.index.index_types import Estimate
from lookalike.index.vector_check import check_vectors

LINKS = 32  # of a node in layer 0; half as many in each layer above
WIDTH = 256  # components that the graph is built on
CONSTRUCTION = 200  # efConstruction: size of the candidate queue while the graph is built
MASKED_CANDIDATES = 1.5
"""Admitted nodes that the queue should have for each that is scored.

A longer queue finds nearer nodes anyway: with 60 000 clustered vectors no mask, of 10 % or 50 % of the rows or of the
nearest or farthest clusters, had less recall than none, and one of 10 % took half the time of a queue that is longer by
the share of the mask.
"""
VISITS = 12.0  # distances that are computed for each candidate of the queue, roughly


def bytes_per_vector(dimension: int) -> float:
    """A record, and the links of the sixteenth part of the nodes that are in upper layers."""
    return stride_for(code_bytes(min(dimension, NUMBERS)), LINKS) + (12.0 + 2 * LINKS) / (LINKS / 2 - 1)


class FaissHnswIndex(RerankedIndex):
    """A graph that ``faiss.IndexHNSWSQ`` built, with four-bit codes of the nodes."""

    initial_settings: ClassVar[IndexSettings] = IndexSettings(effort=128, factor=4.0)
    min_vectors: ClassVar[int] = MIN_VECTORS
    next_up: ClassVar[str | None] = "faiss-flat16"

    @classmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""
        # 30 000 and 100 000 vectors of 608 numbers: built in 13.5 and 51 s of a core, a query that finds 99 % takes
        # 0.19 and 0.25 ms. A code has at most 192 bytes, the links of layer 0 have 128, and 5 are a vector's share of
        # the layers above.
        size = count * (min(dimension, 192.0) + 128.0 + 5.0)
        share = 0.4 + 0.6 * min(dimension, WIDTH) / WIDTH
        build_s, query_ms = 51.0 * share * growth(count, 1.1), 0.25 * share * growth(count, 0.2)
        return Estimate(size, size + 4.0 * count * dimension, build_s, query_ms)

    def __init__(self, graph: Graph, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        super().__init__(vectors, settings)
        self._graph = graph
        self._walk = GraphSearch(graph, self._reader.vectors)
        self._visit = VISITS * bytes_per_vector(self._dimension)  # bytes read for each candidate of the queue

    def efforts(self) -> Sequence[int]:
        """Sizes of the candidate queue (ef)."""
        efforts = (16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 512, 768, 1024)
        return [effort for effort in efforts if effort <= len(self)] or [len(self)]

    def depths(self, effort: int) -> tuple[int, int]:
        """From a third of the candidate queue to all of it.

        A picture from outside needs more of them than one of the collection: the distances of its neighbours differ by
        less than the error that the missing components make.
        """
        return effort // 3, effort

    def cost(self, effort: int, depth: int) -> float:
        """The nodes and the candidates' vectors are read at random."""
        candidates = min(float(effort), self._count / VISITS)
        return RANDOM_READ_FACTOR * (candidates * self._visit + depth * 4.0 * self._dimension)

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """See TunableIndex.candidates."""
        return self._walk.candidates(check_vectors(queries, self.dimension), effort, depth)

    def save(self, path: Path) -> None:
        """Write the graph; raises OSError."""
        self._graph.write(path)

    @classmethod
    def build(cls, vectors: Vectors, report_progress: ProgressCallback) -> Self:
        """Choose the components of (n, D) unit vectors, then add all vectors by blocks; n is at least 1."""
        with use_threads(available_cores()):
            training_vectors = sample_vectors(vectors, SAMPLE)
            components = Components.train(training_vectors, WIDTH, NUMBERS)
            scale_sample = components(training_vectors[:SCALE_SAMPLE])
            width = WIDTH if components.by_variance else scale_sample.shape[1]
            scale, encoder = byte_scale(scale_sample[:, :width]), FourBitEncoder.fit(scale_sample)
            records = np.zeros((len(vectors), stride_for(encoder.width, LINKS)), dtype=np.uint8)
            faiss_index = faiss.IndexHNSWSQ(width, faiss.ScalarQuantizer.QT_8bit_direct, LINKS // 2, faiss.METRIC_L2)
            faiss_index.hnsw.efConstruction = CONSTRUCTION
            faiss_index.train(np.zeros((1, width), dtype=np.float32))
            for start in range(0, len(vectors), BLOCK):
                rows = slice(start, min(start + BLOCK, len(vectors)))
                block = components(vectors[rows])
                records[rows, : encoder.width] = encoder.codes(block)
                faiss_index.add(to_bytes(block[:, :width], scale))
                report_progress("building the index", rows.stop, len(vectors))
        return cls(_to_graph(faiss_index.hnsw, records, encoder.width, encoder.query_weights(components)), vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map the file of ``save``; raises IndexDamagedError if it is another one, or of other vectors."""
        return cls(Graph.read(path, vectors), vectors, settings)

    def _effort_for(self, effort: int, depth: int) -> int:
        return max(effort, depth)

    def _masked_effort(self, effort: int, depth: int, share: float) -> int:
        return max(effort, math.ceil(min(effort, MASKED_CANDIDATES * depth) / share))

    def _search_codes(self, queries: Vectors, effort: int, depth: int, k: int, mask: Mask | None) -> Neighbours:
        return self._walk.search(queries, effort, depth, k, mask)


def _to_graph(hnsw: Any, records: Codes, width: int, query_weights: tuple[npt.NDArray[np.int8], Vectors]) -> Graph:
    """The graph of (n, stride) records whose first ``width`` bytes are codes, with the links that FAISS chose."""
    links, offsets = faiss.vector_to_array(hnsw.neighbors), faiss.vector_to_array(hnsw.offsets)
    offsets = offsets.astype(np.int64)
    for start in range(0, len(records), BLOCK):
        rows = slice(start, min(start + BLOCK, len(records)))
        row_links = links[offsets[rows][:, None] + np.arange(LINKS)].astype(np.int32)
        records[rows, width : width + 4 * LINKS] = row_links.view(np.uint8)
    blocks = (np.diff(offsets) - LINKS) // (LINKS // 2)  # a node's upper layers
    climbers = np.flatnonzero(blocks)
    starts = np.concatenate([[0], np.cumsum(blocks[climbers])])
    floors = [links[offsets[node] + LINKS : offsets[node + 1]] for node in climbers]
    return Graph(
        matrix=query_weights[0],
        scales=query_weights[1],
        records=records,
        links=LINKS,
        climbers=climbers.astype(np.int32),
        starts=starts[:-1].astype(np.int64),
        floors=np.concatenate([np.empty(0, np.int32), *floors]).astype(np.int32).reshape(-1, LINKS // 2),
        entry=int(hnsw.entry_point),
        top=int(hnsw.max_level),
    )
