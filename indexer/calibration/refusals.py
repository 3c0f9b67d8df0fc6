"""Checks that refuse a calibration which is no better than chance on held-out pairs; each error says what to do.

A calibration decides how every later score is interpreted, so one that may be chance is not put in force. Where labels
are not good enough, pairs judged by a person can be used instead.
"""

from __future__ import annotations

import math

from indexer.calibration.fit import Knots, Rule
from indexer.calibration.pairs import Pairs
from indexer.calibration.validation import Reliability, ThresholdMetrics, Validation
from lookalike.calibration import percent
from lookalike.errors import PairsInsufficientError

MIN_PAIRS = 20
"""Least number of pairs of either kind in each half."""
MIN_USABLE_RESAMPLES = 0.5
"""Least share of bootstrap resamples with pairs of both kinds; with fewer the interval means nothing."""
MIN_PICTURES = 6
"""Least number of pictures in the pairs that pass; with fewer the interval of their precision means nothing."""
MAX_FALSE_POSITIVE_RATE = 0.5
"""Greatest share of different pairs that may pass."""
MIN_CONFIDENCE_RANGE = 0.05
"""Least difference of the highest and the lowest confidence."""
LOW_RECALL = 0.05
"""Recall below which a warning says that the verdict `similar` is rare."""


def check_counts(pairs: Pairs, pairs_name: str) -> None:
    """Raise PairsInsufficientError unless there are MIN_PAIRS pairs of either kind."""
    if min(pairs.positives, pairs.negatives) < MIN_PAIRS:
        raise PairsInsufficientError(
            f"calibration needs at least {MIN_PAIRS} same and {MIN_PAIRS} different pairs in either half, and "
            f"{pairs_name} has {pairs.positives} and {pairs.negatives}: label more pictures, or list more pairs",
            subject="pairs",
        )


def check_judgements(pairs: Pairs) -> None:
    """Raise PairsInsufficientError if all judged pairs have the same answer."""
    if len(pairs) and 0 in (pairs.positives, pairs.negatives):
        answer, missing_kind = ("yes", "different things") if pairs.positives else ("no", "the same thing")
        raise PairsInsufficientError(
            f"all {len(pairs)} judged pairs say {answer}; a threshold needs both kinds: list pairs of {missing_kind} "
            "too",
            subject="same",
        )


def check_separation(validation: Validation, holdout: Pairs) -> None:
    """Raise PairsInsufficientError if scores do not separate same from different pairs, or are inverted."""
    auc = validation.auc
    comparison = f"a same pair scores higher than a different one in {percent(auc.value)} % of cases"
    interval = f"95 % interval {percent(auc.low)} to {percent(auc.high)}"
    if validation.usable_resamples < MIN_USABLE_RESAMPLES:
        raise PairsInsufficientError(
            f"the held-out pairs depend on so few of their {holdout.pictures} pictures that no interval can be given: "
            "label more pictures, or list pairs of other pictures too",
            subject="pairs",
        )
    if auc.high < 0.5:
        raise PairsInsufficientError(
            f"same pairs score lower than different ones ({comparison}, {interval}): the judgements are inverted, "
            "or the labels do not say what a picture shows; check them, or list judged pairs with --pairs",
            subject="pairs",
        )
    if auc.low <= 0.5:
        raise PairsInsufficientError(
            f"scores of same and different pairs cannot be told apart ({comparison}, {interval}; 50 is chance): the "
            "labels do not say what this encoder sees, or are too few; check them, label more pictures, or list "
            "judged pairs with --pairs",
            subject="pairs",
        )


def check_map(knots: Knots, holdout: Pairs, agreement: Reliability) -> None:
    """Raise PairsInsufficientError if the confidence is nearly constant, or no better than the prevalence alone."""
    lowest, highest = knots.apply(holdout.scores[[holdout.scores.argmin(), holdout.scores.argmax()]]).tolist()
    if highest - lowest < MIN_CONFIDENCE_RANGE:
        raise PairsInsufficientError(
            f"the confidence is nearly the same for every score ({percent(lowest)} to {percent(highest)} %): "
            "label more pictures of the same things, or list judged pairs with --pairs",
            subject="pairs",
        )
    prevalence_brier = holdout.prevalence * (1 - holdout.prevalence)
    if agreement.brier >= prevalence_brier:
        raise PairsInsufficientError(
            f"on held-out pairs the confidence is no better than a constant {percent(holdout.prevalence)} % (Brier "
            f"score {agreement.brier:.4f}, {prevalence_brier:.4f} for the constant): label more pictures, or list "
            "judged pairs with --pairs",
            subject="pairs",
        )


def check_threshold(metrics: ThresholdMetrics, prevalence: float, rule: Rule) -> None:
    """Raise PairsInsufficientError if a threshold fails on held-out pairs, judged by the pairs that pass."""
    threshold_text = f"cosine {2 * metrics.threshold - 1:.3f}"
    if math.isnan(metrics.precision.value) or metrics.pictures < MIN_PICTURES:
        raise PairsInsufficientError(
            f"only {metrics.passing_pairs} of the held-out pairs, of {metrics.pictures} pictures, reach the threshold "
            f"{threshold_text}, too few to measure its precision: label more pictures, list more pairs, or ask for "
            "less with --precision",
            subject="pairs",
        )
    interval = f"95 % interval {percent(metrics.precision.low)} to {percent(metrics.precision.high)}"
    if metrics.false_positive_rate > MAX_FALSE_POSITIVE_RATE:
        raise PairsInsufficientError(
            f"{percent(metrics.false_positive_rate)} % of different pairs would pass as similar from {threshold_text} "
            "on, so the threshold does not separate them: ask for a stricter one with --precision, check the labels, "
            "or list judged pairs with --pairs",
            subject="threshold",
        )
    if metrics.precision.low <= prevalence:
        raise PairsInsufficientError(
            f"of the pairs that pass from {threshold_text} on {percent(metrics.precision.value)} % are the same "
            f"({interval}), which may be no more than the {percent(prevalence)} % of all pairs: check the labels, "
            "label more pictures, or list judged pairs with --pairs",
            subject="threshold",
        )
    if rule.precision is not None and metrics.precision.high < rule.precision:
        raise PairsInsufficientError(
            f"a precision of {rule.precision:g} was asked for, and of the held-out pairs that pass from "
            f"{threshold_text} on {percent(metrics.precision.value)} % are the same ({interval}): the fit to one half "
            "does not hold on the other; label more pictures, or ask for less with --precision",
            subject="precision",
        )


def find_warnings(metrics: ThresholdMetrics) -> tuple[str, ...]:
    """Warnings for a threshold that is good enough to be put in force but rarely or wrongly says `similar`."""
    warnings = []
    if metrics.recall.value < LOW_RECALL:
        warnings.append(
            f"only {percent(metrics.recall.value)} % of same pairs reach the threshold, so the verdict `similar` will "
            "be rare: ask for less with --precision, or use a better encoder"
        )
    if metrics.precision.value < 0.5:
        warnings.append(
            f"most pairs that pass as similar are different ({percent(1 - metrics.precision.value)} %): ask for more "
            "with --precision"
        )
    return tuple(warnings)
