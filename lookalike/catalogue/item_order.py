"""Items in the order of one field's values, read from the index of ``item_values``.

The index has the values of a field by their type, then by number and text, then by item: that is the order here, in
both directions. Text beyond 200 characters is ordered by its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select

from lookalike.catalogue.database import Database
from lookalike.catalogue.item_values import IN_LIST, stored_name
from lookalike.catalogue.models import ItemValueRow
from lookalike.filters.conditions import Field

MAX_NAMED_IDS = 500
"""Up to so many items are named in the statement: the database then reads past the others, and returns none of them."""

_values = ItemValueRow.__table__.c
_PLACE = (_values.kind, _values.number, _values.text, _values.item_id)


@dataclass(frozen=True, slots=True)
class OrderPlace:
    """Where an item is in the order: its value as ``item_values`` has it, and its id among those of equal values."""

    kind: int
    number: float
    text: str
    item_id: int


class ItemOrder:
    """The order of a collection's items by a field without lists; items without a value have no place in it."""

    def __init__(self, database: Database, collection_id: int, field: Field, *, is_descending: bool = False) -> None:
        self.field = field
        self._database = database
        self._is_field = and_(_values.collection_id == collection_id, _values.name == stored_name(field))
        self._is_descending = is_descending

    def read(
        self, limit: int, *, after: OrderPlace | None = None, item_ids: Sequence[int] | None = None
    ) -> list[OrderPlace]:
        """The first ``limit`` places after one, or from the beginning; of versions that are gone too.

        ``item_ids``, at most MAX_NAMED_IDS, are the only items that are wanted.
        """
        places: list[OrderPlace] = []
        for condition in self._ranges(after):
            statement = self._select(condition, limit - len(places))
            if item_ids is not None:
                statement = statement.where(_values.item_id.in_(item_ids))
            places += [
                OrderPlace(row.kind, row.number, row.text, row.item_id) for row in self._database.fetch_rows(statement)
            ]
            if len(places) >= limit:
                break
        return places

    def _select(self, condition: ColumnElement[bool], limit: int) -> Select[Any]:
        order = [column.desc() if self._is_descending else column.asc() for column in _PLACE]
        return select(*_PLACE).where(self._is_field, condition).order_by(*order).limit(limit)

    def _ranges(self, after: OrderPlace | None) -> list[ColumnElement[bool]]:
        """Conditions of which each is a range of the index, the nearest first.

        In one comparison of rows, SQLite would read all items of the same number again for each page; with a range of
        types beside the type, it would read all items of the type, and sort them.
        """
        is_scalar = _values.kind < IN_LIST
        if after is None:
            return [is_scalar]
        start = (after.kind, after.number, after.text, after.item_id)
        ranges = []
        for depth in reversed(range(len(_PLACE))):
            column, value = _PLACE[depth], start[depth]
            same = [other == other_value for other, other_value in zip(_PLACE[:depth], start[:depth], strict=True)]
            is_behind = column < value if self._is_descending else column > value
            ranges.append(and_(*same, is_behind) if same else and_(is_scalar, is_behind))
        return ranges
