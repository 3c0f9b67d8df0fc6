"""Reading the rows of a snapshot: the statements, made once, and what is kept of their answers.

Columns are read as tuples rather than as mapped objects: an answer of the service needs a dozen rows, and mapping them
cost several times as much as the search that found them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from lookalike.catalogue.database import Database
from lookalike.catalogue.models import ItemRow
from lookalike.catalogue.records import ItemDraft, ItemRecord
from lookalike.options import MEBIBYTE

CHUNK = 500  # ids in one IN list: well under every database's limit on bound values
KEPT_BYTES = 32 * MEBIBYTE
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


class VisibleItems:
    """The items that one published snapshot sees; safe from several threads at once.

    No row of a published snapshot ever changes, so those that were asked for last are kept, up to a number of bytes,
    for as long as the snapshot is open: also when they are gone from the database since. Only ``removed_generation``
    of a kept record may be older than the row's.
    """

    def __init__(self, database: Database, collection_id: int, generation: int, *, memory: int = KEPT_BYTES) -> None:
        """``memory`` is about how many bytes the kept records may take."""
        self._database = database
        self._seen_by = {"collection": collection_id, "generation": generation}
        self._memory = memory
        self._held = 0
        self._kept: OrderedDict[int, tuple[ItemRecord, int]] = OrderedDict()
        self._numbers: dict[str, int] = {}
        self._lock = Lock()

    def by_id(self, ids: Sequence[int]) -> dict[int, ItemRecord]:
        """Those of these items that the snapshot sees, by id."""
        found, missing = self._known(ids)
        for start in range(0, len(missing), CHUNK):
            rows = self._database.rows(BY_ID, **self._seen_by, ids=missing[start : start + CHUNK])
            read = [item_of(row) for row in rows]
            self._keep(read)
            found |= {item.id: item for item in read}
        return found

    def by_key(self, key: str) -> ItemRecord | None:
        """The item that the snapshot sees under this key."""
        with self._lock:
            number = self._numbers.get(key)
            if number is not None:
                self._kept.move_to_end(number)
                return self._kept[number][0]
        for statement in BY_KEY:
            for row in self._database.rows(statement, **self._seen_by, key=key):
                item = item_of(row)
                self._keep([item])
                return item
        return None

    def kept(self, ids: Sequence[int]) -> bool:
        """Whether these items can be had without asking the database."""
        return all(number in self._kept for number in ids)

    def kept_under(self, key: str) -> bool:
        """Whether the item under this key can be had without asking the database."""
        return key in self._numbers

    def page(self, after: int, limit: int) -> list[ItemRecord]:
        """The first items whose id is above ``after``, by rising id; not kept, since whole collections go by here."""
        return [item_of(row) for row in self._database.rows(AFTER, **self._seen_by, after=after, limit=limit)]

    def _known(self, ids: Sequence[int]) -> tuple[dict[int, ItemRecord], list[int]]:
        found, missing = {}, []
        with self._lock:
            for number in ids:
                entry = self._kept.get(number)
                if entry is None:
                    missing.append(number)
                else:
                    self._kept.move_to_end(number)
                    found[number] = entry[0]
        return found, missing

    def _keep(self, items: Iterable[ItemRecord]) -> None:
        with self._lock:
            for item in items:
                if item.id in self._kept:
                    continue
                size = _size(item)
                self._kept[item.id] = (item, size)
                self._numbers[item.draft.key] = item.id
                self._held += size
            while self._held > self._memory:
                _, (oldest, size) = self._kept.popitem(last=False)
                del self._numbers[oldest.draft.key]
                self._held -= size


def _size(item: ItemRecord) -> int:
    """About how many bytes a record takes."""
    draft = item.draft
    texts = len(draft.key) + len(draft.location) + len(draft.title or "") + len(draft.product_id or "")
    metadata = sum(150 + len(name) + len(str(value)) for name, value in draft.metadata.items())
    # A text beyond Latin-1 takes up to four bytes a letter.
    return _RECORD_BYTES + 4 * (texts + metadata)
