"""Every query of the catalogue, as a method; each is one transaction.

A *live* row is the newest version of its key, published or not. A row is *visible* at a generation if that
generation lies in [created_generation, removed_generation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from lookalike.catalogue.auto_tags import Tagger, stored_attributes, tag_items
from lookalike.catalogue.collection_store import CollectionStore
from lookalike.catalogue.column_store import declared_of, fit_items
from lookalike.catalogue.database import Database
from lookalike.catalogue.duplicate_store import DuplicateStore
from lookalike.catalogue.idempotency_store import IdempotencyStore
from lookalike.catalogue.item_order import ItemOrder
from lookalike.catalogue.item_values import insert_values
from lookalike.catalogue.item_words import insert_words
from lookalike.catalogue.live_changes import NEVER_IN_SOURCE, LiveChanges
from lookalike.catalogue.live_removals import forget_absent_removals, without_later_changes
from lookalike.catalogue.lost_items import LostItems
from lookalike.catalogue.models import DELETED_MARK, CollectionRow, ItemRow, ItemValueRow, VectorRow, utc_now
from lookalike.catalogue.records import (
    CollectionRecord,
    CollectionSettings,
    ItemRecord,
    NewItem,
    SourceRecord,
)
from lookalike.catalogue.snapshot_filter import SnapshotFilter
from lookalike.catalogue.tag_store import TagStore
from lookalike.catalogue.visible_items import (
    BY_CONTENT,
    CHUNK,
    ITEM_COLUMNS,
    VisibleItems,
    to_item_record,
    without_index,
)
from lookalike.errors import CollectionNotFoundError
from lookalike.filters.conditions import Field
from lookalike.options import EncoderRequest

# By columns, not by mapped objects, which cost three times as much.
_INSERT_ITEMS = insert(ItemRow).returning(ItemRow.id, sort_by_parameter_order=True)
_INSERT_VECTORS = insert(VectorRow)

_is_not_deleted = CollectionRow.name.not_like(f"%{DELETED_MARK}%")

PAGE = 10_000  # rows of one query when a whole collection is iterated


class Catalogue:
    """Collections, versions of items and pending vectors; safe from several threads at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    # Collections

    def collections(self) -> list[CollectionRecord]:
        """All collections by name, without those that were deleted."""
        query = select(CollectionRow).where(_is_not_deleted).order_by(CollectionRow.name)
        with self._database.read_session() as session:
            return [_collection_record(row) for row in session.scalars(query)]

    def find_collection(self, name: str) -> CollectionRecord | None:
        """The collection of that name; None without one."""
        with self._database.read_session() as session:
            row = session.scalar(select(CollectionRow).where(CollectionRow.name == name))
            return None if row is None else _collection_record(row)

    def collection(self, name: str) -> CollectionRecord:
        """The collection of that name; raises CollectionNotFoundError."""
        record = self.find_collection(name)
        if record is None:
            names = ", ".join(other.name for other in self.collections())
            existing = f"there are: {names}" if names else "none has been indexed yet"
            raise CollectionNotFoundError(f"no collection is called {name!r}; {existing}", subject=name)
        return record

    def start_run(
        self, name: str, source: SourceRecord, encoder: EncoderRequest, settings: CollectionSettings
    ) -> CollectionRecord:
        """Increment the collection's run number; a new collection is created with this source and encoder."""
        with self._database.write_session() as session:
            row = session.scalar(select(CollectionRow).where(CollectionRow.name == name))
            if row is None:
                row = CollectionRow(name=name, run=0)
                _set_source_and_options(row, source, encoder, settings)
                session.add(row)
            row.run += 1
            row.updated_at = utc_now()
            session.flush()
            return _collection_record(row)

    def update_collection(
        self,
        collection_id: int,
        source: SourceRecord,
        encoder: EncoderRequest,
        settings: CollectionSettings,
        *,
        keeps_retention: bool = False,
        keeps_auto_tags: bool = False,
    ) -> CollectionSettings:
        """Store the source and the options of the last run; called when the run has published, not when it begins.

        With ``keeps_retention`` the number of snapshots to keep stays as it is, and with ``keeps_auto_tags`` whether
        its pictures are tagged. Returns the settings as they are now.
        """
        with self._database.write_session() as session:
            row = session.get_one(CollectionRow, collection_id, with_for_update=True)
            if keeps_retention:
                settings = replace(settings, keep=row.settings["keep"])
            if keeps_auto_tags:
                settings = replace(settings, auto_tags=row.settings.get("auto_tags", False))
            _set_source_and_options(row, source, encoder, settings)
            return settings

    def collection_store(self) -> CollectionStore:
        """What is asked of and done to whole collections, over the same connections."""
        return CollectionStore(self._database)

    def live_changes(self, collection_id: int) -> LiveChanges:
        """The changes of single items of a collection, over the same connections."""
        return LiveChanges(self._database, collection_id)

    def idempotency_store(self) -> IdempotencyStore:
        """The answers to requests with an Idempotency-Key, over the same connections."""
        return IdempotencyStore(self._database)

    def item_order(self, collection_id: int, field: Field, *, is_descending: bool) -> ItemOrder:
        """The items of a collection in the order of a field, over the same connections."""
        return ItemOrder(self._database, collection_id, field, is_descending=is_descending)

    def tag_store(self, collection_id: int) -> TagStore:
        """What is asked of the automatic tags of a collection, over the same connections."""
        return TagStore(self._database, collection_id)

    def duplicate_store(self) -> DuplicateStore:
        """What is remembered of duplicates, over the same connections: not to be closed by itself."""
        return DuplicateStore(self._database)

    # The write side

    def live_by_key(self, collection_id: int, keys: Sequence[str]) -> dict[str, ItemRecord]:
        """The live rows that have these keys."""
        chunks = (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
        items = [item for chunk in chunks for item in self._live(collection_id, ItemRow.key.in_(chunk))]
        return {item.draft.key: item for item in items}

    def live_below(self, collection_id: int, prefix: str) -> list[ItemRecord]:
        """The live rows whose keys begin with this, by id."""
        items = self._live(collection_id, ItemRow.key.startswith(prefix, autoescape=True))
        return [item for item in items if item.draft.key.startswith(prefix)]  # SQLite's LIKE ignores case

    def live_versions(self, collection_id: int) -> list[ItemRecord]:
        """The live rows of versions that were made live, by id."""
        return self._live(collection_id, ItemRow.source_digest.is_not(None))

    def _live(self, collection_id: int, condition: ColumnElement[bool]) -> list[ItemRecord]:
        query = select(*ITEM_COLUMNS).where(_is_live(collection_id), condition).order_by(ItemRow.id)
        with self._database.read_session() as session:
            return [to_item_record(row) for row in session.execute(query)]

    def live_by_content(
        self, collection_id: int, content_digests: Sequence[str], encoder_digest: str
    ) -> dict[str, ItemRecord]:
        """For each content digest, any live row with it that was encoded by this encoder."""
        items: dict[str, ItemRecord] = {}
        for start in range(0, len(content_digests), CHUNK):
            digests = content_digests[start : start + CHUNK]
            for row in self._database.fetch_rows(BY_CONTENT, collection=collection_id, contents=digests):
                item = to_item_record(row)
                if item.encoder_digest == encoder_digest:
                    items[item.draft.content_digest] = item
        return items

    def store(
        self,
        collection: CollectionRecord,
        generation: int,
        encoder_digest: str,
        items: Sequence[NewItem],
        tagger: Tagger | None = None,
    ) -> list[int]:
        """Add new versions with their vectors, and close the versions that they replace; the new ids, in order.

        ``tagger`` gives them automatic tags; without one they have none. An item that was changed live since its
        version was read is left out: the later change stays. So are values that are not of the type of their declared
        column.
        """
        with self._database.write_session() as session:
            items = fit_items(session, collection.id, without_later_changes(session, collection.id, items))
            items = tag_items(session, collection.id, items, tagger)
            _close_rows(session, [item.replaces for item in items if item.replaces is not None], generation)
            if not items:
                return []
            rows = [_item_columns(collection, generation, encoder_digest, item) for item in items]
            ids = [row_id for (row_id,) in session.connection().execute(_INSERT_ITEMS, rows)]
            vectors = (np.ascontiguousarray(item.vector, dtype="<f4").tobytes() for item in items)
            pairs = [{"item_id": row_id, "vector": vector} for row_id, vector in zip(ids, vectors, strict=True)]
            session.connection().execute(_INSERT_VECTORS, pairs)
            insert_values(session.connection(), zip(ids, rows, strict=True))
            insert_words(session.connection(), zip(ids, rows, strict=True))
            return ids

    def mark_present(self, collection: CollectionRecord, ids: Sequence[int]) -> None:
        """Record that the source still has these items in this run."""
        with self._database.write_session() as session:
            for start in range(0, len(ids), CHUNK):
                is_in_chunk = ItemRow.id.in_(ids[start : start + CHUNK])
                session.execute(update(ItemRow).where(is_in_chunk).values(seen_run=collection.run))

    def remove_absent(self, collection: CollectionRecord, generation: int) -> list[str]:
        """Close every live row that this run has not marked as present; returns the keys of these rows, sorted.

        Items that were sent, and that no source has had, stay.
        """
        was_in_source = or_(ItemRow.source_digest.is_(None), ItemRow.source_digest != NEVER_IN_SOURCE)
        is_absent = and_(_is_live(collection.id), ItemRow.seen_run != collection.run, was_in_source)
        with self._database.write_session() as session:
            keys = list(session.scalars(select(ItemRow.key).where(is_absent).order_by(ItemRow.key)))
            session.execute(update(ItemRow).where(is_absent).values(removed_generation=generation))
            forget_absent_removals(session, collection)
            return keys

    def lost_items(self, collection: CollectionRecord, generation: int) -> LostItems:
        """The published items that the run towards this generation has not found, after a full pass over its source."""
        return LostItems(self._database, collection, generation)

    def has_changes(self, collection_id: int, generation: int) -> bool:
        """Whether any row was added or removed in this generation, apart from those that were both."""
        is_added = and_(ItemRow.created_generation == generation, ItemRow.removed_generation.is_(None))
        is_removed = and_(ItemRow.removed_generation == generation, ItemRow.created_generation < generation)
        with self._database.read_session() as session:
            changed_id = session.scalar(
                select(ItemRow.id).where(ItemRow.collection_id == collection_id, or_(is_added, is_removed)).limit(1)
            )
            return changed_id is not None

    def newest_generation(self, collection_id: int) -> int:
        """The newest generation in which a row was added or removed; 0 if there is none."""
        newest = (func.max(ItemRow.created_generation), func.max(ItemRow.removed_generation))
        with self._database.read_session() as session:
            created, removed = session.execute(select(*newest).where(ItemRow.collection_id == collection_id)).one()
            return max(created or 0, removed or 0)

    def pending_vectors(self, ids: Sequence[int]) -> dict[int, npt.NDArray[np.float32]]:
        """By id, the vectors of those of these items that are in no snapshot yet."""
        with self._database.read_session() as session:
            return {
                row.item_id: np.frombuffer(row.vector, dtype="<f4")
                for start in range(0, len(ids), CHUNK)
                for row in session.scalars(select(VectorRow).where(VectorRow.item_id.in_(ids[start : start + CHUNK])))
            }

    def prune(self, collection_id: int, *, published_generation: int, oldest_generation: int) -> None:
        """Delete vectors up to ``published_generation``, and rows invisible from ``oldest_generation`` on.

        A published snapshot has its vectors in a file. Among the rows are those that were added and removed between two
        snapshots, which an interrupted run may leave.
        """
        collection_ids = select(ItemRow.id).where(ItemRow.collection_id == collection_id)
        with self._database.write_session() as session:
            is_published = ItemRow.created_generation <= published_generation
            session.execute(delete(VectorRow).where(VectorRow.item_id.in_(collection_ids.where(is_published))))
            is_brief = ItemRow.removed_generation <= ItemRow.created_generation
            unseen = or_(
                ItemRow.removed_generation <= oldest_generation,
                # What was replaced live since the publish stays: whoever lists items meanwhile needs their places.
                and_(is_brief, or_(is_published, ItemRow.removed_change.is_(None))),
            )
            unseen_ids = collection_ids.where(unseen)
            if session.scalar(unseen_ids.limit(1)) is not None:
                values = delete(ItemValueRow).where(ItemValueRow.collection_id == collection_id)
                session.execute(values.where(ItemValueRow.item_id.in_(unseen_ids)))
            session.execute(delete(ItemRow).where(ItemRow.collection_id == collection_id, unseen))

    def close_items(self, ids: Sequence[int], generation: int) -> None:
        """Remove these versions from this generation on; their keys are free again."""
        with self._database.write_session() as session:
            _close_rows(session, ids, generation)

    # The read side

    def live_count(self, collection_id: int) -> int:
        """Number of live rows."""
        with self._database.read_session() as session:
            return int(session.scalar(select(func.count()).select_from(ItemRow).where(_is_live(collection_id))) or 0)

    def visible_ids(self, collection_id: int, generation: int) -> Iterator[npt.NDArray[np.int64]]:
        """Ids visible at a generation, in ascending order, in pages."""
        last = 0
        while True:
            query = select(ItemRow.id).where(_is_visible(collection_id, generation), ItemRow.id > last)
            with self._database.read_session() as session:
                page = np.fromiter(session.scalars(query.order_by(ItemRow.id).limit(PAGE)), dtype=np.int64)
            yield page
            if len(page) < PAGE:
                return
            last = int(page[-1])

    def visible_items(self, collection_id: int, generation: int) -> Iterator[ItemRecord]:
        """All items visible at a generation, by ascending id."""
        last = 0
        while True:
            page = self.visible_page(collection_id, generation, last, PAGE)
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1].id

    def visible_page(self, collection_id: int, generation: int, after: int, limit: int) -> list[ItemRecord]:
        """The first items visible at a generation whose id is above ``after``, by ascending id."""
        return self.snapshot_items(collection_id, generation).page(after, limit)

    def snapshot_items(self, collection_id: int, generation: int) -> VisibleItems:
        """The items visible in a published snapshot, with a cache for repeated queries."""
        return VisibleItems(self._database, collection_id, generation)

    def snapshot_filter(self, collection_id: int, ids: npt.NDArray[np.int64]) -> SnapshotFilter:
        """Filters over the items of a published snapshot, given its ids in ascending order, with a cache of results."""
        return SnapshotFilter(self._database, collection_id, ids)


