"""From pairs to a threshold and a map from cosine to probability; measured on pairs that were held back.

Same and different pairs count as often as they are among the pictures used: see ``Calibration``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve, roc_auc_score

from indexer.calibration.pairs import Floats, Pairs
from lookalike.calibration import Method
from lookalike.errors import PairsInsufficientError
from lookalike.thresholds import normalized

NEEDED = 20
"""Pairs of either kind that each half must have."""
ENOUGH = 500
"""Pairs of either kind from which on the map takes its shape from them, instead of being a logistic curve."""
BEST_F1 = "best F1"


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


def check_pairs(pairs: Pairs, what: str) -> None:
    """Raise PairsInsufficientError unless there are NEEDED pairs of either kind."""
    if min(pairs.positives, pairs.negatives) < NEEDED:
        raise PairsInsufficientError(
            f"calibration needs at least {NEEDED} same and {NEEDED} different pairs in either half, and {what} has "
            f"{pairs.positives} and {pairs.negatives}: label more pictures, or list more pairs",
            subject="pairs",
        )


def fit_threshold(pairs: Pairs, rule: Rule) -> float:
    """The normalised score chosen by the rule: between the lowest that passes and the next below.

    Raises PairsInsufficientError where no score has the precision asked for.
    """
    precision, recall, cosines = precision_recall_curve(pairs.same, pairs.scores, sample_weight=pairs.weights)
    precision, recall = precision[:-1], recall[:-1]  # the last point is the curve's end and has no threshold
    if rule.precision is None:
        at = int(np.argmax(2 * precision * recall / np.maximum(precision + recall, 1e-12)))
    else:
        good = np.flatnonzero((precision >= rule.precision) & (recall > 0))
        if len(good) == 0:
            raise PairsInsufficientError(
                f"no score has a precision of {rule.precision:g} on these pairs, the best is {precision.max():.3f}: "
                "ask for less with --precision",
                subject="precision",
            )
        at = int(good[0])
    middle = (cosines[at] + cosines[at - 1]) / 2 if at > 0 else cosines[at]
    return float(np.clip(normalized(middle), 0.0, 1.0))


def fit_map(pairs: Pairs) -> Knots:
    """The map that fits the pairs best: isotonic if there are many, else logistic.

    Raises PairsInsufficientError if same pairs do not score higher than different ones: no map could rise then.
    """
    if roc_auc_score(pairs.same, pairs.scores, sample_weight=pairs.weights) <= 0.5:
        raise PairsInsufficientError(
            "same pairs score no higher than different ones: are the answers the right way round?", subject="pairs"
        )
    return _isotonic(pairs) if min(pairs.positives, pairs.negatives) >= ENOUGH else _logistic(pairs)


def _isotonic(pairs: Pairs) -> Knots:
    # No pair of n can speak for certainty: the ends stay a little away from 0 and 1 (Laplace's rule of succession).
    least = 1 / (min(pairs.positives, pairs.negatives) + 2)
    model = IsotonicRegression(y_min=least, y_max=1 - least)
    model.fit(pairs.scores, pairs.same.astype(np.float64), sample_weight=pairs.weights)
    scores, at = np.unique(np.asarray(model.X_thresholds_, np.float64), return_index=True)
    return Knots(scores, np.asarray(model.y_thresholds_, np.float64)[at], "isotonic")


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
            "same pairs score no higher than different ones: are the answers the right way round?", subject="pairs"
        )
    logits = np.linspace(-7, 7, 57)  # so close that a line between two knots is within 0.001 of the curve
    return Knots(((logits - offset) / slope) * spread + middle, 1 / (1 + np.exp(-logits)), "logistic")
