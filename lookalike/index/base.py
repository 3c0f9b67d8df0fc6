"""The port to a vector index: positions and cosine scores. Ids and keys are the catalogue's and the snapshot's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.short_repr import ShortRepr

Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
ProgressCallback = Callable[[str, int, int], None]
"""Called with the stage of a long operation, how many steps are completed, and how many there are in all."""


def ignore_progress(_stage: str, _completed: int, _total: int) -> None:
    """A ``ProgressCallback`` that does nothing."""


@dataclass(frozen=True, slots=True, repr=False)
class Neighbours(ShortRepr):
    """The results of n queries: ``scores`` (n, k) float32 in [-1, 1], ``positions`` (n, k) int64.

    Rows are sorted by descending score, equal scores by ascending position. Where fewer than k vectors can be returned,
    the rest of a row is position -1 and score -inf.
    """

    scores: Scores
    positions: Positions


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """The search parameters of an approximate index; an exact one has none.

    ``effort`` is the size of a graph's candidate queue (ef), or the number of lists that are read (nprobe). ``factor``
    is how many candidates are scored again, exactly, for each of the k neighbours; at least 1.
    """

    effort: int = 1
    factor: float = 1.0


class VectorIndex(Protocol):
    """Unit vectors, fixed when the index was built; a vector is identified by its position.

    ``search`` is safe from several threads at once and uses one thread a call.
    """

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def __len__(self) -> int:
        """Number of vectors."""

    def search(self, queries: Vectors, k: int, *, mask: Mask | None = None) -> Neighbours:
        """The k best by inner product for each of (n, dimension) queries, k at least 1.

        ``mask`` is (len(self),) bool; a position that is False is never returned. Raises VectorsInvalidError.
        """

    def save(self, path: Path) -> None:
        """Write to one file all that the index needs besides the vectors; raises OSError if it cannot be written."""


class TunableIndex(VectorIndex, Protocol):
    """An approximate index, whose recall grows with the effort of its search."""

    settings: IndexSettings

    def efforts(self) -> Sequence[int]:
        """Efforts worth trying, in ascending order."""

    def depths(self, effort: int, /) -> tuple[int, int]:
        """The smallest and the largest number of candidates worth scoring again after a search of this effort."""

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """(n, depth) positions by descending approximate score, -1 where there are no more."""

    def cost(self, effort: int, depth: int, /) -> float:
        """Bytes that a query reads: settings are compared by it, since time depends on the load of the machine."""
