"""Fields of searches for words, and what hits say of these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, Field

from lookalike.words.highlights import Highlight
from lookalike.words.text_query import MAX_PHRASES, MAX_TEXT, TextMatch
from service.schemas.refinement_fields import EMPTY_IS_NOT_SENT


class TextFields(BaseModel):
    """Words to search for, alone or beside a picture."""

    text: Annotated[str | None, EMPTY_IS_NOT_SENT] = Field(
        default=None,
        max_length=MAX_TEXT,
        description=f"Up to {MAX_PHRASES} words that titles, metadata or file names have (docs/text.md): `red mug`, "
        'with a phrase `"striped mug"`, without a word `mug -red`; a text that ends with a letter finds longer words. '
        "Alone, or beside a picture or a key: then hits are ranked by both.",
    )
    text_match: TextMatch = Field(
        default=TextMatch.ALL, description="With text: items that have all of its words, or any of them."
    )
    text_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="With text beside a picture: how much its ranking counts, from 0 (only words with a minus have a "
        "say) to 1 (the picture only ranks what the words do not).",
    )


@dataclass(frozen=True, slots=True)
class PieceAnswer:
    """A piece of a text; `match` where it is what was searched for."""

    text: str
    match: bool


@dataclass(frozen=True, slots=True)
class HighlightAnswer:
    """A text of the item in pieces, which are plain text: a long one is cut, with dots."""

    field: Annotated[str, Field(description="title, key (its file name), or a column of the metadata.")]
    pieces: list[PieceAnswer]

    @classmethod
    def all_of(cls, highlights: Iterable[Highlight]) -> list[Self]:
        """From the library's objects."""
        return [
            cls(highlight.field, [PieceAnswer(piece.text, piece.is_match) for piece in highlight.pieces])
            for highlight in highlights
        ]
