"""The options of searches and of the other requests that have many, by the names that they have in the API."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypedDict, TypeVar

from lookalike.client.answers import Box, ItemAnswer
from lookalike.client.call import filter_text, json_text, texts

Filter = str | Mapping[str, Any]
"""``category = mug and price < 60``, or a tree such as ``{"category": "mug"}``; docs/filters.md."""
Metadata = Mapping[str, Any]
KeyAndWeight = str | tuple[str, float]
"""An item by its key, which counts 1, or a key and how much it counts beside others."""


class _SharedOptions(TypedDict, total=False):
    k: int
    min_score: float
    threshold: float
    filter: Filter
    group_by: str
    group_size: int
    dedupe: bool
    exclude_keys: Sequence[str]


class RefinementOptions(_SharedOptions, total=False):
    """How hits are chosen; what they mean is in docs/search.md."""

    stack: str
    fallback: str
    group_score: str
    diversity: float
    boost: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    like_keys: Sequence[str]
    unlike_keys: Sequence[str]
    include_liked: bool


class RecommendOptions(_SharedOptions, total=False):
    """How a recommendation is made of what is liked, and how its hits are chosen; docs/recommend.md."""

    strategy: str
    include_liked: bool
    stack: str
    fallback: str
    diversity: float
    boost: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    facets: Sequence[str]
    cursor: str


class SimilarOptions(RefinementOptions, total=False):
    """The same, with words to search for and what belongs to the response to one search."""

    text: str
    text_match: str
    text_weight: float

    tiers: bool
    facets: Sequence[str]
    cursor: str


class SearchOptions(SimilarOptions, total=False):
    """The same, with what belongs to a picture."""

    box: Box
    combine: str


class CollectionsSearchOptions(_SharedOptions, total=False):
    """Those that are possible in several collections, and what belongs to these."""

    rank_by: str
    facets: Sequence[str]
    cursor: str
    box: Box
    combine: str


class ListingOptions(TypedDict, total=False):
    """Which items to list, in which order, and what of them."""

    filter: Filter
    limit: int
    order_by: str
    order: str
    keys: Sequence[str]
    sample: int
    vectors: bool
    group_by: str
    stack: str


class CompareOptions(TypedDict, total=False):
    """What two pictures are compared with."""

    collection: str
    encoder: str
    input_size: int
    threshold: float
    explain: bool


class EmbedOptions(TypedDict, total=False):
    """What a picture is embedded with."""

    collection: str
    encoder: str
    input_size: int
    box: Box


class TagOptions(EmbedOptions, total=False):
    """What the words for a picture are made with."""

    min_confidence: float


class CollectionOptions(TypedDict, total=False):
    """What a new collection is made with; ``columns`` are names and their types."""

    encoder: str
    input_size: int
    columns: Mapping[str, str]
    keep: int
    auto_tags: bool


class JobOptions(TypedDict, total=False):
    """The options of jobs; each kind has its own, which docs/api.md lists."""

    upload: str
    path: str
    images_root: str
    mode: str
    encoder: str
    input_size: int
    reencode: bool
    allow_removals: bool
    allow_empty: bool
    exclude: Sequence[str]
    include: Sequence[str]
    source_encoding: str
    tier: str
    neighbours: int
    label: str
    labels_from_folders: bool
    precision: float
    limit: int
    auto_tags: bool
    format: str
    filter: Filter
    fields: Sequence[str]
    vectors: bool
    count: int
    name_by: str
    names_from_folders: bool
    write: str
    write_as: str
    replace: bool
    by: str
    nearest: int
    margin: float
    top: int


class FilteredEdit(TypedDict, total=False):
    """What is changed of all items that pass a filter."""

    title: str
    product_id: str
    metadata: Metadata


class ItemEdit(FilteredEdit, total=False):
    """The same of one item, and the version that the change is meant for; what is left out stays.

    ``if_match`` is an item as it was read, or the text of its ETag.
    """

    if_match: ItemAnswer | str


class ItemPut(ItemEdit, total=False):
    """As ``ItemEdit``; with ``only_new`` the item is added, and the request refused if there is one already."""

    only_new: bool


T = TypeVar("T")
P = TypeVar("P", SearchOptions, RecommendOptions)
_OTHER_NAMES = {"collections": "use search_collections", "limit": "use k", "top_k": "use k"}
"""What to do instead of an option that searches do not have."""


def check_options(options: Mapping[str, Any], kind: type[Any]) -> None:
    """Raise TypeError for an option that this kind, one of the classes above, does not have."""
    known_names = sorted(kind.__optional_keys__)
    unknown = next((name for name in options if name not in known_names), None)
    if unknown is not None:
        advice = _OTHER_NAMES.get(unknown) if "k" in known_names else None
        hint = "" if advice is None else f"{advice}; "
        raise TypeError(f"unknown option {unknown!r}: {hint}the options are {', '.join(known_names)}")


def option_texts(options: Mapping[str, Any], kind: type[Any]) -> dict[str, str]:
    """Options as fields of a form, or as parameters of a query string; raises TypeError for one that is unknown."""
    check_options(options, kind)
    values = dict(options)
    if "filter" in values:
        values["filter"] = filter_text(values["filter"])
    if values.get("box") is not None:
        values["box"] = ",".join(map(str, values["box"]))
    for name in ("exclude_keys", "like_keys", "unlike_keys", "facets", "keys"):
        if values.get(name) is not None:
            values[name] = json_text(name_list(values[name], name))
    if values.get("boost") is not None:
        boost = values["boost"]
        values["boost"] = json_text(dict(boost) if isinstance(boost, Mapping) else [dict(one) for one in boost])
    return texts(**values)


def edit_texts(edit: Mapping[str, Any], kind: type[Any]) -> dict[str, str]:
    """The fields of a change; raises TypeError for one that is unknown: columns belong into ``metadata``."""
    check_options(edit, kind)
    metadata = edit.get("metadata")
    return texts(
        title=edit.get("title"),
        product_id=edit.get("product_id"),
        metadata=None if metadata is None else json_text(metadata_values(metadata)),
    )


def metadata_values(metadata: Metadata) -> dict[str, Any]:
    """Metadata as JSON has it: a date as ISO text, a decimal as a number.

    Raises TypeError or ValueError for what JSON has not, with the name of the column.
    """
    return {name: _json_value(name, value) for name, value in metadata.items()}


def _json_value(column: str, value: object) -> object:
    if isinstance(value, list | tuple):
        return [_json_value(column, entry) for entry in value]
    if isinstance(value, Mapping):
        return {name: _json_value(column, member) for name, member in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"the metadata's column {column!r} has {value}: a number must be finite")
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(
        f"the metadata's column {column!r} has a value of type {type(value).__name__}, which cannot be sent: give "
        "text, a number, true or false, a date, or a list of these"
    )


def match_headers(edit: Mapping[str, Any]) -> dict[str, str]:
    """The header If-Match or If-None-Match; raises ValueError for an item without an ETag, and for both."""
    match = edit.get("if_match")
    if edit.get("only_new"):
        if match is not None:
            raise ValueError("only_new asks for no item, and if_match for a version of one: give one of them")
        return {"If-None-Match": "*"}
    if match is None:
        return {}
    tag = match.etag if isinstance(match, ItemAnswer) else match
    if tag is None:
        raise ValueError(f"the item {match.key!r} has no etag, since it came from a list: read it with get_item first")
    return {"If-Match": tag}


def name_list(names: Sequence[T], option: str) -> list[T]:
    if isinstance(names, str):
        raise TypeError(f"{option} must be a list of names, not the one text {names!r}")
    return list(names)


def weighted_keys(entries: Sequence[KeyAndWeight], option: str) -> str | None:
    """Items with their weights as a field of a form; None where there are none."""
    names = [
        entry if isinstance(entry, str) else dict(zip(("key", "weight"), entry, strict=True))
        for entry in name_list(entries, option)
    ]
    return json_text(names or None)


def at_cursor(options: P, cursor: str | None) -> P:
    """The options of the page that begins at a cursor; those of the first are as they were given."""
    return options if cursor is None else {**options, "cursor": cursor}
