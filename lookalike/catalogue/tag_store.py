"""What is asked of all live items of a collection to tag them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, and_, select

from lookalike.catalogue.auto_tags import Tagger, corrections_of, tag_items
from lookalike.catalogue.database import Database
from lookalike.catalogue.models import ItemRow
from lookalike.catalogue.records import ItemRecord, NewItem
from lookalike.catalogue.visible_items import CHUNK, ITEM_COLUMNS, to_item_record


class TagStore:
    """Queries about the tags of one collection, each one transaction; safe from several threads at once."""

    def __init__(self, database: Database, collection_id: int) -> None:
        self._database = database
        self._collection_id = collection_id

    def live_pages(self) -> Iterator[list[ItemRecord]]:
        """All live items, by id, in pages; those that are added meanwhile come at the end."""
        last = 0
        while page := self._live_after(last):
            yield page
            last = page[-1].id

    def has_live(self, *, is_tagged: bool) -> bool:
        """Whether a live item has automatic tags, or has none."""
        query = select(ItemRow.id).where(self._is_live, ItemRow.is_tagged.is_(is_tagged)).limit(1)
        with self._database.read_session() as session:
            return session.scalar(query) is not None

    def tag(self, items: Sequence[NewItem], tagger: Tagger | None) -> Sequence[NewItem]:
        """These items with the tags that they would be stored with."""
        with self._database.read_session() as session:
            return tag_items(session, self._collection_id, items, tagger)

    def corrections(self, keys: Sequence[str]) -> dict[str, dict[str, bool]]:
        """Of these keys, by word, which was added by somebody (true), and which was taken away."""
        with self._database.read_session() as session:
            return corrections_of(session, self._collection_id, keys)

    @property
    def _is_live(self) -> ColumnElement[bool]:
        return and_(ItemRow.collection_id == self._collection_id, ItemRow.removed_generation.is_(None))

    def _live_after(self, last: int) -> list[ItemRecord]:
        query = select(*ITEM_COLUMNS).where(self._is_live, ItemRow.id > last).order_by(ItemRow.id).limit(CHUNK)
        with self._database.read_session() as session:
            return [to_item_record(row) for row in session.execute(query)]
