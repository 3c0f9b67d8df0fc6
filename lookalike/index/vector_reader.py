"""Single rows of a mapped file of vectors, fetched from the disk together and without what lies around them.

Where a mapped file is read, systems read ahead, up to megabytes for a row of two kilobytes. Measured on 24 GB of
vectors, four hundred rows that were not in memory took 2 to 4 s so, 40 to 90 ms with nothing read ahead, and 6 to 20 ms
where all of them were asked for before the first was read.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np

from lookalike.index.base import Positions, Vectors


@dataclass(frozen=True)
class Rows:
    """(n, D) float32 ``vectors`` that are read one here and one there; made by ``of``."""

    vectors: Vectors
    _mapping: mmap.mmap | None = None
    _offset: int = 0

    @classmethod
    def of(cls, vectors: Vectors) -> Rows:
        """These contiguous vectors; through a mapping of their own if they lie in a mapped file.

        Passes over all of them go on to use the other one, which is read ahead. Raises OSError where the file is gone.
        """
        root = _mapped(vectors)
        if root is None or vectors.size == 0:
            return cls(vectors)
        offset = int(root.offset) + vectors.ctypes.data - root.ctypes.data
        with open(str(root.filename), "rb") as file:  # noqa: PTH123  # numpy has its name as text or as a path
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapping.madvise(mmap.MADV_RANDOM)
        own = np.frombuffer(mapping, np.float32, vectors.size, offset).reshape(vectors.shape)
        return cls(own, mapping, offset)

    def ahead(self, positions: Positions) -> None:
        """Have the rows at these positions (negative ones are none) read from the disk, without waiting for them."""
        if self._mapping is None:
            return
        size = 4 * self.vectors.shape[1]
        starts = self._offset + size * positions[positions >= 0]
        pages = starts - starts % mmap.PAGESIZE
        for page, length in zip(pages.tolist(), (starts + size - pages).tolist(), strict=True):
            self._mapping.madvise(mmap.MADV_WILLNEED, page, length)


def _mapped(vectors: Vectors) -> np.memmap[tuple[int, ...], np.dtype[np.float32]] | None:
    """The mapped file that an array is a view of, from its first row on; None if it is of no such file."""
    view: object = vectors
    root = None
    while isinstance(view, np.ndarray):
        if isinstance(view, np.memmap) and view.filename is not None:
            root = view
        view = view.base
    return root if vectors.flags.c_contiguous and vectors.dtype == np.float32 else None
