"""Exact search over an array of vectors, by blocks: memory stays flat whatever the number of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Mask, Neighbours, Vectors, empty_neighbours, ranked

BLOCK = 65_536  # rows scored at once
SCORES = 1 << 20  # scores held at once; what ranks them takes some ten times their memory


def scan(vectors: Vectors, queries: Vectors, k: int, *, allowed: Mask | None = None) -> Neighbours:
    """The k best rows of ``vectors`` (n, D) for each of ``queries`` (m, D), all float32; see VectorIndex.search."""
    best = empty_neighbours(len(queries), k)
    together = max(1, SCORES // max(1, min(BLOCK, len(vectors))))  # queries
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        shut = None if allowed is None else ~allowed[start : start + BLOCK]
        for first in range(0, len(queries), together):
            part = slice(first, first + together)
            scores = queries[part] @ block.T
            if shut is not None:
                scores[:, shut] = -np.inf
            positions = np.broadcast_to(np.arange(start, start + len(block), dtype=np.int64), scores.shape)
            before = Neighbours(best.scores[part], best.positions[part])
            after = _best(before, Neighbours(scores, positions), k)
            best.scores[part], best.positions[part] = after.scores, after.positions
    return best


def _best(ours: Neighbours, theirs: Neighbours, k: int) -> Neighbours:
    """The k best of two answers to the same queries; positions that score -inf become -1."""
    scores = np.concatenate([ours.scores, theirs.scores], axis=1)
    positions = np.concatenate([ours.positions, theirs.positions], axis=1)
    positions = np.where(np.isfinite(scores), positions, -1)
    everything = ranked(scores, positions) if scores.shape[1] <= 4 * k else _preselected(scores, positions, k)
    return Neighbours(everything.scores[:, :k], everything.positions[:, :k])


def _preselected(scores: Vectors, positions: npt.NDArray[np.int64], k: int) -> Neighbours:
    """``ranked`` of the columns that can be among the k best, ties at the k-th score included."""
    kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    keep = (scores >= kth).any(axis=0)
    return ranked(scores[:, keep], positions[:, keep])
