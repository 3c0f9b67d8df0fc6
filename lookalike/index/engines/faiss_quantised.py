"""What the engines share whose codes FAISS stores and searches, unlike those of the compiled graph search."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np

from lookalike.cores import available_cores
from lookalike.errors import IndexDamagedError
from lookalike.index.base import IndexSettings, Mask, Neighbours, Positions, ProgressCallback, Vectors
from lookalike.index.engines.reranked import BLOCK, RerankedIndex
from lookalike.index.faiss_ops import (
    Selector,
    read_index,
    scores_at,
    select_best,
    use_threads,
    write_index,
)
from lookalike.index.vector_check import check_vectors


class FaissQuantisedIndex(RerankedIndex):
    """A FAISS index of codes."""

    def __init__(self, index: Any, vectors: Vectors, settings: IndexSettings | None = None) -> None:
        super().__init__(vectors, settings)
        self._index = index

    @abstractmethod
    def _parameters(self, effort: int, selector: Any, /) -> Any:
        """FAISS's parameters of one search; none is set on the shared index."""

    @classmethod
    @abstractmethod
    def _train(cls, vectors: Vectors, /) -> Any:
        """A trained FAISS index to which these vectors can be added."""

    @classmethod
    def _finish(cls, index: Any, /) -> None:
        """Called when all vectors have been added."""

    @classmethod
    @abstractmethod
    def _is_own_type(cls, index: Any, /) -> bool:
        """Whether a FAISS index is of this engine's type."""

    @classmethod
    def build(cls, vectors: Vectors, report_progress: ProgressCallback) -> Self:
        """Train on a sample of (n, D) unit vectors, then add all by blocks; n is at least 1."""
        with use_threads(available_cores()):
            index = cls._train(vectors)
            for start in range(0, len(vectors), BLOCK):
                index.add(np.ascontiguousarray(vectors[start : start + BLOCK]))
                report_progress("building the index", min(start + BLOCK, len(vectors)), len(vectors))
            cls._finish(index)
        return cls(index, vectors)

    @classmethod
    def load(cls, path: Path, vectors: Vectors, settings: IndexSettings | None) -> Self:
        """Map the file of ``save``; raises IndexDamagedError if it is another one, or of other vectors."""
        index = read_index(path)
        if not cls._is_own_type(index) or (int(index.ntotal), int(index.d)) != vectors.shape:
            raise IndexDamagedError(f"{path} is not an index of the vectors beside it", subject=str(path))
        return cls(index, vectors, settings)

    def save(self, path: Path) -> None:
        """Write FAISS's own format; raises OSError."""
        write_index(self._index, path, len(self))

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """See TunableIndex.candidates."""
        return self._search_faiss(check_vectors(queries, self.dimension), effort, depth, None)

    def _search_codes(self, queries: Vectors, effort: int, depth: int, k: int, mask: Mask | None) -> Neighbours:
        positions = self._search_faiss(queries, effort, depth, None if mask is None else Selector(mask))
        self._reader.prefetch(positions)
        with use_threads(1):
            return select_best(scores_at(self._reader.vectors, queries, positions), positions, k)

    def _search_faiss(self, queries: Vectors, effort: int, depth: int, selector: Selector | None) -> Positions:
        parameters = self._parameters(effort, None if selector is None else selector.native)
        with use_threads(1):
            positions: Positions = self._index.search(queries, min(depth, len(self)), params=parameters)[1]
        return positions
