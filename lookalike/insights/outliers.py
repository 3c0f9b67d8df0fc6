"""Items that look like nothing else in their collection.

The score of an item is its distance, 1 - cosine, from the k-th nearest other item (S. Ramaswamy, R. Rastogi, K. Shim,
"Efficient algorithms for mining outliers from large data sets", 2000): with k of 15, up to 14 strangers that are alike
do not hide each other. It was chosen by measurement among this, the mean distance of the k nearest, and the local
outlier factor and its relatives, which divide by the density around the neighbours: ``benchmarks/outliers.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.filters.builder import refuse
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.index.progress import count_steps
from lookalike.insights.subset import ItemSubset

DEFAULT_NEIGHBOURS = 15
MAX_NEIGHBOURS = 100
SHOWN_NEIGHBOURS = 3
"""Nearest neighbours that are told of each outlier."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another item, and its cosine with the one that it is told of."""

    item: ItemRecord
    cosine: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """An item, its ``score``: the distance from the k-th nearest, 0 to 2, and its nearest neighbours, best first."""

    item: ItemRecord
    score: float
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class OutlierReport:
    """The items that are furthest from others, the furthest first, of ``count`` that were examined.

    ``neighbours`` is k, and ``median`` the median of all scores: what is usual here.
    """

    outliers: tuple[Outlier, ...]
    count: int
    neighbours: int
    median: float


def find_outliers(
    subset: ItemSubset,
    *,
    top: int = 20,
    neighbours: int = DEFAULT_NEIGHBOURS,
    progress: ProgressCallback = ignore_progress,
) -> OutlierReport:
    """The ``top`` items by their distance from the k-th nearest, k being ``neighbours``, or all others if fewer.

    Of equal scores the first in the collection's order. None of a collection of fewer than two items. Neighbours are
    those that the collection's index finds. Raises FilterInvalidError, VectorsInvalidError and SnapshotDamagedError.
    """
    if top < 1:
        refuse("top", f"at least 1 item has to be listed, got {top}")
    if not 1 <= neighbours <= MAX_NEIGHBOURS:
        refuse("neighbours", f"1 to {MAX_NEIGHBOURS} are possible, got {neighbours}")
    k = min(neighbours, len(subset) - 1)
    if k < 1:
        return OutlierReport((), len(subset), 0, 0.0)
    scores = np.empty(len(subset), np.float32)
    advance = count_steps(progress, "neighbours found", len(subset))
    for block in subset.nearest(k):
        # An approximate index may find fewer: then the last that it found.
        least = np.where(block.places >= 0, block.cosines, np.inf).min(axis=1)
        scores[block.start : block.start + len(least)] = 1 - np.where(np.isinf(least), -1.0, least)
        advance(len(least))
    places = np.argsort(-scores, kind="stable")[:top].astype(np.int64)
    near_places, cosines = subset.nearest_of(places, min(SHOWN_NEIGHBOURS, k))
    outliers = tuple(
        Outlier(
            item,
            round(float(scores[place]), 4),
            tuple(
                Neighbour(near, round(float(cosine), 4))
                for near, cosine in zip(
                    subset.records(near_row[near_row >= 0]), cosine_row[near_row >= 0].tolist(), strict=True
                )
            ),
        )
        for item, place, near_row, cosine_row in zip(
            subset.records(places), places.tolist(), near_places, cosines, strict=True
        )
    )
    return OutlierReport(outliers, len(subset), k, round(float(np.median(scores)), 4))
