"""The rows that are visible in a snapshot: SQL statements, built once, and a cache of the records.

Columns are read as tuples rather than as mapped objects: a response of the service needs a dozen rows, and mapping them
cost several times as much as the search itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from cachetools import LRUCache
from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import ItemRow
from lookalike.catalogue.records import (
    AUTO_TAGS,
    AUTO_TAGS_CONFIDENCE,
    TAG_COLUMNS,
    AutoTags,
    ItemDraft,
    ItemRecord,
)
from lookalike.options import MEBIBYTE

NAMES_PAGE = 20_000  # rows of three short columns that one statement returns
CHUNK = 500  # ids in one IN list: well under every database's limit on bound values
CACHE_BYTES = 32 * MEBIBYTE
_BASE_RECORD_BYTES = 1400
"""About the bytes of an item's record in memory, without its texts and its metadata."""


def without_index(collection_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[int]:
    """The column as an expression that no index covers, for queries that choose rows by their id.

    Without statistics, SQLite assumes ten rows per collection, and would scan the collection's index instead.
    """
    return collection_id + 0


_items = ItemRow.__table__.c
ITEM_COLUMNS = (
    _items.id,
    _items.key,
    _items.location,
    _items.content_digest,
    _items.byte_size,
    _items.width,
    _items.height,
    _items.format,
    _items.title,
    _items.product_id,
    _items.attributes,
    _items.is_tagged,
    _items.encoder_digest,
    _items.created_generation,
    _items.removed_generation,
    _items.change,
    _items.source_digest,
)
_in_collection = _items.collection_id == bindparam("collection")
_is_created = _items.created_generation <= bindparam("generation")
_is_live = _items.removed_generation.is_(None)
_is_removed_later = _items.removed_generation > bindparam("generation")
_is_visible = and_(_is_created, or_(_is_live, _is_removed_later))
Items = Select[Any]
_by_key: Items = select(*ITEM_COLUMNS).where(_in_collection, _is_created, _items.key == bindparam("key"))
# Live versions have one index by key and removed ones another: a query for both at once would use neither.
BY_KEY: tuple[Items, ...] = (_by_key.where(_is_live), _by_key.where(_is_removed_later))
_by_keys: Items = select(*ITEM_COLUMNS).where(
    _in_collection, _is_created, _items.key.in_(bindparam("keys", expanding=True))
)
BY_KEYS: tuple[Items, ...] = (_by_keys.where(_is_live), _by_keys.where(_is_removed_later))
BY_ID: Items = select(*ITEM_COLUMNS).where(
    without_index(_items.collection_id) == bindparam("collection"),
    _is_visible,
    _items.id.in_(bindparam("ids", expanding=True)),
)
AFTER: Items = (
    select(*ITEM_COLUMNS)
    .where(without_index(_items.collection_id) == bindparam("collection"), _is_visible, _items.id > bindparam("after"))
    .order_by(_items.id)
    .limit(bindparam("limit"))
)
REPLACED_AFTER: Items = select(_items.key, _items.id).where(
    _in_collection,
    _items.removed_change > bindparam("change"),
    _is_removed_later,
    or_(_is_created, _items.change <= bindparam("change")),
)
NAMES_AFTER: Items = (
    select(_items.id, _items.key, _items.content_digest)
    .where(without_index(_items.collection_id) == bindparam("collection"), _is_visible, _items.id > bindparam("after"))
    .order_by(_items.id)
    .limit(bindparam("limit"))
)
BY_CONTENT: Items = select(*ITEM_COLUMNS).where(
    _in_collection, _is_live, _items.content_digest.in_(bindparam("contents", expanding=True))
)


def to_item_record(row: Sequence[Any]) -> ItemRecord:
    """The record of one row that these statements return."""
    item_id, key, location, content, byte_size, width, height, format_name, title, product, *described = row
    attributes, is_tagged, *versions = described
    metadata, tags = split_attributes(attributes, is_tagged)
    draft = ItemDraft(key, location, content, byte_size, width, height, format_name, title, product, metadata, tags)
    return ItemRecord(item_id, draft, *versions)


def split_attributes(attributes: Mapping[str, Any], is_tagged: bool) -> tuple[Mapping[str, Any], AutoTags | None]:
    """The metadata of an item and its automatic tags, None without any, of what is stored."""
    if not is_tagged:
        return attributes, None
    metadata = {name: value for name, value in attributes.items() if name not in TAG_COLUMNS}
    return metadata, tuple(zip(attributes[AUTO_TAGS], attributes[AUTO_TAGS_CONFIDENCE], strict=True))


class _RecordCache(LRUCache[int, ItemRecord]):
    """The most recently used records by id, up to about ``memory`` bytes, and the id of each by its key."""

    def __init__(self, memory: int) -> None:
        super().__init__(memory, getsizeof=_record_bytes)
        self.ids: dict[str, int] = {}

    def __setitem__(self, item_id: int, item: ItemRecord) -> None:
        super().__setitem__(item_id, item)
        self.ids[item.draft.key] = item_id

    def popitem(self) -> tuple[int, ItemRecord]:
        item_id, item = super().popitem()
        del self.ids[item.draft.key]
        return item_id, item


class VisibleItems:
    """The items visible in one published snapshot; safe from several threads at once.

    No row of a published snapshot ever changes, so the most recently used records stay cached while the snapshot is
    open, also when they have been deleted from the database since. Only ``removed_generation`` of a cached record may
    be out of date.
    """

    def __init__(self, database: Database, collection_id: int, generation: int, *, memory: int = CACHE_BYTES) -> None:
        """``memory`` is about the most bytes that the cached records may take."""
        self._database = database
        self._snapshot = {"collection": collection_id, "generation": generation}
        self._records = _RecordCache(memory)
        self._lock = Lock()

    def by_id(self, ids: Sequence[int]) -> dict[int, ItemRecord]:
        """Those of these items that are visible in the snapshot, by id."""
        records, missing_ids = self._cached_records(ids)
        for start in range(0, len(missing_ids), CHUNK):
            rows = self._database.fetch_rows(BY_ID, **self._snapshot, ids=missing_ids[start : start + CHUNK])
            items = [to_item_record(row) for row in rows]
            self._cache(items)
            records |= {item.id: item for item in items}
        return records

    def by_key(self, key: str) -> ItemRecord | None:
        """The item of exactly this key in the snapshot, None without one."""
        with self._lock:
            item_id = self._records.ids.get(key)
            if item_id is not None:
                return self._records[item_id]
        for statement in BY_KEY:
            for row in self._database.fetch_rows(statement, **self._snapshot, key=key):
                item = to_item_record(row)
                self._cache([item])
                return item
        return None

    def by_keys(self, keys: Sequence[str]) -> dict[str, ItemRecord]:
        """Those of these keys, exactly as they are, that the snapshot has, with their items; not cached."""
        items: dict[str, ItemRecord] = {}
        for start in range(0, len(keys), CHUNK):
            for statement in BY_KEYS:
                rows = self._database.fetch_rows(statement, **self._snapshot, keys=keys[start : start + CHUNK])
                items |= {item.draft.key: item for item in map(to_item_record, rows)}
        return items

    def has_cached_ids(self, ids: Sequence[int]) -> bool:
        """Whether ``by_id`` needs no query for these items."""
        return all(item_id in self._records for item_id in ids)

    def has_cached_key(self, key: str) -> bool:
        """Whether ``by_key`` needs no query for this key."""
        return key in self._records.ids

    def page(self, after: int, limit: int) -> list[ItemRecord]:
        """The first items whose id is above ``after``, by ascending id; not cached: whole collections are read so."""
        return [
            to_item_record(row) for row in self._database.fetch_rows(AFTER, **self._snapshot, after=after, limit=limit)
        ]

    def names(self) -> Iterator[tuple[int, str, str]]:
        """Of all items by ascending id: the id, the key, and the SHA-256 of the content; not cached."""
        after = 0
        while True:
            rows = self._database.fetch_rows(NAMES_AFTER, **self._snapshot, after=after, limit=NAMES_PAGE)
            yield from (tuple(row) for row in rows)
            if len(rows) < NAMES_PAGE:
                return
            after = rows[-1].id

    def places_at(self, change: int) -> dict[str, int]:
        """Of the items that were replaced or removed live after a change, by key the id that each had then.

        Some may be gone when a later snapshot is published.
        """
        rows = self._database.fetch_rows(REPLACED_AFTER, **self._snapshot, change=change)
        return {row.key: row.id for row in rows}

    def _cached_records(self, ids: Sequence[int]) -> tuple[dict[int, ItemRecord], list[int]]:
        """The cached records by id, and the ids of the others."""
        records, missing_ids = {}, []
        with self._lock:
            for item_id in ids:
                item = self._records.get(item_id)
                if item is None:
                    missing_ids.append(item_id)
                else:
                    records[item_id] = item
        return records, missing_ids

    def _cache(self, items: Iterable[ItemRecord]) -> None:
        with self._lock:
            for item in items:
                if item.id not in self._records:
                    with suppress(ValueError):  # a record larger than the cache
                        self._records[item.id] = item


def _record_bytes(item: ItemRecord) -> int:
    """About the bytes that a record takes in memory."""
    draft = item.draft
    texts = len(draft.key) + len(draft.location) + len(draft.title or "") + len(draft.product_id or "")
    metadata = sum(150 + len(name) + len(str(value)) for name, value in draft.all_metadata.items())
    # A text beyond Latin-1 takes up to four bytes a letter.
    return _BASE_RECORD_BYTES + 4 * (texts + metadata)
