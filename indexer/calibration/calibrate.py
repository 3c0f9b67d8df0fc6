"""A calibration from vectors and labels, or from judged pairs: fitted on one half, measured on the other."""

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
from indexer.calibration.validation import AtThreshold, Reliability, Validation, reliability, validate
from lookalike.calibration import Calibration, HeldBack
from lookalike.encoder.spec import EncoderSpec

SEED = 5
"""Decides which pictures are in which half, and which pairs are drawn."""


@dataclass(frozen=True, eq=False)
class Halves:
    """The pairs to fit with, and those to check with: no picture is in both.

    ``held_sets`` are the pairs held back of each set by its name, where there are several. ``notes`` are what a person
    should know of the pictures.
    """

    fit: Pairs
    held: Pairs
    held_sets: tuple[tuple[str, Pairs], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Fitted:
    """A calibration, and what its report shows of the pairs held back.

    ``checked`` is at its threshold, and ``checked_sets`` likewise for each of several sets. ``warnings`` are what a
    person should know before relying on it.
    """

    calibration: Calibration
    halves: Halves
    validation: Validation
    reliability: Reliability
    checked_sets: tuple[tuple[str, Validation], ...]
    warnings: tuple[str, ...]

    @property
    def checked(self) -> AtThreshold:
        """The pairs held back at the threshold."""
        (point,) = self.validation.points
        return point

    def fields(self) -> dict[str, Any]:
        """What was measured, for a program."""
        validation, point = self.validation, self.checked
        return {
            "summary": self.calibration.summary,
            "warnings": list(self.warnings),
            **_point_fields(validation, point),
            "precision_if_even": round(point.precision_if_even, 4),
            "auc": validation.auc.fields(),
            "pairs_held_back": len(self.halves.held),
            "sets": [{"name": name, **_point_fields(own, own.points[0])} for name, own in self.checked_sets],
        }


def halves_of_labels(sets: Sequence[LabelledSet]) -> Halves:
    """Halves of one or more sets of pictures.

    Pairs are made within a set only, and each set weighs the same. Raises LabelsMissingError and
    PairsInsufficientError for labels that make no pairs, too few, or contradict each other.
    """
    sides: tuple[list[Pairs], list[Pairs]] = ([], [])
    notes: list[str] = []
    for pictures in sets:
        check_classes(pictures.name, pictures.labels)
        distinct, noted = drop_copies(pictures)
        notes += noted
        after = " (copies left out)" if len(distinct.labels) < len(pictures.labels) else ""
        for side, rows in zip(sides, split_labels(distinct.labels, SEED), strict=True):
            pairs = pairs_of_labels(distinct.vectors, distinct.labels, rows, SEED)
            check_counts(pairs, f"one half of {pictures.name}{after}")
            side.append(pairs)
    fit, held = (side[0] if len(side) == 1 else join_sets(side) for side in sides)
    names = [pictures.name for pictures in sets]
    return Halves(fit, held, tuple(zip(names, sides[1], strict=True)) if len(sets) > 1 else (), tuple(notes))


def halves_of_judgements(pairs: Pairs) -> Halves:
    """Halves of judged pairs; raises PairsInsufficientError for too few, or for one answer only."""
    check_judgements(pairs)
    check_counts(pairs, "the list as a whole")
    halves = Halves(*split_pairs(pairs, SEED))
    check_counts(halves.fit, "the half to fit, after pairs across the halves were left out,")
    check_counts(halves.held, "the half to check, after pairs across the halves were left out,")
    return halves


def calibrate(halves: Halves, spec: EncoderSpec, *, collection: str | None, rule: Rule) -> Fitted:
    """Threshold and map from the pairs to fit, their figures from the others.

    ``spec`` is of the encoder that made the scores; ``collection`` None makes the encoder's default. Raises
    PairsInsufficientError for a fit that means nothing on the pairs held back.
    """
    fit, held = halves.fit, halves.held
    check_separation(validate(held, (), SEED), held)
    threshold = round(fit_threshold(fit, rule), 4)
    validation = validate(held, (threshold,), SEED)
    (point,) = validation.points
    check_threshold(point, validation.prevalence, rule)
    knots = fit_map(fit)
    agreement = reliability(held, knots.apply(held.scores))
    check_map(knots, held, agreement)
    calibration = Calibration(
        encoder=spec.name,
        encoder_digest=spec.digest,
        collection=collection,
        threshold=threshold,
        rule=rule.words,
        precision=point.precision.value,
        recall=point.recall.value,
        scores=tuple(knots.scores.tolist()),
        probabilities=tuple(knots.probabilities.tolist()),
        method=knots.method,
        brier=agreement.brier,
        calibration_error=agreement.error,
        positives=fit.positives + held.positives,
        negatives=fit.negatives + held.negatives,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        held_back=_held_back(validation, held),
    )
    sets = tuple((name, validate(pairs, (threshold,), SEED)) for name, pairs in halves.held_sets)
    return Fitted(calibration, halves, validation, agreement, sets, (*halves.notes, *find_warnings(point)))


def _held_back(validation: Validation, held: Pairs) -> HeldBack:
    (point,) = validation.points
    return HeldBack(
        precision_low=point.precision.low,
        precision_high=point.precision.high,
        recall_low=point.recall.low,
        recall_high=point.recall.high,
        false_positive_rate=point.false_positive_rate,
        prevalence=validation.prevalence,
        pairs=len(held),
    )


def _point_fields(validation: Validation, point: AtThreshold) -> dict[str, Any]:
    none_pass = math.isnan(point.precision.value)
    return {
        "precision": None if none_pass else point.precision.fields(),
        "recall": point.recall.fields(),
        "false_positive_rate": round(point.false_positive_rate, 6),
        "prevalence": round(validation.prevalence, 6),
    }
