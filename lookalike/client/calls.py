"""The requests of the API, each named after its operation in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lookalike.client.answers import (
    BatchAnswer,
    ChangesAnswer,
    CheckAnswer,
    CollectionsSearchAnswer,
    CompareAnswer,
    DecisionAnswer,
    DuplicateDifferenceAnswer,
    DuplicatesAnswer,
    EmbedAnswer,
    FacetsAnswer,
    FilteredChangesAnswer,
    ItemAnswer,
    ItemChangeAnswer,
    ItemsAnswer,
    SearchAnswer,
)
from lookalike.client.call import (
    Call,
    NamedPicture,
    Text,
    filter_text,
    json_text,
    path_of,
    read_as,
    read_bytes,
    read_item,
    read_item_change,
    read_text,
    texts,
)
from lookalike.client.changes import Batch
from lookalike.client.collection_answers import (
    EncodersAnswer,
    HealthAnswer,
    ReadyAnswer,
    VersionAnswer,
)
from lookalike.client.options import (
    CollectionsSearchOptions,
    CompareOptions,
    EmbedOptions,
    Filter,
    FilteredEdit,
    ItemEdit,
    ItemPut,
    KeyAndWeight,
    ListingOptions,
    RecommendOptions,
    RefinementOptions,
    SearchOptions,
    SimilarOptions,
    TagOptions,
    edit_texts,
    match_headers,
    name_list,
    option_texts,
    weighted_keys,
)
from lookalike.client.pictures import Key, Picture, picture_list
from lookalike.client.recommend_answer import RecommendAnswer
from lookalike.client.tag_answers import TagsAnswer


def search(
    image: Picture | Sequence[Picture] | None, key: str | None, collection: str | None, options: SearchOptions
) -> Call[SearchAnswer]:
    """With a picture, with several of one thing, or with an indexed one."""
    path = "/search" if collection is None else path_of("collections", collection, "search")
    return Call(
        method="POST",
        path=path,
        read=read_as(SearchAnswer),
        fields=texts(key=key) | option_texts(options, SearchOptions),
        pictures=_images(image),
    )


def search_collections(
    collections: Sequence[str],
    image: Picture | Sequence[Picture] | None,
    key: str | None,
    home: str | None,
    options: CollectionsSearchOptions,
) -> Call[CollectionsSearchAnswer]:
    """The same in several collections; ``home`` is the one that has the item of ``key``."""
    where = {"collections": json_text(name_list(collections, "collections")), "key": key, "collection": home}
    return Call(
        method="POST",
        path="/search",
        read=read_as(CollectionsSearchAnswer),
        fields=texts(**where) | option_texts(options, CollectionsSearchOptions),
        pictures=_images(image),
    )


def search_batch(images: Sequence[Picture], collection: str | None, options: RefinementOptions) -> Call[BatchAnswer]:
    """With each of several pictures."""
    return Call(
        method="POST",
        path="/search/batch",
        read=read_as(BatchAnswer),
        fields=texts(collection=collection) | option_texts(options, RefinementOptions),
        pictures=_images(images),
    )


def get_similar_items(collection: str, key: str, options: SimilarOptions) -> Call[SearchAnswer]:
    """With an indexed picture."""
    path = _item_path(collection, key, "similar")
    return Call(method="GET", path=path, read=read_as(SearchAnswer), parameters=option_texts(options, SimilarOptions))


def recommend(
    like: Sequence[KeyAndWeight],
    unlike: Sequence[KeyAndWeight],
    image: Picture | Sequence[Picture] | None,
    collection: str | None,
    options: RecommendOptions,
) -> Call[RecommendAnswer]:
    """By what is liked, and what is not."""
    keys = texts(like=weighted_keys(like, "like"), unlike=weighted_keys(unlike, "unlike"))
    return Call(
        method="POST",
        path="/recommend" if collection is None else path_of("collections", collection, "recommend"),
        read=read_as(RecommendAnswer),
        fields=keys | option_texts(options, RecommendOptions),
        pictures=_images(image),
    )


def get_facets(collection: str, names: Sequence[str], filter: Filter | None, limit: int | None) -> Call[FacetsAnswer]:
    """Counts of values."""
    return Call(
        method="GET",
        path=path_of("collections", collection, "facets"),
        read=read_as(FacetsAnswer),
        parameters=texts(names=json_text(name_list(names, "names")), filter=filter_text(filter), limit=limit),
    )


def compare(image_a: Picture | Key, image_b: Picture | Key, options: CompareOptions) -> Call[CompareAnswer]:
    """Two pictures, sent or indexed."""
    sides = {"image_a": image_a, "image_b": image_b}
    keys = {name: side.text for name, side in sides.items() if isinstance(side, Key)}
    return Call(
        method="POST",
        path="/compare",
        read=read_as(CompareAnswer),
        fields=keys | option_texts(options, CompareOptions),
        pictures=[NamedPicture(name, side) for name, side in sides.items() if not isinstance(side, Key)],
    )


def embed(image: Picture, options: EmbedOptions) -> Call[EmbedAnswer]:
    """A picture's embedding."""
    return Call(
        method="POST",
        path="/embed",
        read=read_as(EmbedAnswer),
        fields=option_texts(options, EmbedOptions),
        pictures=_images(image),
    )


def tag_picture(image: Picture, options: TagOptions) -> Call[TagsAnswer]:
    """Words for what a picture shows."""
    return Call(
        method="POST",
        path="/tags",
        read=read_as(TagsAnswer),
        fields=option_texts(options, TagOptions),
        pictures=_images(image),
    )


