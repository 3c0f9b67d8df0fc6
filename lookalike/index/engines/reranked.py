"""What the approximate engines share: candidates are found among codes, and their own vectors score them.

So scores are exact cosines, a picture finds itself at 1.000 whatever the codes have lost, and the vectors are those of
the snapshot's mapped file. Codes are compared by L2 distance, which ranks unit vectors as the cosine does, and goes on
to do so where a projection has taken off their mean.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lookalike.index.base import (
    IndexSettings,
    Mask,
    Neighbours,
    Positions,
    Tell,
    Vectors,
    check_mask,
    check_vectors,
)
from lookalike.index.faiss_ops import among, nearest, threads
from lookalike.index.index_types import Estimate
from lookalike.index.vector_reader import Rows

BLOCK = 16_384  # vectors that are coded at once
FEWEST = 2_000  # vectors that codes are worth training on
TOGETHER = 2048  # rows that are worth asking for one by one: that takes a millisecond for a thousand
SCATTER = 3.0  # a row of its own costs so many times what a row in passing does, where memory is busy


def growth(count: int, power: float) -> float:
    """A power of the count, in hundreds of thousands: what times were measured at."""
    return float((max(1, count) / 100_000) ** power)


class RerankedIndex(ABC):
    """Codes over vectors that stay where they are."""

    is_exact: ClassVar[bool] = False
    is_reference: ClassVar[bool] = False
    fewest: ClassVar[int] = 0
    next_up: ClassVar[str | None]
    start: ClassVar[IndexSettings]
    """What is searched with until it has been tuned."""

    def __init__(self, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        self._vectors: Vectors = np.ascontiguousarray(vectors)
        self._rows = Rows.of(self._vectors)
        self._count = int(self._vectors.shape[0])
        self._dimension = int(self._vectors.shape[1])
        self.settings = settings or self.start

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def __len__(self) -> int:
        return self._count

    @abstractmethod
    def efforts(self) -> Sequence[int]:
        """See TunableIndex.efforts."""

    @abstractmethod
    def depths(self, effort: int, /) -> tuple[int, int]:
        """See TunableIndex.depths."""

    @abstractmethod
    def cost(self, effort: int, depth: int, /) -> float:
        """See TunableIndex.cost."""

    @abstractmethod
    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """See TunableIndex.candidates."""

    @classmethod
    @abstractmethod
    def estimate(cls, count: int, dimension: int) -> Estimate:
        """See IndexType.estimate."""

    @classmethod
    @abstractmethod
    def build(cls, vectors: Vectors, tell: Tell) -> Self:
        """Make it of (n, D) unit vectors, n at least 1."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map what ``save`` wrote; raises IndexDamagedError if it is not that, or is of other vectors."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the codes and what finds them, without the vectors; raises OSError."""

    @abstractmethod
    def _effort_for(self, effort: int, depth: int, /) -> int:
        """At least ``effort``, and enough to find ``depth`` candidates."""

    @abstractmethod
    def _walked(self, queries: Vectors, effort: int, depth: int, k: int, allowed: Mask | None, /) -> Neighbours:
        """The k best of the first ``depth`` candidates that are allowed; fewer where there are no more."""

    def search(self, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """See VectorIndex.search."""
        queries = check_vectors(queries, self._dimension)
        check_mask(allowed, self._count)
        reachable = self._count if allowed is None else int(np.count_nonzero(allowed))
        depth = math.ceil(k * self.settings.factor)
        effort = self._effort_for(self.settings.effort, depth)
        if not self._pays(effort, depth, reachable):
            return self._exactly(queries, k, allowed, reachable)
        if allowed is not None:
            effort = min(self._count, math.ceil(effort * self._count / reachable))
        found = self._walked(queries, effort, min(depth, self._count), k, allowed)
        self._fill(found, queries, k, allowed, reachable)
        return found

    def _pays(self, effort: int, depth: int, reachable: int) -> bool:
        """Whether searching the codes reads less than passing over every row that may be answered.

        With a mask the walk goes on until it has seen as many rows that pass as it would have seen rows.
        """
        if reachable == 0:
            return False
        row = 4.0 * self._dimension * (1.0 if reachable == self._count else SCATTER)
        return self.cost(effort, depth) * self._count / reachable < reachable * row

    def _exactly(self, queries: Vectors, k: int, allowed: Mask | None, reachable: int) -> Neighbours:
        with threads(1):
            if allowed is None or reachable * SCATTER > len(self):
                return nearest(self._vectors, queries, k, allowed=allowed)
            chosen = np.flatnonzero(allowed)
            if len(chosen) > TOGETHER:
                return among(self._vectors, queries, k, chosen)
            self._rows.ahead(chosen)
            return among(self._rows.vectors, queries, k, chosen)

    def _fill(self, found: Neighbours, queries: Vectors, k: int, allowed: Mask | None, reachable: int) -> None:
        """Answer exactly where the walk ended before it had k: K means K."""
        last = min(k, reachable) - 1
        if len(queries) == 1 and found.positions.item(last) >= 0:
            return  # told in a tenth of the time of what follows
        short = np.flatnonzero(found.positions[:, last] < 0)
        if len(short):
            rest = self._exactly(np.ascontiguousarray(queries[short]), k, allowed, reachable)
            found.scores[short], found.positions[short] = rest.scores, rest.positions
