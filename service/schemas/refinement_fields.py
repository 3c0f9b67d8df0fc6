"""Fields of searches beyond the query: filter, facets, groups, copies, diversity, boosts and pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from lookalike.collection.merged_search import MAX_COLLECTIONS
from lookalike.collection.refinement import (
    MAX_BOOSTS,
    MAX_FEEDBACK_KEYS,
    MAX_WEIGHT,
    Boost,
    GroupScore,
    StackKind,
)
from service.http.json_form import IN_JSON
from service.schemas.json_text import parse_json

MAX_FACETS = 8
MAX_EXCLUDED = 1000
MAX_LISTED = 500
MAX_EXPORTED_FIELDS = 256
_MAX_NAME = 1024
_MAX_FILTER = 60_000

EMPTY_IS_NOT_SENT = BeforeValidator(lambda value: None if value == "" else value)
"""For optional texts: a page's form sends those that are left blank as empty ones."""
FilterField = Annotated[
    Annotated[
        str,
        WithJsonSchema(
            {"type": "string", "maxLength": _MAX_FILTER, IN_JSON: {"anyOf": [{"type": "string"}, {"type": "object"}]}}
        ),
    ]
    | None,
    Field(
        max_length=_MAX_FILTER,
        description='What items have to pass: `category = mug and price < 60`, or JSON such as `{"category": "mug"}` '
        "(docs/filters.md). In a query string also as `filter[category]=mug&filter[price][lt]=60`.",
    ),
    EMPTY_IS_NOT_SENT,
]


class Fallback(StrEnum):
    """What to do where fewer than k items pass the filter."""

    NONE = "none"
    RELAX_FILTER = "relax_filter"


def _name_parser(max_count: int, min_count: int = 0) -> Callable[[object], object]:
    """A validator of names between commas, or in a JSON list where one has a comma."""

    def parse(value: object) -> object:
        if not isinstance(value, str):
            return value
        names = parse_json(value) if value.lstrip().startswith("[") else split_names(value)
        if not all(isinstance(name, str) for name in names):
            raise ValueError("must be a list of texts")
        if len(names) > max_count:
            raise ValueError(f"must have at most {max_count} names")
        if len(names) < min_count:
            raise ValueError("must have a name, or be left out")
        for name in names:
            check_name(name)
        return tuple(dict.fromkeys(names))

    return parse


def split_names(text: str) -> list[str]:
    """Names between commas."""
    return [name.strip() for name in text.split(",")]


def check_name(name: str) -> None:
    """Raise ValueError for what is no name of a column, of an item or of a collection."""
    if not 0 < len(name) <= _MAX_NAME:
        raise ValueError(f"each name must have 1 to {_MAX_NAME} characters")
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise ValueError("contains a character that is not allowed")


def _parse_boosts(value: object) -> object:
    if not isinstance(value, str):
        return value
    parsed = parse_json(value)
    entries = parsed if isinstance(parsed, list) else [parsed]
    if not 0 < len(entries) <= MAX_BOOSTS:
        raise ValueError(f"must be 1 to {MAX_BOOSTS} objects")
    boosts = tuple(_parse_boost(entry) for entry in entries)
    if sum(abs(boost.weight) for boost in boosts) > MAX_WEIGHT + 1e-9:
        raise ValueError(f"the weights must be at most {MAX_WEIGHT} in sum, signs aside")
    return boosts


def _parse_boost(entry: object) -> Boost:
    if not isinstance(entry, Mapping) or not {"field", "weight"} <= set(entry) <= {"field", "weight", "scale"}:
        raise ValueError('must be objects such as {"field": "popularity", "weight": 0.1, "scale": 1000}')
    field, weight, scale = entry["field"], entry["weight"], entry.get("scale", 1)
    if not isinstance(field, str):
        raise ValueError("field must be text")
    if not (_is_finite(weight) and _is_finite(scale) and scale > 0):
        raise ValueError("weight and scale must be finite numbers, and scale above 0")
    return Boost(field=field, weight=float(weight), scale=float(scale))


def _is_finite(number: object) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False


