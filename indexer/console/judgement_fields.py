"""How scores are judged, as JSON and in a word."""

from __future__ import annotations

from lookalike.thresholds import Threshold


def threshold_fields(threshold: Threshold) -> dict[str, object]:
    """A threshold as JSON."""
    return {"value": threshold.value, "source": threshold.source}


def confidence_fields(confidence: float | None, score_problem: str | None) -> dict[str, object]:
    """A confidence as JSON, or why there is none."""
    if confidence is not None:
        return {"confidence": round(confidence, 4), "confidence_problem": None}
    return {"confidence": None, "confidence_problem": score_problem or "the scores are not calibrated"}


def score_word(*, similar: bool | None, confidence: float | None) -> str:
    """What a score says in a word: *perhaps* where it is below the threshold, and yet as likely as not of a pair that
    shows the same thing.
    """
    if similar:
        return "similar"
    return "perhaps" if confidence is not None and confidence >= 0.5 else "different"
