"""FAISS's exact scan: its time is linear in the number of vectors.

FAISS returns positions. The ids are in the snapshot, because FAISS's own id maps shift when vectors are removed;
removed vectors are excluded by the mask instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import IndexSettings, Mask, Neighbours, ProgressCallback, Vectors
from lookalike.index.engines.vectors_only_file import check_shape, scan_estimate, write_shape
from lookalike.index.faiss_ops import faiss, read_index, search_all, search_rows, use_threads
from lookalike.index.index_types import Estimate
from lookalike.index.vector_check import check_mask, check_vectors

SPARSE_MASK_SHARE = 0.2
"""Share of the rows below which reading them one by one is faster than a scan of all."""


class FaissFlatIndex:
    """Inner products with all vectors, without a copy of them."""

    is_exact: ClassVar[bool] = True
    is_reference: ClassVar[bool] = False
    min_vectors: ClassVar[int] = 0
    next_up: ClassVar[str | None] = None

    def __init__(self, vectors: Vectors) -> None:
        self._vectors: Vectors = np.ascontiguousarray(vectors)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return int(self._vectors.shape[0])

    def search(self, queries: Vectors, k: int, *, mask: Mask | None = None) -> Neighbours:
        """See VectorIndex.search."""
        queries = check_vectors(queries, self.dimension)
        check_mask(mask, len(self))
        with use_threads(1):
            if mask is not None and np.count_nonzero(mask) < SPARSE_MASK_SHARE * len(self):
                return search_rows(self._vectors, queries, k, np.flatnonzero(mask))
            return search_all(self._vectors, queries, k, mask=mask)

    def save(self, path: Path) -> None:
        """Write only the shape: the vectors themselves are the index."""
        write_shape(path, self._vectors)

    @classmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""
        return scan_estimate(count, dimension)

    @classmethod
    def build(cls, vectors: Vectors, _report_progress: ProgressCallback) -> Self:
        """See IndexType.build."""
        return cls(vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, _settings: IndexSettings | None) -> Self:
        """The index over these vectors; raises IndexDamagedError if the file is of others."""
        check_shape(path, vectors, _old_shape)
        return cls(vectors)


def _old_shape(path: Path) -> tuple[int, int]:
    index = read_index(path)
    if not isinstance(index, faiss.IndexFlat) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise IndexDamagedError(f"{path} is not a flat inner-product index", subject=str(path))
    return int(index.ntotal), int(index.d)
