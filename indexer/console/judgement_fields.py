"""How scores are judged, as JSON of the commands."""

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
