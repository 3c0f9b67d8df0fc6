"""What a cosine score means in a response: rounded, as a confidence, and as a yes or no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from lookalike.copies import Difference
from lookalike.thresholds import Threshold
from lookalike.tiers import Tier, TierVerdict


@dataclass(frozen=True, slots=True)
class TierOutcome:
    """The tier of two pictures, or the reason why it cannot be decided; neither where no tier was asked for.

    ``score_problem`` says why their score has no say: because they are copies, or one is of a single colour. Of copies,
    ``keep_both`` says why neither can be dropped, and ``differs_at`` where they show something else.
    """

    tier: Tier | None = None
    problem: str | None = None
    score_problem: str | None = None
    keep_both: str | None = None
    differs_at: tuple[Difference, ...] = ()

    @classmethod
    def of(cls, verdict: TierVerdict) -> Self:
        """From the library's object."""
        return cls(
            verdict.tier,
            score_problem=verdict.score_problem,
            keep_both=verdict.keep_both,
            differs_at=verdict.differs_at,
        )


def round_score(score: float) -> float:
    """A score to six digits, within -1 to 1: further digits are float32's rounding error."""
    return round(score, 6) if -1.0 <= score <= 1.0 else min(1.0, max(-1.0, score))


def rounded_confidence(threshold: Threshold, score: float, outcome: TierOutcome) -> float | None:
    """The confidence of a cosine score to four digits: a calibration of some thousand pairs does not support more.

    None where the scores are not calibrated, or the score has no say; ``confidence_problem`` says which.
    """
    confidence = threshold.confidence(score) if outcome.score_problem is None else None
    return None if confidence is None else round(confidence, 4)


def confidence_problem(threshold: Threshold, outcome: TierOutcome) -> str | None:
    """Why there is no confidence; None if there is one."""
    if outcome.score_problem is None and threshold.calibration is None:
        return "the scores are not calibrated"
    return outcome.score_problem


def is_similar(threshold: Threshold, score: float, outcome: TierOutcome) -> bool:
    """Whether two pictures count as similar: by their tier, or else by their score if it has a say."""
    if outcome.tier is not None:
        return outcome.tier is not Tier.DIFFERENT
    return outcome.score_problem is None and threshold.similar(score)
