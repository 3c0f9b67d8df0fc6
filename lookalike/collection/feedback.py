"""More like this, less like this: a query that is moved towards some items and away from others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lookalike.collection.candidates import QueryVectors
from lookalike.collection.preferences import Preferences, Strategy
from lookalike.index.base import Vectors

LIKED_WEIGHT, UNLIKED_WEIGHT = 1.0, 0.25
"""What the mean of the liked and of the unliked items weighs beside a query of weight 1, chosen by a measurement."""


def move_query(
    queries: QueryVectors,
    liked: Vectors,
    unliked: Vectors,
    weights: tuple[float, float] = (LIKED_WEIGHT, UNLIKED_WEIGHT),
) -> QueryVectors:
    """Each vector q of ``queries`` as the unit vector along q + weights[0] · mean(liked) - weights[1] · mean(unliked).

    That is relevance feedback by Rocchio (1971). ``liked`` and ``unliked`` are (n, D) unit vectors of items, and may be
    empty. A vector that would vanish stays where it is.
    """
    vectors = queries.vectors.astype(np.float64)
    moved = vectors.copy()
    for weight, items in ((weights[0], liked), (-weights[1], unliked)):
        if len(items):
            moved += weight * items.mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    moved = np.where(lengths > 1e-6, moved / np.maximum(lengths, 1e-6), vectors)
    return QueryVectors(moved.astype(np.float32))


def move_by_preferences(liked: QueryVectors, unliked: Vectors, preferences: Preferences) -> QueryVectors:
    """What items are ranked by, of the (m, D) vectors of what is liked and the (n, D) ones of what is not.

    Both are in the order of the weights of ``preferences``. By the strategy ``mean`` it is one vector, the weighted
    mean of the liked ones; by ``best`` it is each of them, times its weight in parts of the largest. Each is moved away
    from the weighted mean of the unliked ones as in ``move_query``.
    """
    weights, vectors = preferences.liked_weights(), liked.vectors
    if preferences.strategy is Strategy.MEAN:
        vectors = QueryVectors.mean(_weighted_mean(vectors, weights)).vectors
    disliked = unliked[:0] if not len(unliked) else _weighted_mean(unliked, preferences.unliked_weights())
    moved = move_query(QueryVectors(vectors), unliked[:0], disliked)
    return moved if preferences.strategy is Strategy.MEAN else replace(moved, weights=weights)


def _weighted_mean(vectors: Vectors, weights: npt.NDArray[np.float64]) -> Vectors:
    """The weighted mean of (n, D) vectors as (1, D)."""
    mean = weights @ vectors.astype(np.float64) / weights.sum()
    return np.asarray(mean[None], np.float32)
