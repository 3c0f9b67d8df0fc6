"""More like this, less like this: a query that is moved towards some items and away from others."""

from __future__ import annotations

import numpy as np

from lookalike.collection.candidates import QueryVectors
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
