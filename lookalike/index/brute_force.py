"""Exact search over an array of vectors, by blocks: memory use does not grow with the number of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Mask, Neighbours, Scores, Vectors
from lookalike.index.ranking import empty_neighbours, rank

BLOCK_ROWS = 65_536  # rows scored at a time
MAX_SCORES = 1 << 20  # scores in memory at a time; ranking them takes some ten times their memory


def scan(vectors: Vectors, queries: Vectors, k: int, *, mask: Mask | None = None) -> Neighbours:
    """The k best rows of ``vectors`` (n, D) for each of ``queries`` (m, D), all float32; see VectorIndex.search."""
    best = empty_neighbours(len(queries), k)
    queries_at_once = max(1, MAX_SCORES // max(1, min(BLOCK_ROWS, len(vectors))))
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS]
        excluded = None if mask is None else ~mask[start : start + BLOCK_ROWS]
        for first in range(0, len(queries), queries_at_once):
            part = slice(first, first + queries_at_once)
            scores = queries[part] @ block.T
            if excluded is not None:
                scores[:, excluded] = -np.inf
            positions = np.broadcast_to(np.arange(start, start + len(block), dtype=np.int64), scores.shape)
            before = Neighbours(best.scores[part], best.positions[part])
            after = _merge(before, Neighbours(scores, positions), k)
            best.scores[part], best.positions[part] = after.scores, after.positions
    return best


def _merge(first: Neighbours, second: Neighbours, k: int) -> Neighbours:
    """The k best of two results of the same queries; positions that score -inf become -1."""
    scores = np.concatenate([first.scores, second.scores], axis=1)
    positions = np.concatenate([first.positions, second.positions], axis=1)
    positions = np.where(np.isfinite(scores), positions, -1)
    merged = rank(scores, positions) if scores.shape[1] <= 4 * k else _rank_candidates(scores, positions, k)
    return Neighbours(merged.scores[:, :k], merged.positions[:, :k])


def _rank_candidates(scores: Scores, positions: npt.NDArray[np.int64], k: int) -> Neighbours:
    """``rank`` of the columns that can be among the k best, including ties at the k-th score."""
    kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    keep = (scores >= kth).any(axis=0)
    return rank(scores[:, keep], positions[:, keep])
