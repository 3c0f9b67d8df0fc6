"""A collection's life apart from runs over a source: it is made empty, live changes are folded in, it is deleted."""

from __future__ import annotations

import shutil
from dataclasses import replace

from lookalike.catalogue.models import DELETED_MARK
from lookalike.catalogue.records import NO_SOURCE, CollectionSettings, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import Builder, BuildOptions, CollectionEncoder
from lookalike.collection.layout import CURRENT, CollectionLayout
from lookalike.collection.picture_store import STORED, PictureStore
from lookalike.collection.snapshot import read_manifest
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.collection.tagging import tag_again
from lookalike.encoder.tags import require_head
from lookalike.errors import CollectionExistsError, CollectionNotFoundError, EncoderMismatchError
from lookalike.filters.declared_columns import NO_COLUMNS, DeclaredColumns
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.index.index_types import IndexTypes
from lookalike.storage import disk_errors


def create_collection(
    layout: CollectionLayout,
    catalogue: Catalogue,
    encoder: CollectionEncoder,
    settings: CollectionSettings,
    index_types: IndexTypes,
    columns: DeclaredColumns = NO_COLUMNS,
) -> Manifest:
    """Publish an empty collection with these declared columns, to be filled by sending pictures.

    One of this name of which nothing was ever published is replaced: its first run failed, or was cancelled. Raises
    CollectionExistsError if there is another one, CollectionBusyError, TagsUnavailableError if its pictures are to have
    tags and the encoder has none, and what publishing raises.
    """
    if settings.auto_tags:
        require_head(encoder.spec)
    record = catalogue.find_collection(layout.name)
    if record is not None and not _remove_unpublished(layout, catalogue, record.id):
        raise CollectionExistsError(
            f"there is a collection {layout.name!r} already: choose another name, or delete it first",
            subject=layout.name,
        )
    source = SourceRecord(NO_SOURCE, str(layout.pictures))
    with Builder.open(layout, catalogue, source, encoder, index_types, BuildOptions(settings)) as (builder, _):
        catalogue.collection_store().configure(builder.record.id, columns)
        return builder.publish()


def fold_changes(
    layout: CollectionLayout,
    catalogue: Catalogue,
    index_types: IndexTypes,
    report_progress: ProgressCallback = ignore_progress,
) -> Manifest:
    """Publish a snapshot that has the live changes made by now; without changes it is the one that there is.

    Pictures that were sent and that no item has any more are removed. Raises CollectionNotFoundError,
    CollectionNotReadyError, CollectionBusyError, CollectionPinnedError, EncoderMismatchError if a run with another
    encoder was interrupted, and what publishing raises.
    """
    record = catalogue.collection(layout.name)
    manifest = read_manifest(layout, layout.current())
    encoder = CollectionEncoder(record.encoder, manifest.encoder)
    options = BuildOptions(record.settings, keeps_retention=True, respects_pin=True, keeps_auto_tags=True)
    with Builder.open(layout, catalogue, record.source, encoder, index_types, options) as (builder, _):
        if catalogue.collection_store().has_other_encoder(record.id, manifest.encoder.digest):
            raise EncoderMismatchError(
                f"a run with another encoder over {layout.name!r} was interrupted: run it again, it takes the changes "
                "in with it",
                subject=layout.name,
            )
        published = builder.publish(report_progress)
        _remove_unused_pictures(layout, catalogue, record.id)
        return published


def tag_collection(
    layout: CollectionLayout,
    catalogue: Catalogue,
    index_types: IndexTypes,
    *,
    auto_tags: bool = True,
    report_progress: ProgressCallback = ignore_progress,
) -> tuple[Manifest, int]:
    """Tag all items of a collection by their stored vectors, or take their tags away, and publish that.

    From now on what is stored gets tags, or gets none. Returns the snapshot and how many items have other tags now.
    Raises TagsUnavailableError for an encoder without tags, ColumnConflictError where items have columns of the names,
    and what ``fold_changes`` raises.
    """
    record = catalogue.collection(layout.name)
    manifest = read_manifest(layout, layout.current())
    settings = replace(record.settings, auto_tags=auto_tags)
    if auto_tags:
        require_head(manifest.encoder)
        catalogue.collection_store().require_free_tag_columns(record.id)
    encoder = CollectionEncoder(record.encoder, manifest.encoder)
    options = BuildOptions(settings, keeps_retention=True, respects_pin=True)
    with Builder.open(layout, catalogue, record.source, encoder, index_types, options) as (builder, _):
        catalogue.collection_store().configure(record.id, {}, auto_tags=auto_tags)  # for live changes from now on
        changed = tag_again(builder, report_progress)
        return builder.publish(report_progress), changed


