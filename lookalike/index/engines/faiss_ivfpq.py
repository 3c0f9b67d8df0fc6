"""Inverted lists of four-bit codes, compared many at a time: the least memory, for millions of vectors.

Product quantization: Jegou, Douze and Schmid, 2011; the fast scan: Andre, Kermarrec and Le Scouarnec, 2015.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from lookalike.index.base import IndexSettings, Vectors
from lookalike.index.engines.faiss_quantised import FaissQuantisedIndex
from lookalike.index.engines.pca import has_enough_vectors, sample_vectors, train_projection
from lookalike.index.engines.reranked import MIN_VECTORS, RANDOM_READ_FACTOR, growth
from lookalike.index.faiss_ops import faiss
from lookalike.index.index_types import Estimate

WIDTH = 256  # components of a code
PART = 2  # components that share a code of four bits
FLAT_LISTS = 4096  # up to this number of lists, the nearest to a query are found by comparing all
MOST_LISTS = 16_384  # each vector is compared with all of them when it is added
TRAINING = 40  # training vectors for each list, half as many for lists beyond FLAT_LISTS
ROUNDS = 6  # of k-means


def lists_for(count: int) -> int:
    """A power of two, about twice the square root of the count: adding a vector takes time in proportion to it."""
    return max(1, min(MOST_LISTS, 1 << int(math.log2(max(1.0, 2.1 * math.sqrt(count)))), count // TRAINING))


def bytes_per_vector(dimension: int) -> float:
    """Its code and its number."""
    return min(dimension, WIDTH) / (2 * PART) + 8


class FaissIvfPqIndex(FaissQuantisedIndex):
    """``faiss.IndexIVFPQFastScan`` behind a ``faiss.PCAMatrix``."""

    initial_settings: ClassVar[IndexSettings] = IndexSettings(effort=32, factor=20.0)
    min_vectors: ClassVar[int] = MIN_VECTORS
    next_up: ClassVar[str | None] = "faiss-hnsw"

    @classmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""
        # 30 000 and 100 000 vectors of 608 numbers: built in 2.9 and 5.6 s, a query takes 1.1 and 1.6 ms.
        width = min(dimension, WIDTH)
        lists = min(16_384.0, 1.6 * math.sqrt(max(1, count)))
        size = count * (width / 4 + 8) + 4 * lists * width
        training_s = 6 * 40 * lists * lists * width * 2 / 2e10
        encoding_s = count * (lists * width * 2 / 2e10 + 1e-5)
        build_s = 2.0 + training_s + encoding_s
        return Estimate(size, size + 4.0 * count * dimension, build_s, 1.6 * growth(count, 0.35))

    @property
    def _lists(self) -> int:
        return int(faiss.extract_index_ivf(self._index).nlist)

    def efforts(self) -> Sequence[int]:
        """Lists that are read."""
        lists = self._lists
        efforts = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
        return [effort for effort in efforts if effort <= lists]

    def depths(self, _effort: int) -> tuple[int, int]:
        """Many, since four-bit product codes are coarse."""
        return 200, 800

    def cost(self, effort: int, depth: int) -> float:
        """The lists sequentially, the candidates' vectors at random."""
        read = min(1.0, effort / self._lists) * len(self) * bytes_per_vector(self.dimension)
        lists = 4.0 * self._lists * min(self.dimension, WIDTH)
        return lists + read + RANDOM_READ_FACTOR * depth * 4.0 * self.dimension

    def _effort_for(self, effort: int, depth: int) -> int:
        enough = math.ceil(4 * depth * self._lists / max(1, len(self)))
        return min(self._lists, max(effort, enough))

    def _parameters(self, effort: int, selector: Any) -> Any:
        lists = faiss.SearchParametersIVF(nprobe=min(effort, self._lists), sel=selector)
        return faiss.SearchParametersPreTransform(index_params=lists)

    @classmethod
    def _train(cls, vectors: Vectors) -> Any:
        dimension, lists = vectors.shape[1], lists_for(len(vectors))
        width = min(dimension, WIDTH) if has_enough_vectors(vectors, min(dimension, WIDTH)) else dimension
        coarse = faiss.IndexFlatL2(width)
        parts = max(1, width // PART)
        list_index = faiss.IndexIVFPQFastScan(coarse, width, lists, parts, 4)
        list_index.own_fields = True
        coarse.this.disown()
        index = faiss.IndexPreTransform(list_index)
        if width < dimension:
            index.prepend_transform(train_projection(vectors, width, random_rotation=True))
        list_index.cp.niter = ROUNDS
        list_index.cp.max_points_per_centroid = 256
        list_index.cp.min_points_per_centroid = 1
        training_vectors = sample_vectors(vectors, max(20_000, TRAINING * min(lists, (lists + FLAT_LISTS) // 2)))
        # Sixteen centroids need at least sixteen vectors; fewer are repeated.
        index.train(np.resize(training_vectors, (max(len(training_vectors), 64), dimension)))
        return index

    @classmethod
    def _finish(cls, index: Any) -> None:
        """Search many lists by a graph: faster for a query, slower for adding a block of vectors."""
        list_index = faiss.extract_index_ivf(index)
        if list_index.nlist <= FLAT_LISTS:
            return
        flat_quantizer = faiss.downcast_index(list_index.quantizer)
        graph = faiss.IndexHNSWFlat(list_index.d, 32)
        graph.hnsw.efSearch = 256
        graph.add(flat_quantizer.reconstruct_n(0, list_index.nlist))
        list_index.quantizer = graph
        graph.this.disown()
        flat_quantizer.this.own(True)  # nothing else owns it any more

    @classmethod
    def _is_own_type(cls, index: Any) -> bool:
        return isinstance(index, faiss.IndexPreTransform) and isinstance(
            faiss.downcast_index(index.index), faiss.IndexIVFPQFastScan
        )
