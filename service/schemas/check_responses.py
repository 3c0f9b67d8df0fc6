"""The response to the check of a picture before it is added, and the places where copies differ."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field

from lookalike.copies import Difference
from lookalike.tiers import Tier
from service.schemas.search_responses import Milliseconds, Score, ThresholdAnswer

BoxAnswer = Annotated[
    tuple[float, float, float, float],
    Field(description="x0, y0, x1, y1 as fractions of the upright picture's width and height."),
]


class DifferenceAnswer(BaseModel):
    """A place where two copies show something else: a changed number, a caption, a logo."""

    first: BoxAnswer
    second: BoxAnswer

    @classmethod
    def of(cls, difference: Difference) -> Self:
        """From the library's object."""
        return cls(first=difference.first, second=difference.second)


DiffersAt = Annotated[
    list[DifferenceAnswer],
    Field(
        description="Places where two copies show something else, the largest first: `first` is in the first picture "
        "(the one sent), `second` in the other. Empty unless `tier` is near-duplicate."
    ),
]
KeepBoth = Annotated[
    str | None,
    Field(
        description="Why neither of two copies can be dropped for the other: they differ in places, or in frames that "
        "are not shown. Null where one can, and where they are no copies."
    ),
]


class MatchAnswer(BaseModel):
    """An indexed picture that the one sent is a copy of, or similar to."""

    key: str
    title: str | None
    product_id: str | None
    tier: Tier
    score: Score
    redundant: bool = Field(description="Whether one of the two shows nothing that the other does not.")
    keep_both: KeepBoth
    differs_at: DiffersAt
    image_url: str
    thumbnail_url: str


class CheckAnswer(BaseModel):
    """Whether a picture is new to a collection."""

    collection: str
    snapshot: int
    verdict: str = Field(
        description="new, or the tier of the best match: same-bytes, same-pixels, near-duplicate, similar.",
        pattern="^(new|same-bytes|same-pixels|near-duplicate|similar)$",
    )
    redundant: bool = Field(description="Whether a match is `redundant`: then it need not be added.")
    matches: list[MatchAnswer] = Field(description="The closest tier first, then the highest score.")
    unread: list[str] = Field(description="Keys of candidates whose files can no longer be read, or have changed.")
    threshold: ThresholdAnswer
    took_ms: Milliseconds
