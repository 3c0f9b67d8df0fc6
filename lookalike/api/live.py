"""What ``Collection`` does to be changed live: it is made and configured, its items get new versions, are removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from lookalike.api.encoder import Encoder
from lookalike.api.pictures import Image, open_picture
from lookalike.catalogue.live_changes import ChangeOutcome, ChangeStatus, LiveChange
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemDraft, ItemRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import CollectionEncoder
from lookalike.collection.index_command import check_keep
from lookalike.collection.item_edit import ItemEdit
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.lifecycle import create_collection
from lookalike.collection.picture_store import PictureStore
from lookalike.encoder.base import Vectors
from lookalike.errors import ItemNotFoundError, VersionMismatchError
from lookalike.filters.declared_columns import DeclaredColumns, parse_columns
from lookalike.images import decode, encode_png
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.wiring import INDEX_TYPES, default_encoder, load_encoder, open_catalogue


class OpenCollection(Protocol):
    """What these functions use of ``Collection``."""

    @property
    def layout(self) -> CollectionLayout: ...

    @property
    def limits(self) -> ImageLimits: ...

    @property
    def encoder(self) -> Encoder: ...

    def item(self, key: str) -> ItemRecord: ...

    def vector(self, item: str | ItemRecord) -> Vectors: ...

    def change_items(self, changes: Sequence[LiveChange]) -> list[ChangeOutcome]: ...


def create_empty(
    places: Places, name: str, encoder: str | None, columns: DeclaredColumns, *, keep: int, auto_tags: bool
) -> None:
    """Publish an empty collection; raises CollectionExistsError and the errors of loading the encoder."""
    request = EncoderRequest(encoder or default_encoder())
    spec = load_encoder(request, places.encoders_dir).spec
    limits = ImageLimits()
    settings = CollectionSettings("auto", keep, limits.max_bytes, limits.max_pixels, auto_tags=auto_tags)
    layout = CollectionLayout.of(places.collections_dir, name)
    catalogue = open_catalogue(places)
    try:
        create_collection(layout, catalogue, CollectionEncoder(request, spec), settings, INDEX_TYPES, columns)
    finally:
        catalogue.close()


def configure_collection(
    catalogue: Catalogue,
    record: CollectionRecord,
    columns: Mapping[str, str | None],
    keep: int | None,
    auto_tags: bool | None,
) -> CollectionRecord:
    """Declare columns, set how many snapshots stay and whether items get tags; the record as it is now.

    Raises ValueError for what cannot be, and ColumnConflictError.
    """
    declared = parse_columns(columns, may_drop=True)
    keep = None if keep is None else check_keep(keep)
    catalogue.collection_store().configure(record.id, declared, keep=keep, auto_tags=auto_tags)
    return catalogue.collection(record.name)


def make_change(collection: OpenCollection, change: LiveChange) -> None:
    """Raises CollectionPinnedError, ItemNotFoundError, VersionMismatchError and MetadataInvalidError."""
    collection.layout.require_unpinned()
    (outcome,) = collection.change_items([change])
    if outcome.problem is not None:
        raise outcome.problem
    if outcome.status is ChangeStatus.MISSING:
        raise ItemNotFoundError(f"there is no item {change.key!r}", subject=change.key)
    if outcome.status is ChangeStatus.CONFLICT:
        raise VersionMismatchError(f"the item {change.key!r} was changed meanwhile: try again", subject=change.key)


def new_version(collection: OpenCollection, key: str, image: Image | None, edit: ItemEdit) -> LiveChange:
    """The change that puts a picture, what ``edit`` says, or both; raises ItemNotFoundError without any picture."""
    current = find_exactly(collection, key)
    if image is not None:
        picture, vector = _store_picture(collection, key, image)
    elif current is not None:
        picture, vector = current.draft, collection.vector(current)
    else:
        raise ItemNotFoundError(f"there is no item {key!r} yet: give its picture", subject=key)
    expected = current.id if current is not None and (image is None or edit.keeps_a_part) else None
    draft = edit.apply(picture, None if current is None else current.draft)
    return LiveChange(key, draft, vector, expected, tags=edit.tags)


def find_exactly(collection: OpenCollection, key: str) -> ItemRecord | None:
    """The item of this key, and not one of the same letters with other accents; None without one."""
    try:
        item = collection.item(key)
    except ItemNotFoundError:
        return None
    return item if item.key == key else None


def _store_picture(collection: OpenCollection, key: str, image: Image) -> tuple[ItemDraft, Vectors]:
    limits = collection.limits
    data = encode_png(image) if isinstance(image, np.ndarray) else open_picture(image, limits, None).data
    picture = decode(data, limits=limits, name=key)
    (vector,) = collection.encoder.encode([picture.pixels])
    draft = PictureStore(collection.layout.pictures).put(key, data, (picture.width, picture.height, picture.format))
    return draft, vector
