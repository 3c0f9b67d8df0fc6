"""From which score two pictures count as similar, and who says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from lookalike.calibration import Calibration, threshold_words
from lookalike.short_repr import ShortRepr


def normalized(score: float) -> float:
    """(cosine + 1) / 2, in [0, 1]."""
    return (score + 1) / 2


@dataclass(frozen=True, slots=True, repr=False)
class Threshold(ShortRepr):
    """``value`` is a normalised score in [0, 1]; ``source`` says in words where it comes from.

    ``calibration`` turns scores into confidence; it stays beside a value that was given, too.
    """

    value: float
    source: str
    calibration: Calibration | None = field(default=None, repr=False)

    @classmethod
    def choose(cls, given: float | None, calibration: Calibration | None) -> Self:
        """The value that the caller gave, or else the calibrated one, or else the default."""
        if given is not None:
            return cls(given, GIVEN, calibration)
        if calibration is None:
            return cls(DEFAULT_VALUE, "default, not calibrated for this encoder")
        return cls(calibration.threshold, _source(calibration), calibration)

    @property
    def fitted(self) -> Calibration | None:
        """The calibration that the value itself comes from: None for a value that was given, and for the default."""
        return None if self.source == GIVEN else self.calibration

    @property
    def cosine(self) -> float:
        """The value as a plain cosine, from -1 to 1: what scores are compared with."""
        return 2 * self.value - 1

    @property
    def words(self) -> str:
        """For a person: "cosine 0.410 (normalised 0.705)"."""
        return threshold_words(self.value)

    def similar(self, score: float) -> bool:
        """Whether this cosine score reaches the threshold."""
        return normalized(score) >= self.value

    def confidence(self, score: float) -> float | None:
        """P(same thing | this cosine score), as ``Calibration`` has it; None if not calibrated."""
        return None if self.calibration is None else self.calibration.confidence(score)


def _source(calibration: Calibration) -> str:
    if calibration.collection is not None:
        return f"calibrated on collection {calibration.collection} ({calibration.rule})"
    return f"calibrated for encoder {calibration.encoder} ({calibration.rule})"


GIVEN = "given"
DEFAULT_VALUE = 0.80
"""What stands in for a calibrated threshold: the normalised score 0.80, a cosine of 0.60."""
