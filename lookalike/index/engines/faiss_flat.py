"""FAISS's flat inner-product index behind the port: exact, fast, and linear in the number of vectors.

FAISS knows positions only. Ids stand beside the index, in the snapshot, because FAISS's own id maps shift ids when
vectors are removed, and removal is answered by the ``allowed`` bitmap instead.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Self

import faiss as untyped_faiss
import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import (
    Mask,
    Neighbours,
    Vectors,
    check_mask,
    check_vectors,
    empty_neighbours,
    ranked,
)

# The wheel's stubs describe the C++ signatures; its Python layer accepts arrays and keywords instead.
faiss: Any = untyped_faiss


class FaissFlatIndex:
    """``faiss.IndexFlatIP``."""

    def __init__(self, dimension: int) -> None:
        self._index: Any = faiss.IndexFlatIP(dimension)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        """Append (n, dimension) float32 rows of unit length."""
        self._index.add(check_vectors(vectors, self.dimension))

    def search(self, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """See VectorIndex.search."""
        queries = check_vectors(queries, self.dimension)
        check_mask(allowed, len(self))
        if len(self) == 0 or len(queries) == 0:
            return empty_neighbours(len(queries), k)
        depth = min(k, len(self))
        if allowed is None:
            scores, positions = self._index.search(queries, depth)
        else:
            # The selector reads this buffer while the search runs, so both must outlive the call.
            bitmap = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bitmap)
            scores, positions = self._index.search(queries, depth, params=faiss.SearchParameters(sel=selector))
        answer = empty_neighbours(len(queries), k)
        answer.scores[:, :depth] = np.where(positions >= 0, scores, -np.inf)
        answer.positions[:, :depth] = positions
        return ranked(answer.scores, answer.positions)

    def save(self, path: Path) -> None:
        """Write FAISS's own format."""
        try:
            faiss.write_index(self._index, str(path))
            # Its last buffer may fail unsaid on a full disk, so what was written is looked at again.
            written = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC).ntotal
        except RuntimeError as error:
            raise _system_error(error, path) from error
        if written != len(self):
            raise OSError(errno.EIO, f"{written} of {len(self)} vectors were written", str(path))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Map the file that ``save`` wrote; raises IndexDamagedError naming it."""
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise IndexDamagedError(f"{path} cannot be read as a FAISS index", subject=str(path)) from error
        if not isinstance(index, faiss.IndexFlat) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise IndexDamagedError(f"{path} is not a flat inner-product index", subject=str(path))
        loaded = cls(index.d)
        loaded._index = index
        return loaded


def _system_error(error: RuntimeError, path: Path) -> OSError:
    """FAISS has one class for all failures; the system's own words are within its message."""
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if os.strerror(code) in str(error):
            return OSError(code, os.strerror(code), str(path))
    return OSError(errno.EIO, str(error), str(path))
