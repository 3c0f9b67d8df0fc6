"""FAISS's exact scan behind the port: fast, and linear in the number of vectors.

FAISS knows positions only. Ids stand beside the index, in the snapshot, because FAISS's own id maps shift ids when
vectors are removed, and removal is answered by the ``allowed`` bitmap instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import IndexSettings, Mask, Neighbours, Tell, Vectors, check_mask, check_vectors
from lookalike.index.engines.vectors_only_file import check_note, scan_estimate, write_note
from lookalike.index.faiss_ops import among, faiss, nearest, read, threads
from lookalike.index.index_types import Estimate

FEW = 0.2
"""Below this share of the rows, reading them one by one is faster than passing over all of them."""


class FaissFlatIndex:
    """Inner products with all vectors, where they lie."""

    is_exact: ClassVar[bool] = True
    is_reference: ClassVar[bool] = False
    fewest: ClassVar[int] = 0
    next_up: ClassVar[str | None] = None

    def __init__(self, vectors: Vectors) -> None:
        self._vectors: Vectors = np.ascontiguousarray(vectors)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return int(self._vectors.shape[0])

    def search(self, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """See VectorIndex.search."""
        queries = check_vectors(queries, self.dimension)
        check_mask(allowed, len(self))
        with threads(1):
            if allowed is not None and np.count_nonzero(allowed) < FEW * len(self):
                return among(self._vectors, queries, k, np.flatnonzero(allowed))
            return nearest(self._vectors, queries, k, allowed=allowed)

    def save(self, path: Path) -> None:
        """Write a note: the vectors themselves are the index."""
        write_note(path, self._vectors)

    @classmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""
        return scan_estimate(count, dimension)

    @classmethod
    def build(cls, vectors: Vectors, _tell: Tell) -> Self:
        """See IndexType.build."""
        return cls(vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, _settings: IndexSettings | None) -> Self:
        """The index over these vectors; raises IndexDamagedError if the file is of others."""
        check_note(path, vectors, _old_shape)
        return cls(vectors)


def _old_shape(path: Path) -> tuple[int, int]:
    index = read(path)
    if not isinstance(index, faiss.IndexFlat) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise IndexDamagedError(f"{path} is not a flat inner-product index", subject=str(path))
    return int(index.ntotal), int(index.d)
