"""From which score two pictures count as similar, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


def normalized(score: float) -> float:
    """(cosine + 1) / 2, in [0, 1]."""
    return (score + 1) / 2


@dataclass(frozen=True, slots=True)
class Threshold:
    """``value`` is a normalised score in [0, 1]; ``source`` says in words where it comes from."""

    value: float
    source: str

    @classmethod
    def given(cls, value: float | None) -> Self:
        """The one that the caller gave, or else the default."""
        if value is None:
            return cls(DEFAULT_VALUE, "default, not calibrated for this encoder")
        return cls(value, "given")

    def similar(self, score: float) -> bool:
        """Whether this cosine score reaches the threshold."""
        return normalized(score) >= self.value


DEFAULT_VALUE = 0.80
"""What stands in for a calibrated threshold: the normalised score 0.80, a cosine of 0.60."""
