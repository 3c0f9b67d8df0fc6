"""How good thresholds and a map are on pairs that they were not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import brier_score_loss

from indexer.calibration.pairs import Floats, Pairs, Rows
from lookalike.index.recall import wilson_interval

BINS = 10
RESAMPLES = 400
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def fields(self) -> dict[str, float]:
        """Rounded, for a program."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


@dataclass(frozen=True)
class AtThreshold:
    """Pairs held back at a threshold, a normalised score; precision is NaN where none pass.

    ``precision`` is among pairs as common as they are, ``precision_if_even`` what it would be if same and different
    were equally common. ``false_positive_rate`` is the share of different pairs that pass. ``passing`` counts the
    pairs that pass, ``pictures`` the pictures in them.
    """

    threshold: float
    precision: Figure
    recall: Figure
    false_positive_rate: float
    precision_if_even: float
    passing: int
    pictures: int


@dataclass(frozen=True)
class Validation:
    """Pairs held back: how well scores separate the two kinds, and the figures at each threshold asked for.

    ``auc`` is the chance that a same pair scores higher than a different one (ties count half), ``prevalence`` the
    share of same pairs. ``resamples`` is the share of resamples that had pairs of both kinds.
    """

    auc: Figure
    prevalence: float
    resamples: float
    points: tuple[AtThreshold, ...]


@dataclass(frozen=True, eq=False)
class Reliability:
    """How the probabilities of the pairs held back agree with the answers.

    ``mean_confidence``, ``share_of_same`` and ``weight`` are (m,), for each bin that has any pairs; ``weight`` is the
    bin's share of all pairs. ``brier`` is the mean squared error, ``error`` the mean distance of confidence and truth,
    weighted by what is in the bins (expected calibration error: Naeini, Cooper and Hauskrecht, 2015).
    """

    mean_confidence: Floats
    share_of_same: Floats
    weight: Floats
    brier: float
    error: float


def validate(pairs: Pairs, thresholds: Sequence[float], seed: int) -> Validation:
    """Separation of the two kinds, and precision and recall at normalised scores, with 95 % intervals.

    Pairs that share a picture are not independent, so pictures are drawn anew, and a pair counts as often as both of
    its pictures were drawn (bootstrap over nodes: Snijders and Borgatti, 1999). Where few pairs pass and all are
    right, every resample says so too; so the interval of a share is never narrower than Wilson's for as many
    independent pairs as the weights amount to (Kish, 1965).
    """
    ranked = _Ranked.of(pairs, thresholds)
    measured = ranked.measure(ranked.weights)
    random = np.random.default_rng(seed)
    resampled = []
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(0, ranked.pictures, ranked.pictures), minlength=ranked.pictures)
        weights = ranked.weights * times[ranked.first] * times[ranked.second]
        if weights[ranked.same].any() and weights[~ranked.same].any():
            resampled.append(ranked.measure(weights))
    areas = np.array([each.auc for each in resampled] or [0.0, 1.0])
    return Validation(
        auc=Figure(measured.auc, *map(float, np.quantile(areas, QUANTILES))),
        prevalence=pairs.prevalence,
        resamples=len(resampled) / RESAMPLES,
        points=tuple(
            _point(pairs, threshold, measured, [(each.precision[at], each.recall[at]) for each in resampled], at)
            for at, threshold in enumerate(thresholds)
        ),
    )


def reliability(pairs: Pairs, probabilities: Floats) -> Reliability:
    """Brier score and calibration error of the pairs' probabilities (n,), by BINS bins of equal width."""
    weights = pairs.weights / pairs.weights.sum()
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    weight = np.bincount(bins, weights, BINS)
    filled = weight > 0
    mean_confidence = np.bincount(bins, weights * probabilities, BINS)[filled] / weight[filled]
    share_of_same = np.bincount(bins, weights * pairs.same, BINS)[filled] / weight[filled]
    brier = brier_score_loss(pairs.same, probabilities, sample_weight=weights)
    shares = np.asarray(weight[filled], np.float64)
    error = float((shares * np.abs(mean_confidence - share_of_same)).sum())
    return Reliability(mean_confidence, share_of_same, shares, float(brier), error)


