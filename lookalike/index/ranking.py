"""Neighbours in the order that ``Neighbours`` has, and the result without any."""

from __future__ import annotations

import numpy as np

from lookalike.index.base import Neighbours, Positions, Scores


def empty_neighbours(queries: int, k: int) -> Neighbours:
    """A result without neighbours, of shape (queries, k)."""
    return Neighbours(
        scores=np.full((queries, k), -np.inf, dtype=np.float32),
        positions=np.full((queries, k), -1, dtype=np.int64),
    )


def rank(scores: Scores, positions: Positions) -> Neighbours:
    """Sort each row by descending score, then ascending position, and clip finite scores into [-1, 1]."""
    if (scores[:, :-1] > scores[:, 1:]).all() and np.isfinite(scores).all():
        return Neighbours(np.clip(scores, -1.0, 1.0), positions)
    finite_scores = np.where(np.isfinite(scores), np.clip(scores, -1.0, 1.0), -np.inf).astype(np.float32)
    ties = np.where(positions < 0, np.iinfo(np.int64).max, positions)
    order = np.lexsort((ties, -finite_scores), axis=-1)
    return Neighbours(
        scores=np.take_along_axis(finite_scores, order, axis=-1),
        positions=np.take_along_axis(positions, order, axis=-1),
    )
