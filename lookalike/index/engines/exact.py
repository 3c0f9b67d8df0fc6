"""Exact search in numpy: the reference that every other engine is measured against, and the append segment's engine."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import Mask, Neighbours, Vectors, check_mask, check_vectors
from lookalike.index.npy import write_npy
from lookalike.index.scan import scan


class ExactIndex:
    """All inner products, by blocks of rows."""

    def __init__(self, dimension: int) -> None:
        self._vectors: Vectors = np.empty((0, dimension), dtype=np.float32)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return int(self._vectors.shape[0])

    def add(self, vectors: Vectors) -> None:
        """Append (n, dimension) float32 rows of unit length."""
        rows = check_vectors(vectors, self.dimension)
        self._vectors = rows.copy() if len(self) == 0 else np.concatenate([self._vectors, rows])

    def search(self, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """See VectorIndex.search."""
        queries = check_vectors(queries, self.dimension)
        check_mask(allowed, len(self))
        return scan(self._vectors, queries, k, allowed=allowed)

    def save(self, path: Path) -> None:
        """Write the vectors as a .npy file."""
        write_npy(path, self._vectors.shape, np.float32, [self._vectors])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Map the file that ``save`` wrote; raises IndexDamagedError naming it."""
        try:
            vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise IndexDamagedError(f"{path} cannot be read as an exact index: {error}", subject=str(path)) from error
        if vectors.ndim != 2 or vectors.dtype != np.float32:
            raise IndexDamagedError(f"{path} holds no float32 vectors", subject=str(path))
        index = cls(int(vectors.shape[1]))
        index._vectors = vectors
        return index