@dataclass(frozen=True, eq=False)
class _Measured:
    auc: float
    precision: Floats
    recall: Floats
    false_positive_rate: Floats


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Pairs sorted by score, so that a resample is measured at all thresholds by running sums.

    ``first`` and ``second`` number the pictures from 0; ``ties`` are the positions where a new score begins, and
    ``reached`` for each threshold the number of scores below it.
    """

    first: Rows
    second: Rows
    same: np.ndarray[tuple[int], np.dtype[np.bool_]]
    weights: Floats
    pictures: int
    ties: Rows
    reached: Rows

    @classmethod
    def of(cls, pairs: Pairs, thresholds: Sequence[float]) -> _Ranked:
        order = np.argsort(pairs.scores, kind="stable")
        scores = pairs.scores[order]
        numbers = np.unique(np.concatenate([pairs.first[order], pairs.second[order]]), return_inverse=True)[1]
        first, second = numbers.reshape(2, -1)
        ties = np.flatnonzero(np.concatenate([[True], np.diff(scores) > 0]))
        reached = np.searchsorted((scores[ties] + 1) / 2, np.asarray(thresholds, np.float64), side="left")
        pictures = int(numbers.max()) + 1
        return cls(first, second, pairs.same[order], pairs.weights[order], pictures, ties, reached)

    def measure(self, weights: Floats) -> _Measured:
        """The figures for these weights of the sorted pairs, of which either kind has some."""
        right = np.where(self.same, weights, 0.0)
        same = np.add.reduceat(right, self.ties)
        different = np.add.reduceat(weights - right, self.ties)
        # Sums from the top, so that where nothing passes they are zero and not a rest of rounding.
        above_same, above_different = (np.append(np.cumsum(kind[::-1])[::-1], 0.0) for kind in (same, different))
        total_same, total_different = above_same[0], above_different[0]
        auc = float((different * (above_same[1:] + same / 2)).sum() / (total_same * total_different))
        passing_same, passing_different = above_same[self.reached], above_different[self.reached]
        passing = passing_same + passing_different
        precision = np.divide(passing_same, passing, out=np.full(len(passing), np.nan), where=passing > 0)
        return _Measured(auc, precision, passing_same / total_same, passing_different / total_different)


def _point(
    pairs: Pairs, threshold: float, measured: _Measured, resampled: Sequence[tuple[float, float]], at: int
) -> AtThreshold:
    passed = (pairs.scores + 1) / 2 >= threshold
    rows = np.concatenate([pairs.first[passed], pairs.second[passed]])
    precision, recall, rate = (
        float(values[at]) for values in (measured.precision, measured.recall, measured.false_positive_rate)
    )
    return AtThreshold(
        threshold=threshold,
        precision=_share(precision, pairs.weights[passed], [draw[0] for draw in resampled]),
        recall=_share(recall, pairs.weights[pairs.same], [draw[1] for draw in resampled]),
        false_positive_rate=rate,
        precision_if_even=recall / max(recall + rate, 1e-12),
        passing=int(passed.sum()),
        pictures=len(np.unique(rows)),
    )


def _share(value: float, weights: Floats, resampled: Sequence[float]) -> Figure:
    """A share of pairs of ``weights`` with its interval; from 0 to 1 where most resamples have none of these pairs."""
    defined = [share for share in resampled if not np.isnan(share)]
    if 2 * len(defined) < RESAMPLES:
        return Figure(value, 0.0, 1.0)
    low, high = np.quantile(defined, QUANTILES)
    independent = float(weights.sum() ** 2 / (weights**2).sum())
    wilson = wilson_interval(value * independent, independent)
    return Figure(value, float(min(low, wilson[0])), float(max(high, wilson[1])))
