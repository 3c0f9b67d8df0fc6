"""Quality of thresholds and of a confidence map on held-out pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import brier_score_loss

from indexer.calibration.pairs import Floats, Pairs, Rows
from indexer.evaluation.measures import Estimate
from lookalike.index.recall import wilson_interval

BINS = 10
RESAMPLES = 400
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class ThresholdMetrics:
    """Metrics of held-out pairs at a threshold, a normalised score; precision is NaN if no pair passes.

    ``precision`` holds at the observed prevalence, ``precision_if_even`` is what it would be if same and different
    pairs were equally common. ``false_positive_rate`` is the share of different pairs that pass. ``passing_pairs``
    counts the pairs that pass, ``pictures`` the pictures in them.
    """

    threshold: float
    precision: Estimate
    recall: Estimate
    false_positive_rate: float
    precision_if_even: float
    passing_pairs: int
    pictures: int


@dataclass(frozen=True)
class Validation:
    """How well scores separate the two kinds of held-out pairs, and the metrics at each threshold.

    ``auc`` is the chance that a same pair scores higher than a different one (ties count half), ``prevalence`` the
    share of same pairs. ``usable_resamples`` is the share of bootstrap resamples that had pairs of both kinds.
    """

    auc: Estimate
    prevalence: float
    usable_resamples: float
    points: tuple[ThresholdMetrics, ...]


@dataclass(frozen=True, eq=False)
class Reliability:
    """How well confidences of held-out pairs agree with the answers.

    ``mean_confidence``, ``share_of_same`` and ``weight`` are (m,), for each non-empty bin; ``weight`` is the
    bin's share of all pairs. ``brier`` is the mean squared error, ``error`` the mean distance of confidence and share,
    weighted by bin (expected calibration error: Naeini, Cooper and Hauskrecht, 2015).
    """

    mean_confidence: Floats
    share_of_same: Floats
    weight: Floats
    brier: float
    error: float


def validate(pairs: Pairs, thresholds: Sequence[float], seed: int) -> Validation:
    """Separation of the two kinds, and precision and recall at normalised scores, with 95 % intervals.

    Pairs that share a picture are not independent, so pictures are resampled, and a pair's weight is multiplied by the
    counts of both its pictures (bootstrap over nodes: Snijders and Borgatti, 1999). If few pairs pass and all are
    right, every resample agrees; so the interval of a share is never narrower than Wilson's for the effective number
    of weighted pairs (Kish, 1965).
    """
    ranked_pairs = _RankedPairs.of(pairs, thresholds)
    metrics = ranked_pairs.measure(ranked_pairs.weights)
    generator = np.random.default_rng(seed)
    resamples = []
    for _ in range(RESAMPLES):
        times = np.bincount(
            generator.integers(0, ranked_pairs.pictures, ranked_pairs.pictures), minlength=ranked_pairs.pictures
        )
        weights = ranked_pairs.weights * times[ranked_pairs.first] * times[ranked_pairs.second]
        if weights[ranked_pairs.same].any() and weights[~ranked_pairs.same].any():
            resamples.append(ranked_pairs.measure(weights))
    auc_values = np.array([resample.auc for resample in resamples] or [0.0, 1.0])
    return Validation(
        auc=Estimate(metrics.auc, *map(float, np.quantile(auc_values, QUANTILES))),
        prevalence=pairs.prevalence,
        usable_resamples=len(resamples) / RESAMPLES,
        points=tuple(
            _threshold_metrics(
                pairs, threshold, metrics, [(resample.precision[at], resample.recall[at]) for resample in resamples], at
            )
            for at, threshold in enumerate(thresholds)
        ),
    )


def reliability(pairs: Pairs, probabilities: Floats) -> Reliability:
    """Brier score and calibration error of the pairs' probabilities (n,), by BINS bins of equal width."""
    weights = pairs.weights / pairs.weights.sum()
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    weight = np.bincount(bins, weights, BINS)
    is_filled = weight > 0
    mean_confidence = np.bincount(bins, weights * probabilities, BINS)[is_filled] / weight[is_filled]
    share_of_same = np.bincount(bins, weights * pairs.same, BINS)[is_filled] / weight[is_filled]
    brier = brier_score_loss(pairs.same, probabilities, sample_weight=weights)
    shares = np.asarray(weight[is_filled], np.float64)
    error = float((shares * np.abs(mean_confidence - share_of_same)).sum())
    return Reliability(mean_confidence, share_of_same, shares, float(brier), error)


