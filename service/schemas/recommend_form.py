"""The form of a recommendation, and how liked and unliked items are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from lookalike.collection.preferences import MAX_PREFERENCES, Strategy, WeightedKey
from service.http.forms import File, Form
from service.http.json_form import IN_JSON
from service.schemas.json_text import parse_json
from service.schemas.refinement_fields import HitFields, ResponseFields, check_name, split_names
from service.schemas.requests import Collection, GivenThreshold, K, MinScore


def _parse_weighted_keys(value: object) -> object:
    """Keys between commas, or JSON: a list of keys and of objects with a weight, or one object."""
    if not isinstance(value, str):
        return value
    parsed = parse_json(value) if value.lstrip().startswith(("[", "{")) else split_names(value)
    entries = parsed if isinstance(parsed, list) else [parsed]
    if len(entries) > MAX_PREFERENCES:
        raise ValueError(f"must have at most {MAX_PREFERENCES} items")
    return tuple(map(_parse_weighted_key, entries))


def _parse_weighted_key(entry: object) -> WeightedKey:
    if isinstance(entry, str):
        entry = {"key": entry}
    if not isinstance(entry, Mapping) or not {"key"} <= set(entry) <= {"key", "weight"}:
        raise ValueError('must be keys, or objects such as {"key": "sku-1", "weight": 2}')
    key, weight = entry["key"], entry.get("weight", 1)
    if not isinstance(key, str):
        raise ValueError("key must be text")
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError("weight must be a number")
    check_name(key)
    try:
        return WeightedKey(key, float(weight))
    except OverflowError as error:
        raise ValueError("weight must be a finite number above 0") from error


_ENTRY = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"key": {"type": "string"}, "weight": {"type": "number", "exclusiveMinimum": 0}},
            "required": ["key"],
            "additionalProperties": False,
        },
    ]
}
WeightedKeys = Annotated[
    tuple[WeightedKey, ...],
    BeforeValidator(_parse_weighted_keys),
    WithJsonSchema(
        {
            "type": "string",
            "examples": ['["sku-1", {"key": "sku-2", "weight": 2}]'],
            IN_JSON: {"anyOf": [*_ENTRY["anyOf"], {"type": "array", "items": _ENTRY, "maxItems": MAX_PREFERENCES}]},
        }
    ),
]


class _RecommendFields(Form):
    like: WeightedKeys = Field(
        default=(),
        description=f"Up to {MAX_PREFERENCES} items that are liked: keys between commas, or a JSON list of keys and of "
        "objects with key and weight, which is 1 if it is not sent. A key that comes several times has the sum of its "
        "weights. Without like and image the hits are representative items.",
    )
    unlike: WeightedKeys = Field(
        default=(), description="Items that are not liked, likewise: hits are to be less like them."
    )
    image: list[File] = Field(
        default_factory=list,
        max_length=MAX_PREFERENCES,
        description=f"Up to {MAX_PREFERENCES} pictures that are liked, each of weight 1; together as large as one may "
        "be.",
    )
    strategy: Strategy = Field(
        default=Strategy.MEAN,
        description="mean: rank by the cosine with the weighted mean of what is liked, for one taste. best: by the "
        "best weighted cosine with one thing that is liked, for several tastes.",
    )
    include_liked: bool = Field(default=False, description="Let the items of like be hits too.")
    k: K = 10
    min_score: MinScore = None
    threshold: GivenThreshold = None


class CollectionRecommendForm(ResponseFields, HitFields, _RecommendFields):
    """What is liked and what is not, and how to choose the hits."""


class RecommendForm(CollectionRecommendForm):
    """What is liked and what is not, and how and where to choose the hits."""

    collection: Collection = None
