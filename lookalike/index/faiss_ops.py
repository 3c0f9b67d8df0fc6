"""FAISS's own functions over float32 rows wherever they lie: in memory, or in a mapped file that several workers share.

They take addresses, so nothing is copied; FAISS's index objects would each hold the vectors a second time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import Mask, Neighbours, Positions, Vectors, empty_neighbours, ranked
from lookalike.storage import disk_full_error

# The wheel's stubs describe the C++ signatures; its Python layer accepts arrays and keywords instead.
faiss: Any = untyped_faiss


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads in this block; the number belongs to the calling thread alone."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def all_threads() -> int:
    """One thread a core that this process may use."""
    return len(os.sched_getaffinity(0))


class Selector:
    """A mask as FAISS reads it; keeps the bitmap alive as long as the selector."""

    def __init__(self, allowed: Mask) -> None:
        self._bitmap = np.packbits(allowed, bitorder="little")
        self.native: Any = faiss.IDSelectorBitmap(self._bitmap)


def nearest(vectors: Vectors, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
    """The k best rows of contiguous ``vectors`` (n, D) for each of contiguous ``queries`` (m, D); exact."""
    answer = empty_neighbours(len(queries), k)
    depth = min(k, len(vectors))
    if depth == 0 or len(queries) == 0:
        return answer
    scores = np.empty((len(queries), depth), dtype=np.float32)
    positions = np.empty((len(queries), depth), dtype=np.int64)
    selector = None if allowed is None else Selector(allowed)
    faiss.knn_inner_product(
        *map(faiss.swig_ptr, (queries, vectors)),
        vectors.shape[1], len(queries), len(vectors), depth,
        *map(faiss.swig_ptr, (scores, positions)),
        None if selector is None else selector.native,
    )  # fmt: skip
    if depth == k and selector is None:
        return ranked(scores, positions)  # all there are: nothing to fill up
    answer.scores[:, :depth] = np.where(positions >= 0, scores, -np.inf)
    answer.positions[:, :depth] = positions
    return ranked(answer.scores, answer.positions)


def scores_at(vectors: Vectors, queries: Vectors, positions: Positions) -> Vectors:
    """The exact score of each of (m, r) positions for its own query, (m, r); -inf where the position is -1."""
    scores = np.empty(positions.shape, dtype=np.float32)
    if positions.size:
        positions = np.ascontiguousarray(positions)
        faiss.fvec_inner_products_by_idx(
            *map(faiss.swig_ptr, (scores, queries, vectors, positions)),
            vectors.shape[1], *positions.shape,
        )  # fmt: skip
    return scores


def among(vectors: Vectors, queries: Vectors, k: int, rows: Positions) -> Neighbours:
    """The k best of a few rows for each query; exact, and it reads no other row."""
    answer = empty_neighbours(len(queries), k)
    for number in range(len(queries)):
        query = queries[number : number + 1]
        found = best(scores_at(vectors, query, rows[None]), rows[None], k)
        answer.scores[number], answer.positions[number] = found.scores[0], found.positions[0]
    return answer


def best(scores: Vectors, positions: Positions, k: int) -> Neighbours:
    """The k best of (m, r) scored positions, filled up to k; r may be below or above k."""
    answer = empty_neighbours(len(scores), k)
    scores = np.where(positions >= 0, np.clip(scores, -1.0, 1.0), -np.inf)
    # Row by row: for one query, which is what a service asks, this takes a third of the time of sorting along an axis.
    for row, (own, places) in enumerate(zip(scores, positions, strict=True)):
        order = np.lexsort((places, -own))[:k]
        answer.scores[row, : len(order)] = own[order]
        answer.positions[row, : len(order)] = places[order]
    return answer


def write(index: Any, path: Path, count: int) -> None:
    """Write an index in FAISS's own format and look whether all of it arrived; raises OSError."""
    try:
        faiss.write_index(index, str(path))
        # Its last buffer may fail unsaid on a full disk, so what was written is looked at again.
        written = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC).ntotal
    except RuntimeError as error:
        raise _system_error(error, path) from error
    if written != count:
        raise OSError(errno.EIO, f"{written} of {count} vectors were written", str(path))


def read(path: Path) -> Any:
    """Map the index that ``write`` wrote; raises IndexDamagedError naming the file."""
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise IndexDamagedError(f"{path} cannot be read as a FAISS index", subject=str(path)) from error


def _system_error(error: RuntimeError, path: Path) -> OSError:
    """FAISS has one class for all failures; the system's own words are within its message."""
    system = disk_full_error(error) or OSError(errno.EIO, str(error))
    return OSError(system.errno, system.strerror, str(path))