_NAMES = WithJsonSchema(
    {"type": "string", IN_JSON: {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}}
)
FacetNames = Annotated[tuple[str, ...], BeforeValidator(_name_parser(MAX_FACETS)), _NAMES]
FeedbackKeys = Annotated[tuple[str, ...], BeforeValidator(_name_parser(MAX_FEEDBACK_KEYS)), _NAMES]
CollectionNames = Annotated[tuple[str, ...], BeforeValidator(_name_parser(MAX_COLLECTIONS, 1)), _NAMES]
ExcludedKeys = Annotated[tuple[str, ...], BeforeValidator(_name_parser(MAX_EXCLUDED)), _NAMES]
ExportedFields = Annotated[tuple[str, ...], BeforeValidator(_name_parser(MAX_EXPORTED_FIELDS, 1)), _NAMES]
ListedKeys = Annotated[tuple[str, ...], BeforeValidator(_name_parser(MAX_LISTED)), _NAMES]
_BOOST_IN_JSON = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "weight": {"type": "number"}, "scale": {"type": "number"}},
    "required": ["field", "weight"],
    "additionalProperties": False,
}
Boosts = Annotated[
    tuple[Boost, ...],
    BeforeValidator(_parse_boosts),
    WithJsonSchema(
        {
            "type": "string",
            "format": "json",
            "examples": ['{"field": "stars", "weight": 0.1, "scale": 5}'],
            IN_JSON: {"anyOf": [_BOOST_IN_JSON, {"type": "array", "items": _BOOST_IN_JSON, "maxItems": MAX_BOOSTS}]},
        }
    ),
]


STACK = (
    "copies or bursts, in place of group_by: items that are copies of each other by the last search for duplicates, or "
    "shots of one burst with their copies, are one group. An item of none is a group of its own."
)


# Bases are in the reverse order of their fields.


class _GroupFields(BaseModel):
    filter: FilterField = None
    fallback: Fallback = Field(
        default=Fallback.NONE,
        description="Where fewer than k pass the filter: none, or relax_filter to go on with the best that do not, "
        "which have `passed_filter` false.",
    )
    group_by: str | None = Field(
        default=None,
        max_length=_MAX_NAME,
        description="A column, or product_id: k groups of items with the same value of it. An item without a value is "
        "a group of its own. The group of the query's item is left out, as are those of unlike_keys, and of like_keys "
        "without include_liked.",
    )
    group_size: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="With group_by or stack: how many items of each group, 1 if it is not sent.",
    )
    stack: StackKind | None = Field(default=None, description=STACK)


class _GroupScoreFields(_GroupFields):
    group_score: GroupScore = Field(
        default=GroupScore.BEST,
        description="With group_by: rank groups by the score of their best item, or by the mean, over the pictures of "
        "the query, of the best cosine that an item of the group has with each (`group_score` of the hits).",
    )


class _OrderFields(BaseModel):
    dedupe: bool = Field(
        default=False, description="Leave out items whose file has the same bytes as that of a better hit."
    )
    exclude_keys: ExcludedKeys = Field(
        default=(),
        description=f"Up to {MAX_EXCLUDED} keys of items to leave out, between commas or as a JSON list; of those that "
        "are not there nothing is said.",
    )
    diversity: float = Field(
        default=0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How much likeness to the hits before counts against an item (maximal marginal relevance): of 1, "
        "nothing else counts. Ranked so among the best 4 k, of 100 at least and 2000 at most.",
    )
    boost: Boosts = Field(
        default=(),
        description=f"One to {MAX_BOOSTS} JSON objects in a list, or one alone: weight · clip(value / scale, 0, 1) of "
        f"a numeric field is added to the score; the weights are at most {MAX_WEIGHT} in sum, signs aside. Ranked so "
        "among the best 10 k, of 200 at least and 2000 at most.",
    )


class HitFields(_OrderFields, _GroupFields):
    """How hits are chosen beyond their scores, whatever is searched with."""


class RefinementFields(HitFields, _GroupScoreFields):
    """How hits are chosen beyond their scores, with what belongs to a search with pictures or an item."""

    like_keys: FeedbackKeys = Field(
        default=(),
        description=f"More like these: up to {MAX_FEEDBACK_KEYS} keys of items, between commas or as a JSON list. Hits "
        "are ranked by a query that is moved towards them (`feedback_score`); their `score` stays the cosine with the "
        "query itself.",
    )
    unlike_keys: FeedbackKeys = Field(
        default=(), description="Less like these, likewise: the query is moved away from them, and they are no hits."
    )
    include_liked: bool = Field(default=False, description="Let the items of like_keys be hits too.")


class ResponseFields(BaseModel):
    """What belongs to the response to one search."""

    facets: FacetNames = Field(
        default=(),
        description=f"Up to {MAX_FACETS} columns, between commas or as a JSON list: the 20 most frequent values of "
        "each among the items that pass the filter.",
    )
    cursor: Annotated[str | None, EMPTY_IS_NOT_SENT] = Field(
        default=None, max_length=200, description="`next_cursor` of the page before, with the same query."
    )


class PageFields(ResponseFields, RefinementFields):
    """How hits are chosen, and what belongs to the response to one search."""