def _is_live(collection_id: int) -> ColumnElement[bool]:
    return and_(ItemRow.collection_id == collection_id, ItemRow.removed_generation.is_(None))


def _is_visible(collection_id: int, generation: int) -> ColumnElement[bool]:
    return and_(
        without_index(ItemRow.collection_id) == collection_id,
        ItemRow.created_generation <= generation,
        or_(ItemRow.removed_generation.is_(None), ItemRow.removed_generation > generation),
    )


def _set_source_and_options(
    row: CollectionRow, source: SourceRecord, encoder: EncoderRequest, settings: CollectionSettings
) -> None:
    row.source_kind, row.source_location, row.source_root = source.kind, source.location, source.root
    row.encoder_request, row.settings = asdict(encoder), asdict(settings)


def _close_rows(session: Session, ids: Sequence[int], generation: int) -> None:
    for start in range(0, len(ids), CHUNK):
        is_in_chunk = ItemRow.id.in_(ids[start : start + CHUNK])
        session.execute(update(ItemRow).where(is_in_chunk).values(removed_generation=generation))


def _item_columns(collection: CollectionRecord, generation: int, encoder_digest: str, item: NewItem) -> dict[str, Any]:
    draft = item.draft
    return {
        "collection_id": collection.id,
        "key": draft.key,
        "location": draft.location,
        "content_digest": draft.content_digest,
        "encoder_digest": encoder_digest,
        "byte_size": draft.byte_size,
        "width": draft.width,
        "height": draft.height,
        "format": draft.format,
        "title": draft.title,
        "product_id": draft.product_id,
        "attributes": stored_attributes(draft),
        "is_tagged": draft.auto_tags is not None,
        "created_generation": generation,
        "seen_run": collection.run,
        "source_digest": item.source_digest,
        "created_at": utc_now(),
    }


def _collection_record(row: CollectionRow) -> CollectionRecord:
    return CollectionRecord(
        id=row.id,
        name=row.name,
        source=SourceRecord(row.source_kind, row.source_location, row.source_root),
        encoder=EncoderRequest(**row.encoder_request),
        settings=CollectionSettings.from_dict(row.settings),
        run=row.run,
        created_at=row.created_at,
        updated_at=row.updated_at,
        columns=declared_of(row),
    )
