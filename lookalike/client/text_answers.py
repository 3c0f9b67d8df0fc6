"""What hits say of the words that were searched for."""

from __future__ import annotations

from lookalike.client.answer_base import Answer


class PieceAnswer(Answer, frozen=True, kw_only=True):
    """A piece of a text, and whether it is what was searched for."""

    text: str
    match: bool


class HighlightAnswer(Answer, frozen=True, kw_only=True):
    """A text of an item in pieces."""

    field: str
    pieces: tuple[PieceAnswer, ...]
