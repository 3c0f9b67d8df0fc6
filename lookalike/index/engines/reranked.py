"""What the approximate engines share: candidates come from a search of codes, and are scored by their vectors.

So scores are exact cosines, and a picture finds itself at 1.000 whatever the codes have lost; the vectors are those of
the snapshot's mapped file. Codes are compared by L2 distance, which ranks unit vectors as the cosine does, also after a
projection has subtracted their mean.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lookalike.index.base import IndexSettings, Mask, Neighbours, Positions, ProgressCallback, Vectors
from lookalike.index.faiss_ops import search_all, search_rows, use_threads
from lookalike.index.index_types import Estimate
from lookalike.index.vector_check import check_mask, check_vectors
from lookalike.index.vector_reader import VectorReader

BLOCK = 16_384  # vectors that are encoded at a time
MIN_VECTORS = 2_000  # vectors below which codes are not worth training
PREFETCH_LIMIT = 2048  # rows; prefetching takes a millisecond for a thousand of them
RANDOM_READ_FACTOR = 3.0  # cost of a random row over that of a row in a scan, with busy memory


def growth(count: int, power: float) -> float:
    """A power of the count in hundreds of thousands, at which times were measured."""
    return float((max(1, count) / 100_000) ** power)


class RerankedIndex(ABC):
    """An index of codes, over vectors that are not copied."""

    is_exact: ClassVar[bool] = False
    is_reference: ClassVar[bool] = False
    min_vectors: ClassVar[int] = 0
    next_up: ClassVar[str | None]
    initial_settings: ClassVar[IndexSettings]
    """The settings until the index has been tuned."""

    def __init__(self, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        self._vectors: Vectors = np.ascontiguousarray(vectors)
        self._reader = VectorReader.open(self._vectors)
        self._count = int(self._vectors.shape[0])
        self._dimension = int(self._vectors.shape[1])
        self.settings = settings or self.initial_settings

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
    def build(cls, vectors: Vectors, report_progress: ProgressCallback) -> Self:
        """Build it of (n, D) unit vectors, n at least 1."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map the file of ``save``; raises IndexDamagedError if it is another one, or of other vectors."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the codes and their graph or lists, without the vectors; raises OSError."""

    @abstractmethod
    def _effort_for(self, effort: int, depth: int, /) -> int:
        """At least ``effort``, and enough to find ``depth`` candidates."""

    @abstractmethod
    def _search_codes(self, queries: Vectors, effort: int, depth: int, k: int, mask: Mask | None, /) -> Neighbours:
        """The k best of the first ``depth`` candidates that ``mask`` admits; fewer if there are no more."""

    def _masked_effort(self, effort: int, _depth: int, share: float) -> int:
        """The effort that finds as many of the rows that a mask admits, a ``share`` of all, as ``effort`` of all."""
        return math.ceil(effort / share)

    def search(self, queries: Vectors, k: int, *, mask: Mask | None = None) -> Neighbours:
        """See VectorIndex.search."""
        queries = check_vectors(queries, self._dimension)
        check_mask(mask, self._count)
        reachable = self._count if mask is None else int(np.count_nonzero(mask))
        depth = math.ceil(k * self.settings.factor)
        effort = self._effort_for(self.settings.effort, depth)
        if not self._is_cheaper_than_scan(effort, depth, reachable):
            return self._search_exactly(queries, k, mask, reachable)
        if mask is not None:
            effort = min(self._count, self._masked_effort(effort, depth, reachable / self._count))
        neighbours = self._search_codes(queries, effort, min(depth, self._count), k, mask)
        self._complete(neighbours, queries, k, mask, reachable)
        return neighbours

    def _is_cheaper_than_scan(self, effort: int, depth: int, reachable: int) -> bool:
        """Whether searching the codes reads less than a scan of every row that the mask admits.

        With a mask the search goes on until as many admitted rows were visited as rows without one.
        """
        if reachable == 0:
            return False
        row = 4.0 * self._dimension * (1.0 if reachable == self._count else RANDOM_READ_FACTOR)
        return self.cost(effort, depth) * self._count / reachable < reachable * row

    def _search_exactly(self, queries: Vectors, k: int, mask: Mask | None, reachable: int) -> Neighbours:
        with use_threads(1):
            if mask is None or reachable * RANDOM_READ_FACTOR > len(self):
                return search_all(self._vectors, queries, k, mask=mask)
            positions = np.flatnonzero(mask)
            if len(positions) > PREFETCH_LIMIT:
                return search_rows(self._vectors, queries, k, positions)
            self._reader.prefetch(positions)
            return search_rows(self._reader.vectors, queries, k, positions)

    def _complete(self, neighbours: Neighbours, queries: Vectors, k: int, mask: Mask | None, reachable: int) -> None:
        """Search exactly for queries with fewer than k neighbours, so that every query gets k."""
        last = min(k, reachable) - 1
        if len(queries) == 1 and neighbours.positions.item(last) >= 0:
            return  # a tenth of the time of the general check below
        incomplete = np.flatnonzero(neighbours.positions[:, last] < 0)
        if len(incomplete):
            exact = self._search_exactly(np.ascontiguousarray(queries[incomplete]), k, mask, reachable)
            neighbours.scores[incomplete], neighbours.positions[incomplete] = exact.scores, exact.positions
