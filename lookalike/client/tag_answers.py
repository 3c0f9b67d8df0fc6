"""The answer about a picture's tags; see ``answers``."""

from __future__ import annotations

from lookalike.client.answer_base import Answer


class TagAnswer(Answer, frozen=True, kw_only=True):
    """A word for what a picture shows."""

    word: str
    confidence: float


class TagsAnswer(Answer, frozen=True, kw_only=True):
    """The words for what a picture shows, from the most specific to the most general."""

    tags: tuple[TagAnswer, ...]
    encoder: str
    took_ms: dict[str, float]
