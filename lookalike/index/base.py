"""The port to a vector index: positions inside, cosine scores out; ids and keys are other people's business."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.errors import VectorsInvalidError
from lookalike.short_repr import ShortRepr

Vectors = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_QUICK = 4096  # numbers
Tell = Callable[[str, int, int], None]
"""Told of work under way: what is done, how much of it, of how much."""


def untold(_what: str, _done: int, _total: int) -> None:
    """The ``Tell`` of who does not listen."""


@dataclass(frozen=True, slots=True, repr=False)
class Neighbours(ShortRepr):
    """The answer to n queries: ``scores`` (n, k) float32 in [-1, 1], ``positions`` (n, k) int64.

    Rows are sorted by falling score, equal scores by rising position. Where an index has fewer than k vectors that
    may be answered, the rest of a row holds position -1 and score -inf.
    """

    scores: Vectors
    positions: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How hard an index searches; an exact one has no use for it.

    ``effort`` is what the walk costs: candidates kept on a graph (ef), or lists read (nprobe). ``factor`` is how many
    candidates are scored again, exactly, for each neighbour that is asked for; at least 1.
    """

    effort: int = 1
    factor: float = 1.0


class VectorIndex(Protocol):
    """Unit vectors, fixed when the index was made; a vector's position is its name.

    ``search`` is safe from several threads at once and uses one thread a call.
    """

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def __len__(self) -> int:
        """Number of vectors."""

    def search(self, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """The k best by inner product for each of (n, dimension) queries, k at least 1.

        ``allowed`` is (len(self),) bool; a position that is False is never answered. Raises VectorsInvalidError.
        """

    def save(self, path: Path) -> None:
        """Write to one file what the index needs beside the vectors; raises OSError if it cannot be written."""


class TunableIndex(VectorIndex, Protocol):
    """An index that finds most of the neighbours, and more of them the harder it searches."""

    settings: IndexSettings

    def efforts(self) -> Sequence[int]:
        """Efforts worth trying, rising."""

    def depths(self, effort: int, /) -> tuple[int, int]:
        """The least and the most candidates of a search of this effort that are worth scoring again."""

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """(n, depth) positions, those first that look best, -1 where there are no more."""

    def cost(self, effort: int, depth: int, /) -> float:
        """Bytes that a query reads: what settings are weighed by, since time depends on who else is at work."""


def check_vectors(vectors: Vectors, dimension: int) -> Vectors:
    """The same rows, contiguous; raises VectorsInvalidError unless they are finite (n, dimension) float32."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise VectorsInvalidError(f"expected vectors of shape (n, {dimension}), got {vectors.shape}", subject="vectors")
    if vectors.dtype != np.float32:
        raise VectorsInvalidError(f"expected float32 vectors, got {vectors.dtype}", subject="vectors")
    if not _finite(vectors):
        raise VectorsInvalidError("vectors hold NaN or infinite numbers", subject="vectors")
    return np.ascontiguousarray(vectors)


def _finite(vectors: Vectors) -> bool:
    # A sum of squares is the quickest look at a query. It may be infinite of finite numbers too, which the second look
    # tells; and where there are many numbers it would be shared among threads, which a search must not use.
    if vectors.size <= _QUICK and math.isfinite(np.vdot(vectors, vectors)):
        return True
    return bool(np.isfinite(vectors).all())


def check_mask(allowed: Mask | None, count: int) -> None:
    """Raises VectorsInvalidError unless ``allowed`` is None or (count,) bool."""
    if allowed is not None and (allowed.shape != (count,) or allowed.dtype != np.bool_):
        raise VectorsInvalidError(
            f"expected a mask of shape ({count},) and dtype bool, got {allowed.shape} {allowed.dtype}",
            subject="allowed",
        )


def empty_neighbours(queries: int, k: int) -> Neighbours:
    """An answer with no neighbour in it, of shape (queries, k)."""
    return Neighbours(
        scores=np.full((queries, k), -np.inf, dtype=np.float32),
        positions=np.full((queries, k), -1, dtype=np.int64),
    )


def ranked(scores: Vectors, positions: npt.NDArray[np.int64]) -> Neighbours:
    """Sort each row by falling score, then rising position, and clip scores into [-1, 1] where they are finite."""
    if (scores[:, :-1] > scores[:, 1:]).all() and np.isfinite(scores).all():
        return Neighbours(np.clip(scores, -1.0, 1.0), positions)
    clipped = np.where(np.isfinite(scores), np.clip(scores, -1.0, 1.0), -np.inf).astype(np.float32)
    ties = np.where(positions < 0, np.iinfo(np.int64).max, positions)
    order = np.lexsort((ties, -clipped), axis=-1)
    return Neighbours(
        scores=np.take_along_axis(clipped, order, axis=-1),
        positions=np.take_along_axis(positions, order, axis=-1),
    )
