"""Calibrate an encoder from labelled vectors or judged pairs: fit on one half, measure on the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from indexer.calibration.fit import Rule, fit_map, fit_threshold
from indexer.calibration.holdout_split import split_labels, split_pairs
from indexer.calibration.labelled_set import LabelledSet, check_classes, drop_copies
from indexer.calibration.pairs import Pairs, join_sets, pairs_of_labels
from indexer.calibration.refusals import (
    check_counts,
    check_judgements,
    check_map,
    check_separation,
    check_threshold,
    find_warnings,
)
from indexer.calibration.validation import Reliability, ThresholdMetrics, Validation, reliability, validate
from lookalike.calibration import Calibration, HoldoutFigures
from lookalike.encoder.spec import EncoderSpec

SEED = 5
"""Seed of the hold-out split, of the sampling of pairs and of the bootstrap."""


@dataclass(frozen=True, eq=False)
class Halves:
    """Pairs to fit and held-out pairs; no picture is in both.

    ``holdout_sets`` are the held-out pairs of each set by its name, if there are several. ``notes`` are remarks on the
    pictures for the user.
    """

    fit: Pairs
    holdout: Pairs
    holdout_sets: tuple[tuple[str, Pairs], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CalibrationResult:
    """A calibration with its metrics on held-out pairs.

    ``validation`` is at its threshold, and ``set_validations`` likewise for each of several sets by name. ``warnings``
    are for the user.
    """

    calibration: Calibration
    halves: Halves
    validation: Validation
    reliability: Reliability
    set_validations: tuple[tuple[str, Validation], ...]
    warnings: tuple[str, ...]

    @property
    def holdout_metrics(self) -> ThresholdMetrics:
        """Metrics of the held-out pairs at the threshold."""
        (metrics,) = self.validation.points
        return metrics

    def fields(self) -> dict[str, Any]:
        """The metrics, for JSON output."""
        validation, metrics = self.validation, self.holdout_metrics
        return {
            "summary": self.calibration.summary,
            "warnings": list(self.warnings),
            **_metric_fields(validation, metrics),
            "precision_if_even": round(metrics.precision_if_even, 4),
            "auc": validation.auc.fields(),
            "pairs_held_back": len(self.halves.holdout),
            "sets": [{"name": name, **_metric_fields(own, own.points[0])} for name, own in self.set_validations],
        }


def halves_of_labels(sets: Sequence[LabelledSet]) -> Halves:
    """Hold-out split of one or more sets of pictures.

    Pairs are made within a set only, and each set has the same total weight. Raises LabelsMissingError and
    PairsInsufficientError for labels that make no pairs, too few, or contradict each other.
    """
    sides: tuple[list[Pairs], list[Pairs]] = ([], [])
    notes: list[str] = []
    for pictures in sets:
        check_classes(pictures.name, pictures.labels)
        distinct, copy_notes = drop_copies(pictures)
        notes += copy_notes
        suffix = " (copies left out)" if len(distinct.labels) < len(pictures.labels) else ""
        for side, rows in zip(sides, split_labels(distinct.labels, SEED), strict=True):
            pairs = pairs_of_labels(distinct.vectors, distinct.labels, rows, SEED)
            check_counts(pairs, f"one half of {pictures.name}{suffix}")
            side.append(pairs)
    fit, holdout = (side[0] if len(side) == 1 else join_sets(side) for side in sides)
    names = [pictures.name for pictures in sets]
    return Halves(fit, holdout, tuple(zip(names, sides[1], strict=True)) if len(sets) > 1 else (), tuple(notes))


def halves_of_judgements(pairs: Pairs) -> Halves:
    """Hold-out split of judged pairs; raises PairsInsufficientError for too few, or for one answer only."""
    check_judgements(pairs)
    check_counts(pairs, "the list as a whole")
    halves = Halves(*split_pairs(pairs, SEED))
    check_counts(halves.fit, "the half to fit, without pairs across the halves,")
    check_counts(halves.holdout, "the half to check, without pairs across the halves,")
    return halves


def calibrate(halves: Halves, spec: EncoderSpec, *, collection: str | None, rule: Rule) -> CalibrationResult:
    """Fit threshold and map to one half, measure them on the other.

    ``spec`` is of the encoder that made the scores; ``collection`` None makes the encoder's default. Raises
    PairsInsufficientError for a fit that is no better than chance on held-out pairs.
    """
    fit, holdout = halves.fit, halves.holdout
    check_separation(validate(holdout, (), SEED), holdout)
    threshold = round(fit_threshold(fit, rule), 4)
    validation = validate(holdout, (threshold,), SEED)
    (metrics,) = validation.points
    check_threshold(metrics, validation.prevalence, rule)
    knots = fit_map(fit)
    holdout_reliability = reliability(holdout, knots.apply(holdout.scores))
    check_map(knots, holdout, holdout_reliability)
    calibration = Calibration(
        encoder=spec.name,
        encoder_digest=spec.digest,
        collection=collection,
        threshold=threshold,
        rule=rule.words,
        precision=metrics.precision.value,
        recall=metrics.recall.value,
        scores=tuple(knots.scores.tolist()),
        probabilities=tuple(knots.probabilities.tolist()),
        method=knots.method,
        brier=holdout_reliability.brier,
        calibration_error=holdout_reliability.error,
        positives=fit.positives + holdout.positives,
        negatives=fit.negatives + holdout.negatives,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        held_back=_holdout_figures(validation, holdout),
    )
    set_validations = tuple((name, validate(pairs, (threshold,), SEED)) for name, pairs in halves.holdout_sets)
    return CalibrationResult(
        calibration, halves, validation, holdout_reliability, set_validations, (*halves.notes, *find_warnings(metrics))
    )


def _holdout_figures(validation: Validation, holdout: Pairs) -> HoldoutFigures:
    (metrics,) = validation.points
    return HoldoutFigures(
        precision_low=metrics.precision.low,
        precision_high=metrics.precision.high,
        recall_low=metrics.recall.low,
        recall_high=metrics.recall.high,
        false_positive_rate=metrics.false_positive_rate,
        prevalence=validation.prevalence,
        pairs=len(holdout),
    )


def _metric_fields(validation: Validation, metrics: ThresholdMetrics) -> dict[str, Any]:
    is_undefined = math.isnan(metrics.precision.value)
    return {
        "precision": None if is_undefined else metrics.precision.fields(),
        "recall": metrics.recall.fields(),
        "false_positive_rate": round(metrics.false_positive_rate, 6),
        "prevalence": round(validation.prevalence, 6),
    }
