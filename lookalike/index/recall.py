"""How good an index is, measured against exact search: recall@k with ties by score, and its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Neighbours, VectorIndex, Vectors
from lookalike.index.brute_force import scan

SCORE_TOLERANCE = 1e-5
"""Float32 inner products of unit vectors differ by about 1e-7 from one summation order to another."""


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
    neighbours = _rescore(index.search(queries, depth), vectors, queries)
    hits = count_hits(neighbours, scan(vectors, queries, depth))
    total = len(queries) * depth
    low, high = wilson_interval(hits, total)
    return Recall(k=depth, queries=len(queries), value=hits / total, low=low, high=high)


def _rescore(neighbours: Neighbours, vectors: Vectors, queries: Vectors) -> Neighbours:
    """The neighbours with scores computed from the vectors, and -inf for missing positions and repeated ones of a row.

    The scores that an engine returns do not prove that its positions are right.
    """
    scores = np.full(neighbours.scores.shape, -np.inf, dtype=np.float32)
    for row, positions in enumerate(neighbours.positions):
        distinct, columns = np.unique(positions, return_index=True)
        real = distinct >= 0
        scores[row, columns[real]] = vectors[distinct[real]] @ queries[row]
    return Neighbours(scores, neighbours.positions)


def count_hits(neighbours: Neighbours, truth: Neighbours) -> int:
    """The number of correct neighbours over all queries.

    A neighbour is correct if its score is at least that of the true k-th best, less ``SCORE_TOLERANCE``, whatever its
    position: duplicates tie, and any of them is correct.
    """
    kth = truth.scores[:, -1:]
    return int(np.count_nonzero(np.isfinite(neighbours.scores) & (neighbours.scores >= kth - SCORE_TOLERANCE)))


def recall_of_counts(counts: npt.NDArray[np.int64], k: int) -> Recall:
    """Recall@k of queries of which each found ``counts`` (m,) of its k neighbours.

    The neighbours of one query are correlated, so they count for less than as many independent draws: the interval is
    Wilson's for the number of draws divided by the design effect (Kish, 1965), the ratio of the variance between
    queries to the variance of independent draws.
    """
    total = len(counts) * k
    hits = int(counts.sum())
    share = hits / total
    independent_variance = share * (1 - share) / k
    design_effect = max(1.0, float(np.var(counts / k)) / independent_variance) if independent_variance > 0 else 1.0
    low, high = wilson_interval(hits / design_effect, total / design_effect)
    return Recall(k=k, queries=len(counts), value=share, low=low, high=high)


def wilson_interval(hits: float, total: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a share of ``hits`` in ``total`` (E. B. Wilson, 1927); z = 1.96 gives 95 %."""
    share = hits / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)