@dataclass(frozen=True, eq=False)
class _Metrics:
    auc: float
    precision: Floats
    recall: Floats
    false_positive_rate: Floats


@dataclass(frozen=True, eq=False)
class _RankedPairs:
    """Pairs sorted by score, so that a resample is measured at all thresholds with cumulative sums.

    ``first`` and ``second`` are picture numbers from 0; ``ties`` are the positions where a new score begins, and
    ``first_passing`` for each threshold the number of distinct scores below it.
    """

    first: Rows
    second: Rows
    same: np.ndarray[tuple[int], np.dtype[np.bool_]]
    weights: Floats
    pictures: int
    ties: Rows
    first_passing: Rows

    @classmethod
    def of(cls, pairs: Pairs, thresholds: Sequence[float]) -> _RankedPairs:
        order = np.argsort(pairs.scores, kind="stable")
        scores = pairs.scores[order]
        numbers = np.unique(np.concatenate([pairs.first[order], pairs.second[order]]), return_inverse=True)[1]
        first, second = numbers.reshape(2, -1)
        ties = np.flatnonzero(np.concatenate([[True], np.diff(scores) > 0]))
        first_passing = np.searchsorted((scores[ties] + 1) / 2, np.asarray(thresholds, np.float64), side="left")
        pictures = int(numbers.max()) + 1
        return cls(first, second, pairs.same[order], pairs.weights[order], pictures, ties, first_passing)

    def measure(self, weights: Floats) -> _Metrics:
        """Metrics for these weights of the sorted pairs; each kind needs a positive total."""
        same_weights = np.where(self.same, weights, 0.0)
        same = np.add.reduceat(same_weights, self.ties)
        different = np.add.reduceat(weights - same_weights, self.ties)
        # Cumulative sums from the top, so that they are exactly zero, not a rounding error, where no pair passes.
        above_same, above_different = (np.append(np.cumsum(kind[::-1])[::-1], 0.0) for kind in (same, different))
        total_same, total_different = above_same[0], above_different[0]
        auc = float((different * (above_same[1:] + same / 2)).sum() / (total_same * total_different))
        passing_same, passing_different = above_same[self.first_passing], above_different[self.first_passing]
        passing_weights = passing_same + passing_different
        precision = np.divide(
            passing_same, passing_weights, out=np.full(len(passing_weights), np.nan), where=passing_weights > 0
        )
        return _Metrics(auc, precision, passing_same / total_same, passing_different / total_different)


def _threshold_metrics(
    pairs: Pairs, threshold: float, metrics: _Metrics, resamples: Sequence[tuple[float, float]], position: int
) -> ThresholdMetrics:
    passes = (pairs.scores + 1) / 2 >= threshold
    rows = np.concatenate([pairs.first[passes], pairs.second[passes]])
    precision, recall, rate = (
        float(values[position]) for values in (metrics.precision, metrics.recall, metrics.false_positive_rate)
    )
    return ThresholdMetrics(
        threshold=threshold,
        precision=_share_estimate(precision, pairs.weights[passes], [draw[0] for draw in resamples]),
        recall=_share_estimate(recall, pairs.weights[pairs.same], [draw[1] for draw in resamples]),
        false_positive_rate=rate,
        precision_if_even=recall / max(recall + rate, 1e-12),
        passing_pairs=int(passes.sum()),
        pictures=len(np.unique(rows)),
    )


def _share_estimate(value: float, weights: Floats, resampled_shares: Sequence[float]) -> Estimate:
    """A share of pairs of ``weights`` with its interval; [0, 1] if most resamples have none of these pairs."""
    finite_shares = [share for share in resampled_shares if not np.isnan(share)]
    if 2 * len(finite_shares) < RESAMPLES:
        return Estimate(value, 0.0, 1.0)
    low, high = np.quantile(finite_shares, QUANTILES)
    effective_count = float(weights.sum() ** 2 / (weights**2).sum())
    wilson = wilson_interval(value * effective_count, effective_count)
    return Estimate(value, float(min(low, wilson[0])), float(max(high, wilson[1])))
