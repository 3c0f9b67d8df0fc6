"""From pairs to a threshold and a map from cosine to probability; measured on pairs that were held back.

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
from lookalike.thresholds import normalized

ENOUGH = 500
"""Pairs of either kind from which on the map takes its shape from them, instead of being a logistic curve."""
BEST_F1 = "best F1"
SAME_PICTURE = 1 - 1e-6
"""Cosines from here on are of one picture with itself."""


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
    """The normalised score chosen by the rule: between the lowest that passes and the next below.

    Raises PairsInsufficientError where no score has the precision asked for.
    """
    cosine = _best_f1(pairs) if rule.precision is None else _lowest_with_precision(pairs, rule.precision)
    return float(np.clip(normalized(cosine), 0.0, 1.0))


def fit_map(pairs: Pairs) -> Knots:
    """The map that fits the pairs best: isotonic if there are many, else logistic.

    Raises PairsInsufficientError if same pairs do not score higher than different ones: no map could rise then.
    """
    return _isotonic(pairs) if min(pairs.positives, pairs.negatives) >= ENOUGH else _logistic(pairs)


def _best_f1(pairs: Pairs) -> float:
    precision, recall, cosines = precision_recall_curve(pairs.same, pairs.scores, sample_weight=pairs.weights)
    precision, recall = precision[:-1], recall[:-1]  # the last point is the curve's end and has no threshold
    return _between(cosines, int(np.argmax(2 * precision * recall / np.maximum(precision + recall, 1e-12))))


def _lowest_with_precision(pairs: Pairs, least: float) -> float:
    """The lowest cosine from which on the mean confidence of the pairs is ``least``.

    The observed precision itself jumps up and down where few pairs pass, and its lowest crossing is a lucky one: on
    pairs held back it falls short. Confidences of an isotonic fit rise, and each block of them allows for how few
    pairs it has (see ``_isotonic``), which made the precision on pairs held back come out as asked for.
    """
    cosines, place = np.unique(pairs.scores, return_inverse=True)
    weights = np.bincount(place, pairs.weights)
    expected = np.bincount(place, pairs.weights * _isotonic(pairs).apply(pairs.scores))
    precision = np.cumsum(expected[::-1])[::-1] / np.cumsum(weights[::-1])[::-1]
    reached = np.flatnonzero(precision >= least)
    if len(reached) == 0:
        raise PairsInsufficientError(
            f"no score has a precision of {least:g} on these pairs: of those that score highest, {precision[-1]:.3f} "
            "can be said to be the same, allowing for how few they are; ask for less with --precision, or label more "
            "pictures",
            subject="precision",
        )
    return _between(cosines, int(reached[0]))


def _between(cosines: Floats, at: int) -> float:
    """Half-way between a cosine and the next below."""
    return float((cosines[at] + cosines[at - 1]) / 2 if at > 0 else cosines[at])


def _isotonic(pairs: Pairs) -> Knots:
    """Blocks of pairs whose share of same ones rises with the score (pool adjacent violators), a step each.

    A block of few pairs claims little: each share is that of its pairs and of one same and one different pair more
    (Laplace's rule of succession), where weighted pairs count for as many as they amount to (Kish, 1965). Where no
    pair reaches a cosine of 1, the map ends there with certainty, by the same rule: a picture is the same as itself.
    """
    cosines, place = np.unique(pairs.scores, return_inverse=True)
    weights = np.bincount(place, pairs.weights)
    pooled = isotonic_regression(np.bincount(place, pairs.weights * pairs.same) / weights, sample_weight=weights)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(pooled) > 0]))
    ends = np.append(starts[1:], len(cosines)) - 1
    weights = np.add.reduceat(weights, starts)
    independent = weights**2 / np.add.reduceat(np.bincount(place, pairs.weights**2), starts)
    cautious = isotonic_regression((pooled[starts] * independent + 1) / (independent + 2), sample_weight=weights)
    scores, at = np.unique(np.stack([cosines[starts], cosines[ends]], axis=1), return_index=True)
    probabilities = np.repeat(cautious, 2)[at]
    if scores[-1] < SAME_PICTURE:
        certain = 1 - 1 / (pairs.pictures + 2)
        scores = np.append(scores, 1.0)
        probabilities = np.append(probabilities, max(certain, float(probabilities[-1])))
    return Knots(scores, probabilities, "isotonic")


def _logistic(pairs: Pairs) -> Knots:
    """A logistic curve through softened answers, which stays finite where the kinds do not overlap.

    Same pairs count as 1 with weight (n + 1) / (n + 2) and as 0 with the rest, and different ones the other way round
    (Platt, "Probabilistic outputs for support vector machines", 1999).
    """
    middle, spread = float(pairs.scores.mean()), max(float(pairs.scores.std()), 1e-9)
    scaled = ((pairs.scores - middle) / spread)[:, None]
    counts = np.where(pairs.same, pairs.positives, pairs.negatives)
    trust = (counts + 1) / (counts + 2)
    weights = pairs.weights / pairs.weights.mean()
    model = LogisticRegression(C=np.inf)
    model.fit(
        np.concatenate([scaled, scaled]),
        np.concatenate([pairs.same, ~pairs.same]),
        sample_weight=np.concatenate([weights * trust, weights * (1 - trust)]),
    )
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        raise PairsInsufficientError(
            "same pairs score no higher than different ones in the half to fit: are the answers the right way round?",
            subject="pairs",
        )
    logits = np.linspace(-7, 7, 57)  # so close that a line between two knots is within 0.001 of the curve
    return Knots(((logits - offset) / slope) * spread + middle, 1 / (1 + np.exp(-logits)), "logistic")
