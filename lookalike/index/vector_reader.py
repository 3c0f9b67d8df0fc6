"""Single rows of a mapped file of vectors, read from the disk in parallel and without read-ahead.

The kernel reads ahead in a mapped file, up to megabytes for a row of two kilobytes. Measured on 24 GB of vectors, four
hundred rows that were not in memory took 2 to 4 s that way, 40 to 90 ms without read-ahead, and 6 to 20 ms if all of
them were prefetched before the first was read.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np

from lookalike.index.base import Positions, Vectors


@dataclass(frozen=True)
class VectorReader:
    """(n, D) float32 ``vectors`` for random access to single rows; created by ``open``."""

    vectors: Vectors
    _mapping: mmap.mmap | None = None
    _offset: int = 0

    @classmethod
    def open(cls, vectors: Vectors) -> VectorReader:
        """A reader of contiguous vectors; with a second mapping of their file if they are of a mapped one.

        Scans keep using the first mapping, which has read-ahead. Raises OSError if the file is gone.
        """
        root = _mapped_file(vectors)
        if root is None or vectors.size == 0:
            return cls(vectors)
        offset = int(root.offset) + vectors.ctypes.data - root.ctypes.data
        with open(str(root.filename), "rb") as file:  # noqa: PTH123  # numpy has its name as text or as a path
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapping.madvise(mmap.MADV_RANDOM)
        own = np.frombuffer(mapping, np.float32, vectors.size, offset).reshape(vectors.shape)
        return cls(own, mapping, offset)

    def prefetch(self, positions: Positions) -> None:
        """Start reading the rows at these positions (negative ones are skipped) from the disk, without waiting."""
        if self._mapping is None:
            return
        size = 4 * self.vectors.shape[1]
        starts = self._offset + size * positions[positions >= 0]
        pages = starts - starts % mmap.PAGESIZE
        for page, length in zip(pages.tolist(), (starts + size - pages).tolist(), strict=True):
            self._mapping.madvise(mmap.MADV_WILLNEED, page, length)


def _mapped_file(vectors: Vectors) -> np.memmap[tuple[int, ...], np.dtype[np.float32]] | None:
    """The mapped file of which an array is a view; None if there is none."""
    view: object = vectors
    root = None
    while isinstance(view, np.ndarray):
        if isinstance(view, np.memmap) and view.filename is not None:
            root = view
        view = view.base
    return root if vectors.flags.c_contiguous and vectors.dtype == np.float32 else None
