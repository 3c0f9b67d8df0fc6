"""FAISS's functions over float32 rows in memory or in a mapped file that several workers share.

They take addresses, so nothing is copied; each of FAISS's index objects would hold a copy of the vectors.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import Mask, Neighbours, Positions, Scores, Vectors
from lookalike.index.ranking import empty_neighbours, rank
from lookalike.storage import disk_full_error

# The wheel's stubs describe the C++ signatures; its Python layer accepts arrays and keywords instead.
faiss: Any = untyped_faiss


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Let FAISS use ``count`` threads in this block; the setting is that of the calling thread alone."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class Selector:
    """A mask in FAISS's form; keeps the bitmap alive as long as the selector."""

    def __init__(self, mask: Mask) -> None:
        self._bitmap = np.packbits(mask, bitorder="little")
        self.native: Any = faiss.IDSelectorBitmap(self._bitmap)


def search_all(vectors: Vectors, queries: Vectors, k: int, *, mask: Mask | None = None) -> Neighbours:
    """The k best rows of contiguous ``vectors`` (n, D) for each of contiguous ``queries`` (m, D); exact."""
    neighbours = empty_neighbours(len(queries), k)
    depth = min(k, len(vectors))
    if depth == 0 or len(queries) == 0:
        return neighbours
    scores = np.empty((len(queries), depth), dtype=np.float32)
    positions = np.empty((len(queries), depth), dtype=np.int64)
    selector = None if mask is None else Selector(mask)
    faiss.knn_inner_product(
        *map(faiss.swig_ptr, (queries, vectors)),
        vectors.shape[1], len(queries), len(vectors), depth,
        *map(faiss.swig_ptr, (scores, positions)),
        None if selector is None else selector.native,
    )  # fmt: skip
    if depth == k and selector is None:
        return rank(scores, positions)  # no padding needed
    neighbours.scores[:, :depth] = np.where(positions >= 0, scores, -np.inf)
    neighbours.positions[:, :depth] = positions
    return rank(neighbours.scores, neighbours.positions)


def scores_at(vectors: Vectors, queries: Vectors, positions: Positions) -> Scores:
    """The exact score of each of (m, r) positions for its own query, (m, r); -inf where the position is -1."""
    scores = np.empty(positions.shape, dtype=np.float32)
    if positions.size:
        positions = np.ascontiguousarray(positions)
        faiss.fvec_inner_products_by_idx(
            *map(faiss.swig_ptr, (scores, queries, vectors, positions)),
            vectors.shape[1], *positions.shape,
        )  # fmt: skip
    return scores


def search_rows(vectors: Vectors, queries: Vectors, k: int, positions: Positions) -> Neighbours:
    """The k best of a few rows for each query; exact, reading no other row."""
    results = empty_neighbours(len(queries), k)
    for row in range(len(queries)):
        query = queries[row : row + 1]
        neighbours = select_best(scores_at(vectors, query, positions[None]), positions[None], k)
        results.scores[row], results.positions[row] = neighbours.scores[0], neighbours.positions[0]
    return results


def select_best(scores: Scores, positions: Positions, k: int) -> Neighbours:
    """The k best of (m, r) scored positions, padded to k; r may be below or above k."""
    neighbours = empty_neighbours(len(scores), k)
    scores = np.where(positions >= 0, np.clip(scores, -1.0, 1.0), -np.inf)
    # Row by row: for one query, as in the service, this takes a third of the time of sorting along an axis.
    for row, (row_scores, row_positions) in enumerate(zip(scores, positions, strict=True)):
        order = np.lexsort((row_positions, -row_scores))[:k]
        neighbours.scores[row, : len(order)] = row_scores[order]
        neighbours.positions[row, : len(order)] = row_positions[order]
    return neighbours


def write_index(index: Any, path: Path, count: int) -> None:
    """Write an index in FAISS's own format and check that it is complete; raises OSError."""
    try:
        faiss.write_index(index, str(path))
        # FAISS does not report a failure of the last buffer on a full disk, so the file is opened again.
        written_count = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC).ntotal
    except RuntimeError as error:
        raise _system_error(error, path) from error
    if written_count != count:
        raise OSError(errno.EIO, f"{written_count} of {count} vectors were written", str(path))


def read_index(path: Path) -> Any:
    """Map the index that ``write_index`` wrote; raises IndexDamagedError naming the file."""
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise IndexDamagedError(f"{path} cannot be read as a FAISS index", subject=str(path)) from error


def _system_error(error: RuntimeError, path: Path) -> OSError:
    """FAISS raises one class for all failures; the system's message is part of its own."""
    os_error = disk_full_error(error) or OSError(errno.EIO, str(error))
    return OSError(os_error.errno, os_error.strerror, str(path))
