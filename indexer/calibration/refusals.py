"""Fits that mean nothing: each is refused with what is wrong and what to do, judged on the pairs held back.

A calibration decides how every later score is read, so one that could as well be chance is not put in force. Pairs
that a person has judged are the way out wherever labels are not good enough.
"""

from __future__ import annotations

import math

from indexer.calibration.fit import Knots, Rule
from indexer.calibration.pairs import Pairs
from indexer.calibration.validation import AtThreshold, Reliability, Validation
from lookalike.calibration import percent
from lookalike.errors import PairsInsufficientError

NEEDED = 20
"""Pairs of either kind that each half must have."""
LEAST_RESAMPLES = 0.5
"""Share of resamples that must have pairs of both kinds, so that an interval says something."""
FEWEST_PICTURES = 6
"""Pictures that the pairs that pass must be of: below that no interval of their precision says anything."""
MOST_DIFFERENT = 0.5
"""Share of different pairs that may pass."""
LEAST_SPREAD = 0.05
"""How far apart the lowest and the highest confidence must be."""
RARE = 0.05
"""Share of same pairs that pass, below which `similar` is hardly ever said."""


def check_counts(pairs: Pairs, what: str) -> None:
    """Raise PairsInsufficientError unless there are NEEDED pairs of either kind."""
    if min(pairs.positives, pairs.negatives) < NEEDED:
        raise PairsInsufficientError(
            f"calibration needs at least {NEEDED} same and {NEEDED} different pairs in either half, and {what} has "
            f"{pairs.positives} and {pairs.negatives}: label more pictures, or list more pairs",
            subject="pairs",
        )


def check_judgements(pairs: Pairs) -> None:
    """Raise PairsInsufficientError if all judged pairs have the same answer."""
    if len(pairs) and 0 in (pairs.positives, pairs.negatives):
        answer, other = ("yes", "different things") if pairs.positives else ("no", "the same thing")
        raise PairsInsufficientError(
            f"all {len(pairs)} judged pairs say {answer}, and a threshold divides two kinds: list pairs of {other} too",
            subject="same",
        )


def check_separation(validation: Validation, held: Pairs) -> None:
    """Raise PairsInsufficientError if scores of same and different pairs cannot be told apart, or are the wrong way."""
    auc = validation.auc
    words = f"a same pair scores higher than a different one in {percent(auc.value)} % of cases"
    interval = f"95 % interval {percent(auc.low)} to {percent(auc.high)}"
    if validation.resamples < LEAST_RESAMPLES:
        raise PairsInsufficientError(
            f"the pairs held back hang on so few of their {held.pictures} pictures that no figure has an interval: "
            "label more pictures, or list pairs of other pictures too",
            subject="pairs",
        )
    if auc.high < 0.5:
        raise PairsInsufficientError(
            f"same pairs score lower than different ones ({words}, {interval}): the answers are the wrong way round, "
            "or the labels say something else than what a picture shows; check them, or list judged pairs with --pairs",
            subject="pairs",
        )
    if auc.low <= 0.5:
        raise PairsInsufficientError(
            f"scores of same and different pairs cannot be told apart ({words}, {interval}; 50 is chance): the labels "
            "do not say what this encoder sees, or are too few; check them, label more pictures, or list judged pairs "
            "with --pairs",
            subject="pairs",
        )


def check_map(knots: Knots, held: Pairs, agreement: Reliability) -> None:
    """Raise PairsInsufficientError if the confidence says no more than how common same pairs are."""
    lowest, highest = knots.apply(held.scores[[held.scores.argmin(), held.scores.argmax()]]).tolist()
    if highest - lowest < LEAST_SPREAD:
        raise PairsInsufficientError(
            f"the confidence is nearly the same for every score ({percent(lowest)} to {percent(highest)} %), so it "
            "says nothing: label more pictures of the same things, or list judged pairs with --pairs",
            subject="pairs",
        )
    plain = held.prevalence * (1 - held.prevalence)
    if agreement.brier >= plain:
        raise PairsInsufficientError(
            f"on pairs held back the confidence is no better than saying {percent(held.prevalence)} % of every pair "
            f"(Brier score {agreement.brier:.4f}, and {plain:.4f} without any score): label more pictures, or list "
            "judged pairs with --pairs",
            subject="pairs",
        )


def check_threshold(point: AtThreshold, prevalence: float, rule: Rule) -> None:
    """Raise PairsInsufficientError if a threshold fails on pairs held back, by what it lets through."""
    place = f"cosine {2 * point.threshold - 1:.3f}"
    if math.isnan(point.precision.value) or point.pictures < FEWEST_PICTURES:
        raise PairsInsufficientError(
            f"only {point.passing} of the pairs held back, of {point.pictures} pictures, reach the threshold {place}, "
            "too few to say how good it is: label more pictures, list more pairs, or ask for less with --precision",
            subject="pairs",
        )
    interval = f"95 % interval {percent(point.precision.low)} to {percent(point.precision.high)}"
    if point.false_positive_rate > MOST_DIFFERENT:
        raise PairsInsufficientError(
            f"{percent(point.false_positive_rate)} % of different pairs would pass as similar from {place} on, so the "
            "threshold divides nothing: ask for a stricter one with --precision, check the labels, or list judged "
            "pairs with --pairs",
            subject="threshold",
        )
    if point.precision.low <= prevalence:
        raise PairsInsufficientError(
            f"of the pairs that pass from {place} on {percent(point.precision.value)} % are the same ({interval}), "
            f"which may be no more than the {percent(prevalence)} % of all pairs: check the labels, label more "
            "pictures, or list judged pairs with --pairs",
            subject="threshold",
        )
    if rule.precision is not None and point.precision.high < rule.precision:
        raise PairsInsufficientError(
            f"a precision of {rule.precision:g} was asked for, and of the pairs held back that pass from {place} on "
            f"{percent(point.precision.value)} % are the same ({interval}): what was fitted to one half does not hold "
            "on the other; label more pictures, or ask for less with --precision",
            subject="precision",
        )


def find_warnings(point: AtThreshold) -> tuple[str, ...]:
    """What a person should know of a threshold that is good enough to be put in force."""
    warnings = []
    if point.recall.value < RARE:
        warnings.append(
            f"only {percent(point.recall.value)} % of same pairs reach the threshold, so `similar` will hardly ever "
            "be said: ask for less with --precision, or use a better encoder"
        )
    if point.precision.value < 0.5:
        warnings.append(
            f"most pairs that pass as similar are different ({percent(1 - point.precision.value)} %): ask for more "
            "with --precision"
        )
    return tuple(warnings)
