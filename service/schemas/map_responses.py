"""The response of a collection's map, in columns: 100 000 items are a few megabytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from lookalike.filters.values import Scalar


@dataclass(frozen=True, slots=True)
class MapGroupAnswer:
    """A value of the field, and how many of the items have it."""

    value: Scalar
    count: int


@dataclass(frozen=True, slots=True)
class MapAnswer:
    """A collection in two dimensions; `keys`, `x`, `y` and `groups` have an entry for each item."""

    collection: str
    snapshot: int
    map_snapshot: Annotated[int, Field(description="The snapshot that the map was made of.")]
    created_at: Annotated[datetime, Field(description="When the map was made.")]
    items: Annotated[int, Field(description="How many items of the collection have a place.")]
    placed: Annotated[
        int, Field(description="How many of them came after the map was made, and were put among their neighbours.")
    ]
    missing: Annotated[
        int,
        Field(description="How many more came after the map was made and have no place: time to make the map again."),
    ]
    field: Annotated[str | None, Field(description="The field that `groups` is about; null without one.")]
    values: Annotated[list[MapGroupAnswer], Field(description="Its most frequent values, frequent ones first.")]
    others: Annotated[int, Field(description="How many of the items have another value.")]
    without: Annotated[int, Field(description="How many of the items have no value.")]
    keys: Annotated[
        list[str], Field(description="The items' keys: of all, or of as many as `limit` says, spread over all.")
    ]
    x: Annotated[list[int], Field(description="From 0 to 65535, in the scale of `y`.")]
    y: Annotated[list[int], Field(description="From 0 to 65535, downwards.")]
    groups: Annotated[
        list[int],
        Field(
            description="For each item the index of its value in `values`, their number for another value, -1 for "
            "none. An item with several values is in the group of the most frequent one. Empty without a field."
        ),
    ]