def check_picture(collection: str, image: Picture, k: int | None, threshold: float | None) -> Call[CheckAnswer]:
    """Whether a picture is new."""
    return Call(
        method="POST",
        path=path_of("collections", collection, "check"),
        read=read_as(CheckAnswer),
        fields=texts(k=k, threshold=threshold),
        pictures=_images(image),
    )


def list_items(collection: str, cursor: str | None, options: ListingOptions) -> Call[ItemsAnswer]:
    """A page of items."""
    return Call(
        method="GET",
        path=path_of("collections", collection, "items"),
        read=read_as(ItemsAnswer),
        parameters=option_texts(options, ListingOptions) | texts(cursor=cursor),
    )


def delete_items(
    collection: str, filter: Filter, at_most: int | None, dry_run: bool | None
) -> Call[FilteredChangesAnswer]:
    """The items that pass, less."""
    return Call(
        method="DELETE",
        path=path_of("collections", collection, "items"),
        read=read_as(FilteredChangesAnswer),
        parameters=texts(filter=filter_text(filter), at_most=at_most, dry_run=dry_run),
        is_write=True,
    )


def patch_items(
    collection: str, filter: Filter, at_most: int | None, dry_run: bool | None, edit: FilteredEdit
) -> Call[FilteredChangesAnswer]:
    """Changed metadata of the items that pass."""
    return Call(
        method="PATCH",
        path=path_of("collections", collection, "items"),
        read=read_as(FilteredChangesAnswer),
        fields=texts(filter=filter_text(filter), at_most=at_most, dry_run=dry_run) | edit_texts(edit, FilteredEdit),
        is_write=True,
    )


def get_item(collection: str, key: str) -> Call[ItemAnswer]:
    """One item."""
    return Call(method="GET", path=_item_path(collection, key), read=read_item)


def get_item_image(collection: str, key: str) -> Call[bytes]:
    """An item's file."""
    return Call(method="GET", path=_item_path(collection, key, "image"), read=read_bytes)


def get_item_thumbnail(collection: str, key: str, size: int | None) -> Call[bytes]:
    """A small JPEG."""
    path = _item_path(collection, key, "thumbnail")
    return Call(method="GET", path=path, read=read_bytes, parameters=texts(size=size))


def put_item(collection: str, key: str, image: Picture | None, edit: ItemPut) -> Call[ItemChangeAnswer]:
    """A new version of an item."""
    return _item_change("PUT", collection, key, edit, _images(image))


def patch_item(collection: str, key: str, edit: ItemEdit) -> Call[ItemChangeAnswer]:
    """Changed metadata."""
    return _item_change("PATCH", collection, key, edit)


def delete_item(collection: str, key: str, if_match: ItemAnswer | str | None) -> Call[ItemChangeAnswer]:
    """An item less."""
    return _item_change("DELETE", collection, key, {"if_match": if_match})


def change_items(collection: str, batch: Batch) -> Call[ChangesAnswer]:
    """One batch of changes."""
    return Call(
        method="POST",
        path=path_of("collections", collection, "items"),
        read=read_as(ChangesAnswer),
        fields={"changes": json_text(batch.changes) or ""},
        pictures=[NamedPicture("image", file.data, file.name) for file in batch.files],
        is_write=True,
    )


def list_duplicates(collection: str, kind: str | None, limit: int | None, cursor: str | None) -> Call[DuplicatesAnswer]:
    """A page of groups."""
    return Call(
        method="GET",
        path=path_of("collections", collection, "duplicates"),
        read=read_as(DuplicatesAnswer),
        parameters=texts(kind=kind, limit=limit, cursor=cursor),
    )


def decide_duplicates(collection: str, keys: Sequence[str], decision: str) -> Call[DecisionAnswer]:
    """A decision about pictures."""
    fields: dict[str, Text] = {"key": name_list(keys, "keys"), "decision": decision}
    return Call(
        method="POST",
        path=path_of("collections", collection, "duplicates", "decisions"),
        read=read_as(DecisionAnswer),
        fields=fields,
        is_write=True,
    )


def get_duplicate_difference(collection: str, first: str, second: str) -> Call[DuplicateDifferenceAnswer]:
    """Where two differ."""
    return Call(
        method="GET",
        path=path_of("collections", collection, "duplicates", "difference"),
        read=read_as(DuplicateDifferenceAnswer),
        parameters={"first": first, "second": second},
    )


def list_encoders() -> Call[EncodersAnswer]:
    """All encoders."""
    return Call(method="GET", path="/encoders", read=read_as(EncodersAnswer))


def health() -> Call[HealthAnswer]:
    """How the service is."""
    return Call(method="GET", path="/health", read=read_as(HealthAnswer))


def ready() -> Call[ReadyAnswer]:
    """Whether it can answer."""
    return Call(method="GET", path="/ready", read=read_as(ReadyAnswer))


def version() -> Call[VersionAnswer]:
    """Its versions."""
    return Call(method="GET", path="/version", read=read_as(VersionAnswer))


def metrics() -> Call[str]:
    """Its metrics."""
    return Call(method="GET", path="/metrics", read=read_text)


def _images(pictures: Picture | Sequence[Picture] | None) -> list[NamedPicture]:
    return [] if pictures is None else [NamedPicture("image", picture) for picture in picture_list(pictures)]


def _item_path(collection: str, key: str, *parts: str) -> str:
    return path_of("collections", collection, "items", key, *parts)


def _item_change(
    method: str,
    collection: str,
    key: str,
    edit: ItemEdit | Mapping[str, Any],
    pictures: Sequence[NamedPicture] = (),
) -> Call[ItemChangeAnswer]:
    return Call(
        method=method,
        path=_item_path(collection, key),
        read=read_item_change,
        fields=edit_texts(edit, ItemPut if method == "PUT" else ItemEdit),
        pictures=pictures,
        headers=match_headers(edit),
        is_write=True,
    )
