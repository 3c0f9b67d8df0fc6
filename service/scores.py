"""What a cosine score means in a response: rounded, as a confidence, and as a yes or no."""

from __future__ import annotations

from lookalike.thresholds import Threshold
from lookalike.tiers import Tier


def round_score(score: float) -> float:
    """A score to six digits, within -1 to 1: further digits are float32's rounding error."""
    return round(score, 6) if -1.0 <= score <= 1.0 else min(1.0, max(-1.0, score))


def rounded_confidence(threshold: Threshold, score: float) -> float | None:
    """The confidence of a cosine score to four digits: a calibration of some thousand pairs does not support more."""
    confidence = threshold.confidence(score)
    return None if confidence is None else round(confidence, 4)


def is_similar(threshold: Threshold, score: float, tier: Tier | None) -> bool:
    """Whether two pictures count as similar: by their score, or because one is a copy, whatever the score is."""
    return threshold.similar(score) or (tier is not None and tier.is_copy)
