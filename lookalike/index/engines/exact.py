"""Exact search in numpy: the reference that every other engine is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import IndexSettings, Mask, Neighbours, ProgressCallback, Vectors
from lookalike.index.brute_force import scan
from lookalike.index.engines.vectors_only_file import check_shape, scan_estimate, write_shape
from lookalike.index.index_types import Estimate
from lookalike.index.vector_check import check_mask, check_vectors


class ExactIndex:
    """All inner products, by blocks of rows."""

    is_exact: ClassVar[bool] = True
    is_reference: ClassVar[bool] = True
    min_vectors: ClassVar[int] = 0
    next_up: ClassVar[str | None] = None

    def __init__(self, vectors: Vectors) -> None:
        self._vectors: Vectors = np.asarray(vectors)

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
        return scan(self._vectors, queries, k, mask=mask)

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
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IndexDamagedError(f"{path} cannot be read as an exact index: {error}", subject=str(path)) from error
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise IndexDamagedError(f"{path} holds no float32 vectors", subject=str(path))
    return vectors.shape[0], vectors.shape[1]
