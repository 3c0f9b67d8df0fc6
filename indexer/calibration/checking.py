"""How good a threshold and a map are on pairs that they were not fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import brier_score_loss

from indexer.calibration.pairs import Floats, Pairs

BINS = 10
RESAMPLES = 400


@dataclass(frozen=True)
class Figure:
    """A share, and the 95 % interval that drawing the pictures anew gives for it."""

    value: float
    low: float
    high: float

    def fields(self) -> dict[str, float]:
        """Rounded, for a program."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


@dataclass(frozen=True)
class AtThreshold:
    """Held-back pairs at a threshold.

    ``precision`` is among pairs as common as they are, ``if_even`` what it would be if same and different were equally
    common. ``strangers`` is the share of different pairs that pass.
    """

    precision: Figure
    recall: Figure
    if_even: float
    strangers: float


@dataclass(frozen=True, eq=False)
class Reliability:
    """How the probabilities of the pairs held back agree with the answers.

    ``said``, ``true`` and ``weight`` are (m,): mean probability, share of same pairs, and share of all pairs, in each
    bin that has any. ``brier`` is the mean squared error, ``error`` the mean distance of said and true, weighted by
    what is in the bins (expected calibration error: Naeini, Cooper and Hauskrecht, 2015).
    """

    said: Floats
    true: Floats
    weight: Floats
    brier: float
    error: float


def at_threshold(pairs: Pairs, threshold: float, seed: int) -> AtThreshold:
    """Precision and recall at a normalised score, with intervals from resampled pictures.

    Pairs that share a picture are not independent, so pictures are drawn, and a pair counts as often as both of its
    pictures were drawn (bootstrap over nodes: Snijders and Borgatti, 1999).
    """
    passed = (pairs.scores + 1) / 2 >= threshold
    precision, recall = _shares(pairs, passed, pairs.weights)
    random = np.random.default_rng(seed)
    first, second = (np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)[1]).reshape(2, -1)
    pictures = int(max(first.max(), second.max())) + 1
    drawn = []
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(0, pictures, pictures), minlength=pictures)
        weights = pairs.weights * times[first] * times[second]
        if weights[pairs.same].sum() > 0 and weights[~pairs.same].sum() > 0:
            drawn.append(_shares(pairs, passed, weights))
    # A draw where no pair passes has no precision.
    low, high = np.nanpercentile(np.array(drawn), [2.5, 97.5], axis=0) if drawn else np.array([[0, 0], [1, 1]])
    strangers = float(pairs.weights[~pairs.same & passed].sum() / pairs.weights[~pairs.same].sum())
    return AtThreshold(
        Figure(precision, float(low[0]), float(high[0])),
        Figure(recall, float(low[1]), float(high[1])),
        if_even=recall / max(recall + strangers, 1e-12),
        strangers=strangers,
    )


def reliability(pairs: Pairs, probabilities: Floats) -> Reliability:
    """Brier score and calibration error of the pairs' probabilities (n,), by BINS bins of equal width."""
    weights = pairs.weights / pairs.weights.sum()
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    weight = np.bincount(bins, weights, BINS)
    there = weight > 0
    said = np.bincount(bins, weights * probabilities, BINS)[there] / weight[there]
    true = np.bincount(bins, weights * pairs.same, BINS)[there] / weight[there]
    brier = brier_score_loss(pairs.same, probabilities, sample_weight=weights)
    held = np.asarray(weight[there], np.float64)
    return Reliability(said, true, held, float(brier), float((held * np.abs(said - true)).sum()))


def _shares(pairs: Pairs, passed: np.ndarray[tuple[int], np.dtype[np.bool_]], weights: Floats) -> tuple[float, float]:
    """Precision and recall; precision is NaN where nothing passes."""
    right, reached = weights[pairs.same & passed].sum(), weights[passed].sum()
    return float(right / reached) if reached > 0 else float("nan"), float(right / weights[pairs.same].sum())
