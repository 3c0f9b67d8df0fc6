"""What a run would remove from the published collection, and what its source still has beside it.

A run may refuse to publish for it; so nothing here changes a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from lookalike.catalogue.database import Database
from lookalike.catalogue.live_changes import NEVER_IN_SOURCE
from lookalike.catalogue.models import ItemRow
from lookalike.catalogue.records import CollectionRecord

_FETCH = 5_000  # rows that are fetched at once


@dataclass(frozen=True, slots=True)
class LostItem:
    """A published picture that this run has not found: its key, and where its source had it."""

    key: str
    location: str


@dataclass(frozen=True, slots=True)
class LostItems:
    """The published items of a collection that its current run, towards ``generation``, has not found.

    A picture that was renamed or moved is not lost: its content stands under a key that is new in this run.
    """

    database: Database
    collection: CollectionRecord
    generation: int

    def published_count(self) -> int:
        """Number of items in the snapshot before this run."""
        with self.database.read_session() as session:
            return int(session.scalar(select(func.count()).where(_is_published(ItemRow, self))) or 0)

    def items(self) -> list[LostItem]:
        """The lost items, by key."""
        other, earlier = aliased(ItemRow), aliased(ItemRow)
        is_still_there = exists().where(_is_in_source(other, self), other.key == ItemRow.key)
        is_known_key = exists().where(_is_published(earlier, self), earlier.key == other.key)
        is_moved = exists().where(
            _is_in_source(other, self),
            other.content_digest == ItemRow.content_digest,
            other.created_generation == self.generation,
            ~is_known_key,
        )
        query = select(ItemRow.key, ItemRow.location).where(_is_published(ItemRow, self), ~is_still_there, ~is_moved)
        with self.database.read_session() as session:
            return [LostItem(key, location) for key, location in session.execute(query.order_by(ItemRow.key))]

    def locations_in_source(self) -> Iterator[str]:
        """Where the source has each item that this run has found, in no particular order."""
        query = select(ItemRow.location).where(_is_in_source(ItemRow, self)).execution_options(yield_per=_FETCH)
        with self.database.read_session() as session:
            yield from session.scalars(query)


def _is_published(row: type[ItemRow], lost: LostItems) -> ColumnElement[bool]:
    """Whether searches had the item before this run, and a source had it; of one that was changed live, its version."""
    return and_(
        row.removed_change.is_(None),
        or_(row.source_digest.is_(None), row.source_digest != NEVER_IN_SOURCE),
        row.collection_id == lost.collection.id,
        # A version that was made live since the last snapshot is of the generation that this run publishes.
        or_(row.created_generation < lost.generation, row.change.is_not(None)),
        or_(row.removed_generation.is_(None), row.removed_generation >= lost.generation),
    )


def _is_in_source(row: type[ItemRow], lost: LostItems) -> ColumnElement[bool]:
    return and_(
        row.collection_id == lost.collection.id,
        row.removed_generation.is_(None),
        row.seen_run == lost.collection.run,
    )
