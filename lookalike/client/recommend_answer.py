"""What the service answers to a recommendation."""

from __future__ import annotations

from lookalike.client.answer_base import Answer
from lookalike.client.answers import FacetAnswer, HitAnswer, ThresholdAnswer


class RecommendAnswer(Answer, frozen=True, kw_only=True):
    """The recommended items, best first."""

    collection: str
    snapshot: int
    encoder: str
    basis: str
    results: tuple[HitAnswer, ...]
    threshold: ThresholdAnswer
    exhausted: bool
    took_ms: dict[str, float]
    strategy: str | None = None
    best_score: float | None = None
    next_cursor: str | None = None
    passing: int | None = None
    facets: dict[str, FacetAnswer] | None = None
    fallback: str | None = None
