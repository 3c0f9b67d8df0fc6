"""Reading the rows of a snapshot: the statements, made once, and a cache of the records.

Columns are read as tuples rather than as mapped objects: an answer of the service needs a dozen rows, and mapping them
cost several times as much as the search that found them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from cachetools import LRUCache
from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import ItemRow
from lookalike.catalogue.records import ItemDraft, ItemRecord
from lookalike.options import MEBIBYTE

CHUNK = 500  # ids in one IN list: well under every database's limit on bound values
CACHE_BYTES = 32 * MEBIBYTE
_RECORD_BYTES = 1400
"""About what an item's record takes in memory beside its texts and its metadata."""


def by_number(collection_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[int]:
    """The column as an expression that no index has, for queries that choose rows by their own number.

    A SQLite without statistics takes a collection for ten rows, and would rather go through all of them.
    """
    return collection_id + 0


_items = ItemRow.__table__.c
_COLUMNS = (
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
    _items.encoder_digest,
    _items.created_generation,
    _items.removed_generation,
)
_mine = _items.collection_id == bindparam("collection")
_come = _items.created_generation <= bindparam("generation")
_live = _items.removed_generation.is_(None)
_gone_later = _items.removed_generation > bindparam("generation")
_seen = and_(_come, or_(_live, _gone_later))
Items = Select[Any]
_by_key: Items = select(*_COLUMNS).where(_mine, _come, _items.key == bindparam("key"))
# Live versions have an index by key and those that are gone another one: asked for both at once, neither is used.
BY_KEY: tuple[Items, ...] = (_by_key.where(_live), _by_key.where(_gone_later))
BY_ID: Items = select(*_COLUMNS).where(
    by_number(_items.collection_id) == bindparam("collection"), _seen, _items.id.in_(bindparam("ids", expanding=True))
)
AFTER: Items = (
    select(*_COLUMNS)
    .where(by_number(_items.collection_id) == bindparam("collection"), _seen, _items.id > bindparam("after"))
    .order_by(_items.id)
    .limit(bindparam("limit"))
)
BY_CONTENT: Items = select(*_COLUMNS).where(
    _mine, _live, _items.content_digest.in_(bindparam("contents", expanding=True))
)


def item_of(row: Sequence[Any]) -> ItemRecord:
    """The record of a row of these statements."""
    number, key, location, content, byte_size, width, height, kind, title, product, attributes, *versions = row
    draft = ItemDraft(key, location, content, byte_size, width, height, kind, title, product, attributes)
    return ItemRecord(number, draft, *versions)


class _Records(LRUCache[int, ItemRecord]):
    """Records by id, those used last up to about so many bytes in all, and the id of each by its key."""

    def __init__(self, memory: int) -> None:
        super().__init__(memory, getsizeof=_size)
        self.ids: dict[str, int] = {}

    def __setitem__(self, item_id: int, item: ItemRecord) -> None:
        super().__setitem__(item_id, item)
        self.ids[item.draft.key] = item_id

    def popitem(self) -> tuple[int, ItemRecord]:
        item_id, item = super().popitem()
        del self.ids[item.draft.key]
        return item_id, item


class VisibleItems:
    """The items that one published snapshot sees; safe from several threads at once.

    No row of a published snapshot ever changes, so the records used last stay in memory, up to a number of bytes, for
    as long as the snapshot is open: also when they are gone from the database since. Only ``removed_generation`` of
    such a record may be older than the row's.
    """

    def __init__(self, database: Database, collection_id: int, generation: int, *, memory: int = CACHE_BYTES) -> None:
        """``memory`` is about how many bytes the records in memory may take."""
        self._database = database
        self._snapshot = {"collection": collection_id, "generation": generation}
        self._records = _Records(memory)
        self._lock = Lock()

    def by_id(self, ids: Sequence[int]) -> dict[int, ItemRecord]:
        """Those of these items that the snapshot sees, by id."""
        records, missing_ids = self._cached_records(ids)
        for start in range(0, len(missing_ids), CHUNK):
            rows = self._database.rows(BY_ID, **self._snapshot, ids=missing_ids[start : start + CHUNK])
            items = [item_of(row) for row in rows]
            self._cache(items)
            records |= {item.id: item for item in items}
        return records

    def by_key(self, key: str) -> ItemRecord | None:
        """The item that the snapshot sees under this key."""
        with self._lock:
            item_id = self._records.ids.get(key)
            if item_id is not None:
                return self._records[item_id]
        for statement in BY_KEY:
            for row in self._database.rows(statement, **self._snapshot, key=key):
                item = item_of(row)
                self._cache([item])
                return item
        return None

    def has_cached_ids(self, ids: Sequence[int]) -> bool:
        """Whether ``by_id`` answers for these items without asking the database."""
        return all(item_id in self._records for item_id in ids)

    def has_cached_key(self, key: str) -> bool:
        """Whether ``by_key`` answers for this key without asking the database."""
        return key in self._records.ids

    def page(self, after: int, limit: int) -> list[ItemRecord]:
        """The first items whose id is above ``after``, by rising id; not cached: whole collections are read so."""
        return [item_of(row) for row in self._database.rows(AFTER, **self._snapshot, after=after, limit=limit)]

    def _cached_records(self, ids: Sequence[int]) -> tuple[dict[int, ItemRecord], list[int]]:
        """The records that are in memory, by id, and the ids of the others."""
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
                    with suppress(ValueError):  # a record that takes more than all of the memory
                        self._records[item.id] = item


def _size(item: ItemRecord) -> int:
    """About how many bytes a record takes."""
    draft = item.draft
    texts = len(draft.key) + len(draft.location) + len(draft.title or "") + len(draft.product_id or "")
    metadata = sum(150 + len(name) + len(str(value)) for name, value in draft.metadata.items())
    # A text beyond Latin-1 takes up to four bytes a letter.
    return _RECORD_BYTES + 4 * (texts + metadata)