def delete_collection(layout: CollectionLayout, catalogue: Catalogue) -> bool:
    """Take a collection out of service; it stays on the disk until ``purge_collection``.

    One of which nothing was ever published is removed for good. Returns whether the collection can be restored. Raises
    CollectionNotFoundError, CollectionBusyError and DataPathError.
    """
    record = catalogue.collection(layout.name)
    if _remove_unpublished(layout, catalogue, record.id):
        return False
    with layout.hold_lock():
        _hide(layout, catalogue, record.id)
    return True


def restore_collection(layout: CollectionLayout, catalogue: Catalogue) -> None:
    """Bring the collection that was deleted last under this name back.

    Raises CollectionNotFoundError, CollectionExistsError if there is another one of this name now, and DataPathError.
    """
    store = catalogue.collection_store()
    deleted = store.ids_by_prefix(_deleted_prefix(layout))
    if not deleted:
        raise CollectionNotFoundError(f"no collection {layout.name!r} was deleted", subject=layout.name)
    if catalogue.find_collection(layout.name) is not None:
        raise CollectionExistsError(
            f"there is a collection {layout.name!r} again: delete it before the one of before is restored",
            subject=layout.name,
        )
    collection_id, name = deleted[-1]
    hidden = layout.root.with_name(name)
    with disk_errors(layout.root):
        if hidden.exists():  # not where deleting was interrupted between catalogue and folder
            hidden.rename(layout.root)
        store.rename(collection_id, layout.name)


def purge_collection(layout: CollectionLayout, catalogue: Catalogue) -> int:
    """Remove for good all collections that were deleted under this name; returns their number. Raises DataPathError."""
    deleted = catalogue.collection_store().ids_by_prefix(_deleted_prefix(layout))
    for collection_id, name in deleted:
        _remove_hidden(layout, catalogue, collection_id, name)
    return len(deleted)


def _remove_unpublished(layout: CollectionLayout, catalogue: Catalogue, collection_id: int) -> bool:
    """Remove a collection for good if nothing of it was ever published; whether that was so."""
    if _may_be_published(layout, catalogue, collection_id):
        return False
    with layout.hold_lock():
        if _may_be_published(layout, catalogue, collection_id):  # by who held the lock before
            return False
        hidden_name = _hide(layout, catalogue, collection_id)
    _remove_hidden(layout, catalogue, collection_id, hidden_name)
    return True


def _may_be_published(layout: CollectionLayout, catalogue: Catalogue, collection_id: int) -> bool:
    """Whether a snapshot is there, or was there: a folder that is lost says nothing of it."""
    if not layout.snapshots.is_dir() or layout.complete_generations() or (layout.root / CURRENT).exists():
        return True
    return catalogue.newest_generation(collection_id) > 1  # which a first run works towards


def _hide(layout: CollectionLayout, catalogue: Catalogue, collection_id: int) -> str:
    """Give the collection the name of a deleted one, which is returned; the caller holds its lock."""
    name = f"{_deleted_prefix(layout)}{collection_id}"
    with disk_errors(layout.root):
        catalogue.collection_store().rename(collection_id, name)
        layout.root.rename(layout.root.with_name(name))
    return name


def _remove_hidden(layout: CollectionLayout, catalogue: Catalogue, collection_id: int, name: str) -> None:
    catalogue.collection_store().remove(collection_id)
    with disk_errors(layout.root):
        if (hidden := layout.root.with_name(name)).exists():
            shutil.rmtree(hidden)


def _deleted_prefix(layout: CollectionLayout) -> str:
    return f"{layout.name}{DELETED_MARK}"


def _remove_unused_pictures(layout: CollectionLayout, catalogue: Catalogue, collection_id: int) -> None:
    used = catalogue.collection_store().locations(collection_id, STORED)
    PictureStore(layout.pictures).remove_unused({location.removeprefix(STORED) for location in used})
