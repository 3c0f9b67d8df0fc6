"""Inverted lists of half-byte codes, compared many at once: the least memory, for millions of vectors.

Product quantization: Jegou, Douze and Schmid, 2011; the fast scan: Andre, Kermarrec and Le Scouarnec, 2015.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from lookalike.index.base import IndexSettings, Vectors
from lookalike.index.engines.faiss_quantised import FaissCodedIndex
from lookalike.index.engines.pca import fits, projection, sample
from lookalike.index.engines.reranked import FEWEST, SCATTER, growth
from lookalike.index.faiss_ops import faiss
from lookalike.index.index_types import Estimate

WIDTH = 256  # components that are kept
PART = 2  # components that share a code of four bits
FLAT_LISTS = 4096  # up to so many lists a query's nearest are found by comparing all
MOST_LISTS = 16_384  # each vector is compared with all of them when it is taken in
TRAINING = 40  # vectors a list that the lists are trained on, and half as many where there are more lists than that
ROUNDS = 6  # of the lists' training


def lists_for(count: int) -> int:
    """A power of two, about twice the square root of the count: taking a vector in costs as much as there are lists."""
    return max(1, min(MOST_LISTS, 1 << int(math.log2(max(1.0, 2.1 * math.sqrt(count)))), count // TRAINING))


def bytes_a_vector(dimension: int) -> float:
    """Codes and the vector's number."""
    return min(dimension, WIDTH) / (2 * PART) + 8


class FaissIvfPqIndex(FaissCodedIndex):
    """``faiss.IndexIVFPQFastScan`` behind a ``faiss.PCAMatrix``."""

    start: ClassVar[IndexSettings] = IndexSettings(effort=32, factor=20.0)
    fewest: ClassVar[int] = FEWEST
    next_up: ClassVar[str | None] = "faiss-hnsw"

    @classmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""
        # 30 000 and 100 000 vectors of 608 numbers: built in 2.9 and 5.6 s, a query takes 1.1 and 1.6 ms.
        width = min(dimension, WIDTH)
        lists = min(16_384.0, 1.6 * math.sqrt(max(1, count)))
        size = count * (width / 4 + 8) + 4 * lists * width
        training = 6 * 40 * lists * lists * width * 2 / 2e10
        coding = count * (lists * width * 2 / 2e10 + 1e-5)
        build_s = 2.0 + training + coding
        return Estimate(size, size + 4.0 * count * dimension, build_s, 1.6 * growth(count, 0.35))

    @property
    def _lists(self) -> int:
        return int(faiss.extract_index_ivf(self._index).nlist)

    def efforts(self) -> Sequence[int]:
        """Lists that are read."""
        lists = self._lists
        tried = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
        return [effort for effort in tried if effort <= lists]

    def depths(self, _effort: int) -> tuple[int, int]:
        """Half-byte codes are coarse, so many candidates are looked at again."""
        return 200, 800

    def cost(self, effort: int, depth: int) -> float:
        """Lists in passing, the candidates' vectors one by one."""
        read = min(1.0, effort / self._lists) * len(self) * bytes_a_vector(self.dimension)
        lists = 4.0 * self._lists * min(self.dimension, WIDTH)
        return lists + read + SCATTER * depth * 4.0 * self.dimension

    def _effort_for(self, effort: int, depth: int) -> int:
        enough = math.ceil(4 * depth * self._lists / max(1, len(self)))
        return min(self._lists, max(effort, enough))

    def _parameters(self, effort: int, selector: Any) -> Any:
        lists = faiss.SearchParametersIVF(nprobe=min(effort, self._lists), sel=selector)
        return faiss.SearchParametersPreTransform(index_params=lists)

    @classmethod
    def _empty(cls, vectors: Vectors) -> Any:
        dimension, lists = vectors.shape[1], lists_for(len(vectors))
        width = min(dimension, WIDTH) if fits(vectors, min(dimension, WIDTH)) else dimension
        coarse = faiss.IndexFlatL2(width)
        parts = max(1, width // PART)
        inverted = faiss.IndexIVFPQFastScan(coarse, width, lists, parts, 4)
        inverted.own_fields = True
        coarse.this.disown()
        index = faiss.IndexPreTransform(inverted)
        if width < dimension:
            index.prepend_transform(projection(vectors, width, balanced=True))
        inverted.cp.niter = ROUNDS
        inverted.cp.max_points_per_centroid = 256
        inverted.cp.min_points_per_centroid = 1
        chosen = sample(vectors, max(20_000, TRAINING * min(lists, (lists + FLAT_LISTS) // 2)))
        # Sixteen values a code want sixteen vectors at the least; fewer teach as much when they come again.
        index.train(np.resize(chosen, (max(len(chosen), 64), dimension)))
        return index

    @classmethod
    def _finish(cls, index: Any) -> None:
        """Find the nearest of many lists by a graph: quicker for a query, and slower for a block of vectors."""
        inverted = faiss.extract_index_ivf(index)
        if inverted.nlist <= FLAT_LISTS:
            return
        compared = faiss.downcast_index(inverted.quantizer)
        graph = faiss.IndexHNSWFlat(inverted.d, 32)
        graph.hnsw.efSearch = 256
        graph.add(compared.reconstruct_n(0, inverted.nlist))
        inverted.quantizer = graph
        graph.this.disown()
        compared.this.own(True)  # as nothing else owns it any more

    @classmethod
    def _is_ours(cls, index: Any) -> bool:
        return isinstance(index, faiss.IndexPreTransform) and isinstance(
            faiss.downcast_index(index.index), faiss.IndexIVFPQFastScan
        )
