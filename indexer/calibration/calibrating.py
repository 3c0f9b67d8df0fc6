"""A calibration from vectors and labels, or from judged pairs: fitted on one half, measured on the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from indexer.calibration.checking import AtThreshold, Reliability, at_threshold, reliability
from indexer.calibration.fitting import Rule, check_pairs, fit_map, fit_threshold
from indexer.calibration.halves import split_labels, split_pairs
from indexer.calibration.pairs import Pairs, Vectors, joined, pairs_of_labels
from lookalike.calibration import Calibration
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import PairsInsufficientError

SEED = 5
"""Decides which pictures are in which half, and which pairs are drawn."""


@dataclass(frozen=True, eq=False)
class Halves:
    """The pairs to fit with, and those to check with: no picture is in both."""

    fit: Pairs
    held: Pairs


@dataclass(frozen=True, eq=False)
class Fitted:
    """A calibration, and what its report shows of the pairs held back."""

    calibration: Calibration
    halves: Halves
    checked: AtThreshold
    reliability: Reliability


def halves_of_labels(sets: Sequence[tuple[Vectors, Sequence[str]]]) -> Halves:
    """Halves of one or more sets of pictures: vectors (n, D) of unit length with their labels (n).

    Pairs are made within a set only, and each set weighs the same. Raises PairsInsufficientError for too few.
    """
    sides: tuple[list[Pairs], list[Pairs]] = ([], [])
    for vectors, labels in sets:
        for side, rows in zip(sides, split_labels(labels, SEED), strict=True):
            pairs = pairs_of_labels(vectors, labels, rows, SEED)
            check_pairs(pairs, "one half")
            side.append(pairs)
    fit, held = (side[0] if len(side) == 1 else joined(side) for side in sides)
    return Halves(fit, held)


def halves_of_answers(pairs: Pairs) -> Halves:
    """Halves of judged pairs; raises PairsInsufficientError for too few."""
    check_pairs(pairs, "the list as a whole")
    halves = Halves(*split_pairs(pairs, SEED))
    check_pairs(halves.fit, "the half to fit, after pairs across the halves were left out,")
    check_pairs(halves.held, "the half to check, after pairs across the halves were left out,")
    return halves


def calibrate(halves: Halves, spec: EncoderSpec, *, collection: str | None, rule: Rule) -> Fitted:
    """Threshold and map from the pairs to fit, their figures from the others.

    ``spec`` is of the encoder that made the scores; ``collection`` None makes the encoder's default. Raises
    PairsInsufficientError.
    """
    fit, held = halves.fit, halves.held
    threshold = round(fit_threshold(fit, rule), 4)
    knots = fit_map(fit)
    checked = at_threshold(held, threshold, SEED)
    if math.isnan(checked.precision.value):
        raise PairsInsufficientError(
            f"no pair held back reaches the threshold {threshold}: list more pairs, or ask for less with --precision",
            subject="pairs",
        )
    agreement = reliability(held, knots.apply(held.scores))
    calibration = Calibration(
        encoder=spec.name,
        encoder_digest=spec.digest,
        collection=collection,
        threshold=threshold,
        rule=rule.words,
        precision=checked.precision.value,
        recall=checked.recall.value,
        scores=tuple(knots.scores.tolist()),
        probabilities=tuple(knots.probabilities.tolist()),
        method=knots.method,
        brier=agreement.brier,
        calibration_error=agreement.error,
        positives=fit.positives + held.positives,
        negatives=fit.negatives + held.negatives,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Fitted(calibration, halves, checked, agreement)


def default_calibration_of(
    spec: EncoderSpec, sets: Sequence[tuple[Vectors, Sequence[str]]], rule: Rule | None = None
) -> Fitted:
    """The calibration that ships with an encoder, from its vectors of one or more labelled sets."""
    return calibrate(halves_of_labels(sets), spec, collection=None, rule=rule or Rule())
