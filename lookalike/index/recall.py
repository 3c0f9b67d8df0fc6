"""How good an index is, measured against exact search: recall@k with ties by score, and its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Neighbours, VectorIndex, Vectors
from lookalike.index.brute_force import scan

HAIR = 1e-5  # float32 inner products of unit vectors differ by about 1e-7 from one summation order to another


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall@``k`` over ``queries`` sampled queries, with the 95 % Wilson interval of the hit rate."""

    k: int
    queries: int
    value: float
    low: float
    high: float


def measure_recall(index: VectorIndex, vectors: Vectors, queries: Vectors, k: int) -> Recall:
    """Recall@k of ``index`` against an exact scan of the ``vectors`` (n, D) float32 that it was built of.

    ``queries`` is (m, D) float32; m and n are at least 1. k is cut to n.
    """
    depth = min(k, len(vectors))
    found = _scored_again(index.search(queries, depth), vectors, queries)
    hits = count_hits(found, scan(vectors, queries, depth))
    total = len(queries) * depth
    low, high = wilson_interval(hits, total)
    return Recall(k=depth, queries=len(queries), value=hits / total, low=low, high=high)


def _scored_again(found: Neighbours, vectors: Vectors, queries: Vectors) -> Neighbours:
    """The answer with scores computed from the vectors, and -inf for what is missing or came twice in a row.

    An engine's own scores prove nothing about the positions that stand beside them.
    """
    scores = np.full(found.scores.shape, -np.inf, dtype=np.float32)
    for row, positions in enumerate(found.positions):
        distinct, columns = np.unique(positions, return_index=True)
        real = distinct >= 0
        scores[row, columns[real]] = vectors[distinct[real]] @ queries[row]
    return Neighbours(scores, found.positions)


def count_hits(found: Neighbours, truth: Neighbours) -> int:
    """How many answers are right over all queries.

    An answer is right if its score is within a hair of the true k-th best or above, not if its position is in a list:
    duplicates tie, and any of them is right.
    """
    kth = truth.scores[:, -1:]
    return int(np.count_nonzero(np.isfinite(found.scores) & (found.scores >= kth - HAIR)))


def recall_of_counts(counts: npt.NDArray[np.int64], k: int) -> Recall:
    """Recall@k of queries that found so many of their k neighbours each, (m,) integers.

    The neighbours of one query are found or missed together, so they count for less than as many drawn apart: the
    interval is Wilson's for the number of draws divided by the design effect (Kish, 1965), the ratio of the variance
    between queries to the one that draws apart would have.
    """
    total = len(counts) * k
    hits = int(counts.sum())
    share = hits / total
    apart = share * (1 - share) / k
    effect = max(1.0, float(np.var(counts / k)) / apart) if apart > 0 else 1.0
    low, high = wilson_interval(hits / effect, total / effect)
    return Recall(k=k, queries=len(counts), value=share, low=low, high=high)


def wilson_interval(hits: float, total: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a share of ``hits`` in ``total`` (E. B. Wilson, 1927); z = 1.96 gives 95 %."""
    share = hits / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)
