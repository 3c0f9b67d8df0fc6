"""Changes of single items while a collection is served: put, changed and removed items, visible at once.

Every transaction with changes has a number, one above that of the transaction before. A row that a change made has its
number in ``change``; a row that a change replaced or removed has it in ``removed_change``, and
``removed_generation`` besides, as any other row. So a reader of the snapshot of generation g sees

- the items of the snapshot without those whose ``removed_change`` is set, and
- the rows with a ``change``, without a ``removed_change``, that were made after g.

A change belongs to the generation that the next publish has not read yet (``CollectionRow.live_generation``):
``seal`` moves it on at the moment at which a publish reads its rows, under the lock that every change takes.

Who wins against a run of the indexer: the last change of a key. A source that says of a key what it said in its last
run has no say; ``source_digest`` of a version that was made live is what it said then (``NEVER_IN_SOURCE`` if it has
never had the key, None for a version that is what the source says), and ``live_removals`` has that of removed items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from lookalike.catalogue.auto_tags import LiveTags, Tagger, stored_attributes
from lookalike.catalogue.column_store import declared_of
from lookalike.catalogue.database import Database
from lookalike.catalogue.item_values import insert_values
from lookalike.catalogue.item_words import insert_words
from lookalike.catalogue.live_removals import chunks, digest_of_source, removals_of
from lookalike.catalogue.models import CollectionRow, ItemRow, LiveRemovalRow, VectorRow, utc_now
from lookalike.catalogue.records import ItemDraft, ItemRecord, TagRequest
from lookalike.catalogue.visible_items import ITEM_COLUMNS, split_attributes, to_item_record
from lookalike.errors import MetadataInvalidError
from lookalike.filters.declared_columns import DeclaredColumns, find_wrong_column, type_phrase, value_phrase

Vector = npt.NDArray[np.float32]
NEVER_IN_SOURCE = ""


class ChangeStatus(StrEnum):
    """What became of one change.

    created    there was no item of this key
    replaced   there was one
    removed    the item is gone
    missing    there is no item to remove or change
    conflict   the item is another version than the one that was expected, or there is one
    refused    a value is not of the type of its declared column
    """

    CREATED = "created"
    REPLACED = "replaced"
    REMOVED = "removed"
    MISSING = "missing"
    CONFLICT = "conflict"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class LiveChange:
    """A new version of an item with its unit-length ``vector`` (D,), or its removal: then both are None.

    ``expected_id`` is the id of the version that the change is about: of another one it is a conflict. With
    ``is_addition`` there must be none. ``tags`` corrects the automatic tags.
    """

    key: str
    draft: ItemDraft | None = None
    vector: Vector | None = None
    expected_id: int | None = None
    is_addition: bool = False
    tags: TagRequest | None = None


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """``item_id`` is that of the new version, None where there is none; ``problem`` says why a change is refused."""

    status: ChangeStatus
    item_id: int | None = None
    problem: MetadataInvalidError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ChangesSince:
    """What has changed for a reader of one snapshot after a ``change``: the number is now ``change``.

    ``added`` are new versions with their ``vectors`` (n, D); ``removed_ids`` are of versions that are gone, in the
    snapshot or among those that were added before.
    """

    change: int
    added: tuple[ItemRecord, ...]
    vectors: tuple[Vector, ...]
    removed_ids: tuple[int, ...]


class LiveChanges:
    """The live changes of one collection, each call one transaction; safe from several threads and processes."""

    def __init__(self, database: Database, collection_id: int) -> None:
        self._database = database
        self._collection_id = collection_id

    def number(self) -> int:
        """The number of the last change."""
        rows = self._database.fetch_rows(select(CollectionRow.change).where(CollectionRow.id == self._collection_id))
        return int(rows[0].change) if rows else 0

    def apply(
        self,
        changes: Sequence[LiveChange],
        *,
        published_generation: int,
        encoder_digest: str,
        tagger: Tagger | None = None,
    ) -> list[ChangeOutcome]:
        """Make changes in their order, in one transaction; one outcome each.

        ``published_generation`` is that of the snapshot that the caller serves; a later one may be there already.
        ``tagger`` gives vectors their tags, if the collection's pictures have any.
        """
        with self._database.write_session() as session:
            collection = session.scalars(
                select(CollectionRow).where(CollectionRow.id == self._collection_id).with_for_update()
            ).one()
            # A catalogue that was restored may be behind the snapshots.
            generation = max(collection.live_generation, published_generation + 1)
            number, declared = collection.change + 1, declared_of(collection)
            tags = LiveTags(session, collection, tagger)
            step = _Step(session, collection, number, generation, published_generation, declared, tags)
            outcomes = [step.make(change, encoder_digest) for change in changes]
            if any(outcome.status not in _WITHOUT_CHANGE for outcome in outcomes):
                collection.change = step.number
            return outcomes

    def seal(self, generation: int) -> None:
        """Let changes from now on belong to the generation after this one, whose rows are about to be read."""
        with self._database.write_session() as session:
            collection = session.scalars(
                select(CollectionRow).where(CollectionRow.id == self._collection_id).with_for_update()
            ).one()
            collection.live_generation = max(collection.live_generation, generation + 1)

    def count_pending(self, generation: int) -> int:
        """How many keys were changed live since the snapshot of this generation."""
        is_added = and_(
            ItemRow.change.is_not(None), ItemRow.removed_generation.is_(None), ItemRow.created_generation > generation
        )
        is_removed = and_(
            ItemRow.removed_change.is_not(None),
            ItemRow.removed_generation > generation,
            ItemRow.created_generation <= generation,
        )
        keys = select(func.count(ItemRow.key.distinct())).where(
            ItemRow.collection_id == self._collection_id, or_(is_added, is_removed)
        )
        with self._database.read_session() as session:
            return int(session.scalar(keys) or 0)

    def up_to(self, change: int, generation: int) -> ChangesSince | None:
        """The changes up to an earlier number, for a reader of the snapshot of this generation.

        None if versions of then may be gone: since a publish has begun, which removes those that no snapshot has.
        """
        changes = self.since(0, generation, last=change)
        rows = self._database.fetch_rows(
            select(CollectionRow.live_generation).where(CollectionRow.id == self._collection_id)
        )
        # Asked after the versions were read: what removes them has begun before.
        is_complete = bool(rows) and rows[0].live_generation <= generation + 1
        return changes if is_complete and changes is not None and changes.change == change else None

    def since(self, change: int, generation: int, *, last: int | None = None) -> ChangesSince | None:
        """The changes after a number, up to the ``last`` one, for a reader of the snapshot of this generation.

        None if some of its rows are gone: a later snapshot is published, and this one is no longer kept.
        """
        with self._database.read_session() as session:
            # The number first, and nothing that is committed after it: the reader has one state, not half of a change.
            number = session.scalar(select(CollectionRow.change).where(CollectionRow.id == self._collection_id)) or 0
            number = number if last is None else min(number, last)
            is_left = or_(ItemRow.removed_change.is_(None), ItemRow.removed_change > number)
            is_added = and_(
                ItemRow.change > change, ItemRow.change <= number, is_left, ItemRow.created_generation > generation
            )
            added = session.execute(
                select(*ITEM_COLUMNS, VectorRow.vector)
                .outerjoin(VectorRow, VectorRow.item_id == ItemRow.id)
                .where(ItemRow.collection_id == self._collection_id, is_added)
                .order_by(ItemRow.id)
            ).all()
            removed_ids = session.scalars(
                select(ItemRow.id)
                .where(
                    ItemRow.collection_id == self._collection_id,
                    ItemRow.removed_change > change,
                    ItemRow.removed_change <= number,
                )
                .order_by(ItemRow.id)
            ).all()
        if any(row.vector is None for row in added):
            return None
        return ChangesSince(
            number,
            tuple(to_item_record(row[:-1]) for row in added),
            tuple(np.frombuffer(row.vector, dtype="<f4").astype(np.float32) for row in added),
            tuple(removed_ids),
        )

    def removals(self, keys: Sequence[str]) -> dict[str, str]:
        """Of these keys those that were removed live, and what the source said of each when that was done."""
        with self._database.read_session() as session:
            return {
                row.key: row.source_digest
                for chunk in chunks(keys)
                for row in session.scalars(select(LiveRemovalRow).where(*removals_of(self._collection_id, chunk)))
            }

    def mark_removals_present(self, keys: Sequence[str], run: int) -> None:
        """Record that the source still says the same of these removed keys in this run."""
        with self._database.write_session() as session:
            for chunk in chunks(keys):
                is_removed = removals_of(self._collection_id, chunk)
                session.execute(update(LiveRemovalRow).where(*is_removed).values(seen_run=run))


_WITHOUT_CHANGE = (ChangeStatus.MISSING, ChangeStatus.CONFLICT, ChangeStatus.REFUSED)


@dataclass(frozen=True, slots=True)
class _Step:
    """The transaction of one call: its number, its generation, the one that is served, and the declared columns."""

    session: Session
    collection: CollectionRow
    number: int
    generation: int
    published_generation: int
    declared: DeclaredColumns
    tags: LiveTags

    def make(self, change: LiveChange, encoder_digest: str) -> ChangeOutcome:
        rows = list(self.session.scalars(select(ItemRow).where(self._is_of(change.key)).order_by(ItemRow.id)))
        visible = self._visible(rows)
        if change.expected_id is not None and (visible is None or visible.id != change.expected_id):
            return ChangeOutcome(ChangeStatus.MISSING if visible is None else ChangeStatus.CONFLICT)
        if change.is_addition and visible is not None:
            return ChangeOutcome(ChangeStatus.CONFLICT)
        if change.draft is None:
            if visible is None:
                return ChangeOutcome(ChangeStatus.MISSING)
            self._close(rows)
            self._remember_removal(change.key, _source_digest(visible))
            return ChangeOutcome(ChangeStatus.REMOVED)
        if change.vector is None:
            raise ValueError("a new version needs its vector")
        try:
            _check_declared(change.draft, self.declared)
            draft = self.tags.tag(change.draft, change.vector, change.tags)
        except MetadataInvalidError as problem:
            return ChangeOutcome(ChangeStatus.REFUSED, problem=problem)
        source_digest = _source_digest(visible) if visible is not None else self._forget_removal(change.key)
        self._close(rows)
        item_id = self._insert(draft, change.vector, encoder_digest, source_digest)
        status = ChangeStatus.CREATED if visible is None else ChangeStatus.REPLACED
        return ChangeOutcome(status, item_id)

    def _is_of(self, key: str) -> ColumnElement[bool]:
        """Rows of the key that somebody may see, or that a run of the indexer has made for the next snapshot."""
        is_recent = or_(ItemRow.removed_generation.is_(None), ItemRow.removed_generation > self.published_generation)
        return and_(ItemRow.collection_id == self.collection.id, ItemRow.key == key, is_recent)

    def _visible(self, rows: Sequence[ItemRow]) -> ItemRow | None:
        """The version that a reader sees, or will see as soon as what is being published is there."""
        for row in reversed(rows):
            is_made = row.created_generation < self.generation or row.change is not None
            is_left = row.removed_generation is None or row.removed_generation >= self.generation
            if is_made and is_left and row.removed_change is None:
                return row
        return None

    def _close(self, rows: Sequence[ItemRow]) -> None:
        """End all versions, also those that only readers of an older or of the next snapshot would see."""
        for row in rows:
            if row.removed_generation is None:
                row.removed_generation = self.generation
            if row.removed_change is None:
                row.removed_change = self.number
        # Before the new version is inserted: of one key only one row may be live.
        self.session.flush()

    def _insert(self, draft: ItemDraft, vector: Vector, encoder_digest: str, source_digest: str) -> int:
        row = ItemRow(
            collection_id=self.collection.id,
            key=draft.key,
            location=draft.location,
            content_digest=draft.content_digest,
            encoder_digest=encoder_digest,
            byte_size=draft.byte_size,
            width=draft.width,
            height=draft.height,
            format=draft.format,
            title=draft.title,
            product_id=draft.product_id,
            attributes=stored_attributes(draft),
            is_tagged=draft.auto_tags is not None,
            created_generation=self.generation,
            seen_run=self.collection.run,
            created_at=utc_now(),
            change=self.number,
            source_digest=source_digest,
        )
        self.session.add(row)
        self.session.flush()
        self.session.add(VectorRow(item_id=row.id, vector=np.ascontiguousarray(vector, dtype="<f4").tobytes()))
        columns = {name: getattr(row, name) for name in ItemRow.__table__.columns.keys()}  # noqa: SIM118  # no mapping
        insert_values(self.session.connection(), [(row.id, columns)])
        insert_words(self.session.connection(), [(row.id, columns)])
        return row.id

    def _remember_removal(self, key: str, source_digest: str) -> None:
        if source_digest != NEVER_IN_SOURCE:  # then it cannot come back
            collection = self.collection
            self.session.add(
                LiveRemovalRow(
                    collection_id=collection.id, key=key, source_digest=source_digest, seen_run=collection.run
                )
            )
            self.session.flush()

    def _forget_removal(self, key: str) -> str:
        """What the source said of a key when it was removed, which is remembered with its new version from now on."""
        is_removed = removals_of(self.collection.id, [key])
        source_digest = self.session.scalar(select(LiveRemovalRow.source_digest).where(*is_removed))
        if source_digest is None:
            return NEVER_IN_SOURCE
        self.session.execute(delete(LiveRemovalRow).where(*is_removed))
        return source_digest


def _check_declared(draft: ItemDraft, declared: DeclaredColumns) -> None:
    """Raise MetadataInvalidError for a value that is not of the type of its declared column."""
    column = find_wrong_column(draft.metadata, declared)
    if column is None:
        return
    kind, value = declared[column], draft.metadata[column]
    raise MetadataInvalidError(
        f"the item {draft.key!r}: the column {column!r} is declared as {kind}, and must be {type_phrase(kind)}; "
        f"got {value_phrase(value)}",
        subject=column,
    )


def _source_digest(row: ItemRow) -> str:
    """What the source said last of the key."""
    if row.source_digest is not None:
        return row.source_digest
    return digest_of_source(
        ItemDraft(
            row.key,
            row.location,
            row.content_digest,
            row.byte_size,
            row.width,
            row.height,
            row.format,
            row.title,
            row.product_id,
            split_attributes(row.attributes, row.is_tagged)[0],
        )
    )
