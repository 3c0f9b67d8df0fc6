"""Fit a threshold, and a map from cosine to probability, to labelled pairs.

Same and different pairs count as often as they are among the pictures used: see ``Calibration``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve

from indexer.calibration.pairs import Floats, Pairs
from lookalike.calibration import Method
from lookalike.errors import PairsInsufficientError
from lookalike.thresholds import normalise_score

MIN_ISOTONIC_PAIRS = 500
"""Least number of pairs of either kind for an isotonic fit; with fewer a logistic curve is fitted."""
BEST_F1 = "best F1"
SAME_PICTURE = 1 - 1e-6
"""Cosines from here on count as those of a picture with itself."""


@dataclass(frozen=True)
class Rule:
    """How the threshold is chosen: the highest F1, or the lowest score whose precision is at least ``precision``."""

    precision: float | None = None

    @property
    def words(self) -> str:
        """ "best F1" or "precision 0.99"."""
        return BEST_F1 if self.precision is None else f"precision {self.precision:g}"


@dataclass(frozen=True, eq=False)
class Knots:
    """A map from cosine to probability, linear between its knots."""

    scores: Floats
    probabilities: Floats
    method: Method

    def apply(self, scores: Floats) -> Floats:
        """The probabilities of cosines, (n,) to (n,)."""
        return np.interp(scores, self.scores, self.probabilities)


def fit_threshold(pairs: Pairs, rule: Rule) -> float:
    """The normalised threshold that the rule chooses, half-way between the lowest passing score and the next below.

    Raises PairsInsufficientError where no score has the precision asked for.
    """
    cosine = _best_f1_cosine(pairs) if rule.precision is None else _lowest_cosine_with_precision(pairs, rule.precision)
    return float(np.clip(normalise_score(cosine), 0.0, 1.0))


def fit_map(pairs: Pairs) -> Knots:
    """An isotonic map if there are MIN_ISOTONIC_PAIRS of either kind, else a logistic one.

    Raises PairsInsufficientError if same pairs do not score higher than different ones: the map could not rise.
    """
    return _fit_isotonic(pairs) if min(pairs.positives, pairs.negatives) >= MIN_ISOTONIC_PAIRS else _fit_logistic(pairs)


def _best_f1_cosine(pairs: Pairs) -> float:
    precision, recall, cosines = precision_recall_curve(pairs.same, pairs.scores, sample_weight=pairs.weights)
    precision, recall = precision[:-1], recall[:-1]  # the last point is the curve's end and has no threshold
    return _midpoint_below(cosines, int(np.argmax(2 * precision * recall / np.maximum(precision + recall, 1e-12))))


def _lowest_cosine_with_precision(pairs: Pairs, min_precision: float) -> float:
    """The lowest cosine from which on the mean confidence of the pairs is ``min_precision``.

    The observed precision is noisy where few pairs pass, and the lowest score that reaches ``min_precision`` is biased:
    on held-out pairs the precision falls short. Confidences of an isotonic fit rise with the score, and each block is
    smoothed by its number of pairs (see ``_fit_isotonic``); with them, held-out pairs had the requested precision.
    """
    cosines, score_index = np.unique(pairs.scores, return_inverse=True)
    weights = np.bincount(score_index, pairs.weights)
    expected_same = np.bincount(score_index, pairs.weights * _fit_isotonic(pairs).apply(pairs.scores))
    precision = np.cumsum(expected_same[::-1])[::-1] / np.cumsum(weights[::-1])[::-1]
    candidates = np.flatnonzero(precision >= min_precision)
    if len(candidates) == 0:
        raise PairsInsufficientError(
            f"no score has a precision of {min_precision:g} on these pairs: for the highest scores the estimate is "
            f"{precision[-1]:.3f}, allowing for their small number; ask for less with --precision, or label more "
            "pictures",
            subject="precision",
        )
    return _midpoint_below(cosines, int(candidates[0]))


def _midpoint_below(cosines: Floats, position: int) -> float:
    """The midpoint of a cosine and the next lower one."""
    return float((cosines[position] + cosines[position - 1]) / 2 if position > 0 else cosines[position])


def _fit_isotonic(pairs: Pairs) -> Knots:
    """A step function whose share of same pairs rises with the score (pool adjacent violators).

    Each block's share is smoothed by Laplace's rule of succession (one same and one different pair are added), with
    the effective number of its weighted pairs (Kish, 1965), so that a block of few pairs gets no extreme probability.
    If no pair has a cosine of 1, a knot is added there, smoothed by the same rule: a picture is the same as itself.
    """
    cosines, score_index = np.unique(pairs.scores, return_inverse=True)
    weights = np.bincount(score_index, pairs.weights)
    block_shares = isotonic_regression(
        np.bincount(score_index, pairs.weights * pairs.same) / weights, sample_weight=weights
    )
    starts = np.flatnonzero(np.concatenate([[True], np.diff(block_shares) > 0]))
    ends = np.append(starts[1:], len(cosines)) - 1
    weights = np.add.reduceat(weights, starts)
    effective_counts = weights**2 / np.add.reduceat(np.bincount(score_index, pairs.weights**2), starts)
    cautious_shares = isotonic_regression(
        (block_shares[starts] * effective_counts + 1) / (effective_counts + 2), sample_weight=weights
    )
    scores, edge_rows = np.unique(np.stack([cosines[starts], cosines[ends]], axis=1), return_index=True)
    probabilities = np.repeat(cautious_shares, 2)[edge_rows]
    if scores[-1] < SAME_PICTURE:
        certain = 1 - 1 / (pairs.pictures + 2)
        scores = np.append(scores, 1.0)
        probabilities = np.append(probabilities, max(certain, float(probabilities[-1])))
    return Knots(scores, probabilities, "isotonic")


def _fit_logistic(pairs: Pairs) -> Knots:
    """A logistic curve fitted to smoothed targets, so that it stays finite where the two kinds do not overlap.

    Same pairs have the target 1 with weight (n + 1) / (n + 2) and 0 with the rest, different pairs the reverse
    (Platt, "Probabilistic outputs for support vector machines", 1999).
    """
    middle, spread = float(pairs.scores.mean()), max(float(pairs.scores.std()), 1e-9)
    z_scores = ((pairs.scores - middle) / spread)[:, None]
    counts = np.where(pairs.same, pairs.positives, pairs.negatives)
    target_weights = (counts + 1) / (counts + 2)
    weights = pairs.weights / pairs.weights.mean()
    model = LogisticRegression(C=np.inf)
    model.fit(
        np.concatenate([z_scores, z_scores]),
        np.concatenate([pairs.same, ~pairs.same]),
        sample_weight=np.concatenate([weights * target_weights, weights * (1 - target_weights)]),
    )
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        raise PairsInsufficientError(
            "same pairs score no higher than different ones in the half to fit: are the judgements or labels inverted?",
            subject="pairs",
        )
    logits = np.linspace(-7, 7, 57)  # dense enough that linear interpolation is within 0.001 of the curve
    return Knots(((logits - offset) / slope) * spread + middle, 1 / (1 + np.exp(-logits)), "logistic")
