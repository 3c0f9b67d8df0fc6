"""The options of searches and of the other requests that have many, by the names that they have in the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from lookalike.client.answers import Box, ItemAnswer
from lookalike.client.call import filter_text, json_text, texts

Filter = str | Mapping[str, Any]
"""``category = mug and price < 60``, or a tree such as ``{"category": "mug"}``; docs/filters.md."""
Metadata = Mapping[str, Any]


class RefinementOptions(TypedDict, total=False):
    """How hits are chosen; what they mean is in docs/search.md."""

    k: int
    min_score: float
    threshold: float
    filter: Filter
    fallback: str
    group_by: str
    group_size: int
    group_score: str
    dedupe: bool
    exclude_keys: Sequence[str]
    diversity: float
    boost: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    like_keys: Sequence[str]
    unlike_keys: Sequence[str]
    include_liked: bool


class SimilarOptions(RefinementOptions, total=False):
    """The same, with what belongs to the response to one search."""

    tiers: bool
    facets: Sequence[str]
    cursor: str


class SearchOptions(SimilarOptions, total=False):
    """The same, with what belongs to a picture."""

    box: Box
    combine: str


class CollectionsSearchOptions(SearchOptions, total=False):
    """The same, with what belongs to several collections."""

    rank_by: str


class ListingOptions(TypedDict, total=False):
    """Which items to list, in which order, and what of them."""

    filter: Filter
    limit: int
    order_by: str
    order: str
    keys: Sequence[str]
    sample: int
    vectors: bool


class FilteredEdit(TypedDict, total=False):
    """What is changed of all items that pass a filter."""

    title: str
    product_id: str
    metadata: Metadata


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


class CollectionOptions(TypedDict, total=False):
    """What a new collection is made with; ``columns`` are names and their types."""

    encoder: str
    input_size: int
    columns: Mapping[str, str]
    keep: int


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


class ItemEdit(TypedDict, total=False):
    """What an item says beside its picture, and the version that a change is meant for; what is left out stays.

    ``if_match`` is an item as it was read, or the text of its ETag.
    """

    title: str
    product_id: str
    metadata: Metadata
    if_match: ItemAnswer | str


class ItemPut(ItemEdit, total=False):
    """As ``ItemEdit``; with ``only_new`` the item is added, and the request refused if there is one already."""

    only_new: bool


def option_texts(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as fields of a form, or as parameters of a query string."""
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


def edit_texts(edit: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a change."""
    return texts(title=edit.get("title"), product_id=edit.get("product_id"), metadata=json_text(edit.get("metadata")))


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


def name_list(names: Sequence[str], option: str) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"{option} must be a list of names, not the one text {names!r}")
    return list(names)


def at_cursor(options: SearchOptions, cursor: str | None) -> SearchOptions:
    """The options of the page that begins at a cursor; those of the first are as they were given."""
    return options if cursor is None else {**options, "cursor": cursor}
