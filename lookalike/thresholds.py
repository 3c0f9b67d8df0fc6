"""From which score on two pictures count as similar, and where this threshold comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from lookalike.calibration import Calibration, percent, threshold_words
from lookalike.short_repr import ShortRepr


def normalise_score(score: float) -> float:
    """(cosine + 1) / 2, in [0, 1]."""
    return (score + 1) / 2


@dataclass(frozen=True, slots=True, repr=False)
class Threshold(ShortRepr):
    """``value`` is a normalised score in [0, 1]; ``source`` is a text that says where it comes from.

    ``calibration`` maps scores to confidence, also if the value itself was given by the caller.
    ``source_calibration`` is the calibration that the value itself comes from: None for a value that was given, and
    for the default.
    """

    value: float
    source: str
    calibration: Calibration | None = field(default=None, repr=False)
    source_calibration: Calibration | None = field(default=None, repr=False)

    @classmethod
    def choose(cls, value: float | None, calibration: Calibration | None) -> Self:
        """The caller's value, or else the calibrated one, or else the default."""
        if value is not None:
            return cls(value, "given", calibration)
        if calibration is None:
            return cls(DEFAULT_VALUE, "default, not calibrated for this encoder")
        return cls(calibration.threshold, _source(calibration), calibration, source_calibration=calibration)

    @property
    def cosine(self) -> float:
        """The value as a cosine, from -1 to 1, as scores are."""
        return 2 * self.value - 1

    @property
    def words(self) -> str:
        """As text: "cosine 0.410 (normalised 0.705)"."""
        return threshold_words(self.value)

    @property
    def meaning(self) -> str | None:
        """What a calibrated value was measured to do, in a sentence; None for one that was given and the default."""
        calibration = self.source_calibration
        if calibration is None:
            return None
        text = "the threshold is strict: " if calibration.recall < _LOW_RECALL else ""
        text += f"of all pairs that reach it {percent(calibration.precision)} % show the same thing, and it is reached "
        text += f"by {percent(calibration.recall)} % of all pairs that do"
        if calibration.collection is None:
            text += "; `calibrate` fits it to your pictures"
        return text

    def similar(self, score: float) -> bool:
        """Whether this cosine score reaches the threshold."""
        return normalise_score(score) >= self.value

    def confidence(self, score: float) -> float | None:
        """P(same thing | this cosine score), as ``Calibration`` has it; None if not calibrated."""
        return None if self.calibration is None else self.calibration.confidence(score)


def _source(calibration: Calibration) -> str:
    figures = f"{calibration.rule}, recall {calibration.recall:.2g}"
    if calibration.collection is not None:
        return f"calibrated on collection {calibration.collection} ({figures})"
    return f"calibrated for encoder {calibration.encoder} ({figures})"


_LOW_RECALL = 0.5
"""Recall below which a threshold is called strict: most pairs of the same thing do not reach it."""
DEFAULT_VALUE = 0.80
"""The threshold without a calibration: the normalised score 0.80, a cosine of 0.60."""
