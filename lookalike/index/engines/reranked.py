"""What the approximate engines share: FAISS finds candidates in its codes, and their own vectors score them.

So scores are exact cosines, a picture finds itself at 1.000 whatever the codes have lost, and the vectors are those of
the snapshot's mapped file. Codes are compared by L2 distance, which ranks unit vectors as the cosine does, and goes on
to do so where a projection has taken off their mean.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lookalike.errors import IndexDamagedError
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
from lookalike.index.native import (
    Selector,
    all_threads,
    among,
    best,
    nearest,
    read,
    scores_at,
    threads,
    write,
)

BLOCK = 16_384  # vectors that are coded at once
SCATTER = 3.0  # a row of its own costs so many times what a row in passing does, where memory is busy


class RerankedIndex(ABC):
    """A FAISS index of codes over vectors that stay where they are."""

    start: ClassVar[IndexSettings]
    """What is searched with until it has been tuned."""

    def __init__(self, index: Any, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        self._index = index
        self._vectors: Vectors = np.ascontiguousarray(vectors)
        self.settings = settings or self.start

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return int(self._vectors.shape[0])

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
    def _effort_for(self, effort: int, depth: int, /) -> int:
        """At least ``effort``, and enough to find ``depth`` candidates."""

    @abstractmethod
    def _parameters(self, effort: int, selector: Any, /) -> Any:
        """FAISS's search parameters for one request; nothing is set on the shared index."""

    @classmethod
    @abstractmethod
    def _empty(cls, vectors: Vectors) -> Any:
        """A trained FAISS index to which these vectors can be added."""

    @classmethod
    def _add(cls, index: Any, vectors: Vectors) -> None:
        """Take a block of vectors in."""
        index.add(vectors)

    def search(self, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """See VectorIndex.search."""
        queries = check_vectors(queries, self.dimension)
        check_mask(allowed, len(self))
        reachable = len(self) if allowed is None else int(np.count_nonzero(allowed))
        depth = math.ceil(k * self.settings.factor)
        effort = self._effort_for(self.settings.effort, depth)
        with threads(1):
            if not self._pays(effort, depth, reachable):
                return self._exactly(queries, k, allowed, reachable)
            selector = None
            if allowed is not None:
                selector = Selector(allowed)
                effort = min(len(self), math.ceil(effort * len(self) / reachable))
            found = self._rescored(queries, self._find(queries, effort, depth, selector), k)
            self._fill(found, queries, k, allowed, reachable)
        return found

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """See TunableIndex.candidates."""
        with threads(1):
            return self._find(check_vectors(queries, self.dimension), effort, depth, None)

    def save(self, path: Path) -> None:
        """Write FAISS's own format: codes and what finds them, without the vectors."""
        write(self._index, path, len(self))

    @classmethod
    def build(cls, vectors: Vectors, tell: Tell) -> Self:
        """Train on a sample of (n, D) unit vectors, then take them in block by block; n is at least 1."""
        with threads(all_threads()):
            index = cls._empty(vectors)
            for start in range(0, len(vectors), BLOCK):
                cls._add(index, np.ascontiguousarray(vectors[start : start + BLOCK]))
                tell("building the index", min(start + BLOCK, len(vectors)), len(vectors))
        return cls(index, vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map what ``save`` wrote; raises IndexDamagedError if it is not that, or is of other vectors."""
        index = read(path)
        if not cls._is_ours(index) or (int(index.ntotal), int(index.d)) != vectors.shape:
            raise IndexDamagedError(f"{path} is not an index of the vectors beside it", subject=str(path))
        return cls(index, vectors, settings)

    @classmethod
    @abstractmethod
    def _is_ours(cls, index: Any) -> bool:
        """Whether a FAISS index is of this engine's type."""

    def _pays(self, effort: int, depth: int, reachable: int) -> bool:
        """Whether searching the codes reads less than passing over every row that may be answered.

        With a mask the walk goes on until it has seen as many rows that pass as it would have seen rows.
        """
        if reachable == 0:
            return False
        row = 4.0 * self.dimension
        whole = len(self) == reachable
        return self.cost(effort, depth) * len(self) / reachable < reachable * row * (1.0 if whole else SCATTER)

    def _exactly(self, queries: Vectors, k: int, allowed: Mask | None, reachable: int) -> Neighbours:
        if allowed is None or reachable * SCATTER > len(self):
            return nearest(self._vectors, queries, k, allowed=allowed)
        return among(self._vectors, queries, k, np.flatnonzero(allowed))

    def _find(self, queries: Vectors, effort: int, depth: int, selector: Selector | None) -> Positions:
        parameters = self._parameters(effort, None if selector is None else selector.native)
        return self._walk(queries, min(depth, len(self)), parameters)

    def _walk(self, queries: Vectors, depth: int, parameters: Any) -> Positions:
        """Positions of the codes that are nearest to the queries."""
        positions: Positions = self._index.search(queries, depth, params=parameters)[1]
        return positions

    def _rescored(self, queries: Vectors, positions: Positions, k: int) -> Neighbours:
        return best(scores_at(self._vectors, queries, positions), positions, k)

    def _fill(self, found: Neighbours, queries: Vectors, k: int, allowed: Mask | None, reachable: int) -> None:
        """Answer exactly where the walk ended before it had k: K means K."""
        short = np.flatnonzero(np.count_nonzero(found.positions >= 0, axis=1) < min(k, reachable))
        if len(short):
            rest = self._exactly(np.ascontiguousarray(queries[short]), k, allowed, reachable)
            found.scores[short], found.positions[short] = rest.scores, rest.positions
