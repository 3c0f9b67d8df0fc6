"""Codes that FAISS keeps and searches: what the engines have in common that are not walked by our own library."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np

from lookalike.errors import IndexDamagedError
from lookalike.index.base import IndexSettings, Mask, Neighbours, Positions, Tell, Vectors, check_vectors
from lookalike.index.engines.reranked import BLOCK, RerankedIndex
from lookalike.index.faiss_ops import Selector, all_threads, best, read, scores_at, threads, write


class FaissCodedIndex(RerankedIndex):
    """A FAISS index of codes."""

    def __init__(self, index: Any, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        super().__init__(vectors, settings)
        self._index = index

    @abstractmethod
    def _parameters(self, effort: int, selector: Any, /) -> Any:
        """FAISS's search parameters for one request; nothing is set on the shared index."""

    @classmethod
    @abstractmethod
    def _empty(cls, vectors: Vectors, /) -> Any:
        """A trained FAISS index to which these vectors can be added."""

    @classmethod
    def _finish(cls, index: Any, /) -> None:
        """What remains to do when all vectors are in."""

    @classmethod
    @abstractmethod
    def _is_ours(cls, index: Any, /) -> bool:
        """Whether a FAISS index is of this engine's type."""

    @classmethod
    def build(cls, vectors: Vectors, tell: Tell) -> Self:
        """Train on a sample of (n, D) unit vectors, then take them in block by block; n is at least 1."""
        with threads(all_threads()):
            index = cls._empty(vectors)
            for start in range(0, len(vectors), BLOCK):
                index.add(np.ascontiguousarray(vectors[start : start + BLOCK]))
                tell("building the index", min(start + BLOCK, len(vectors)), len(vectors))
            cls._finish(index)
        return cls(index, vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map what ``save`` wrote; raises IndexDamagedError if it is not that, or is of other vectors."""
        index = read(path)
        if not cls._is_ours(index) or (int(index.ntotal), int(index.d)) != vectors.shape:
            raise IndexDamagedError(f"{path} is not an index of the vectors beside it", subject=str(path))
        return cls(index, vectors, settings)

    def save(self, path: Path) -> None:
        """Write FAISS's own format; raises OSError."""
        write(self._index, path, len(self))

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """See TunableIndex.candidates."""
        return self._found(check_vectors(queries, self.dimension), effort, depth, None)

    def _walked(self, queries: Vectors, effort: int, depth: int, k: int, allowed: Mask | None) -> Neighbours:
        positions = self._found(queries, effort, depth, None if allowed is None else Selector(allowed))
        self._rows.ahead(positions)
        with threads(1):
            return best(scores_at(self._rows.vectors, queries, positions), positions, k)

    def _found(self, queries: Vectors, effort: int, depth: int, selector: Selector | None) -> Positions:
        parameters = self._parameters(effort, None if selector is None else selector.native)
        with threads(1):
            positions: Positions = self._index.search(queries, min(depth, len(self)), params=parameters)[1]
        return positions
