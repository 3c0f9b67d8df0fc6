"""Comparisons of a filter as SQL over ``item_values``: the only module that knows both.

Each comparison is a range, or a few, of the table's key, so its cost grows with the number of items that it passes. How
``and``, ``or`` and ``not`` join them is left to ``SnapshotFilter``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, select

from lookalike.catalogue.item_values import IN_LIST, shorten, stored_name
from lookalike.catalogue.models import CollectionRow, ItemValueRow
from lookalike.filters.conditions import Comparison, Equals, Exists, Field, HasPrefix, InOrder, Order
from lookalike.filters.values import TypedValue, ValueType

_values = ItemValueRow.__table__.c
# Fetched as one text: a quarter of the time that a row an id takes, with both databases.
_ID_LIST = func.aggregate_strings(cast(_values.item_id, String), ",").label("ids")


def select_ids(collection_id: int, comparison: Comparison) -> list[Select[Any]]:
    """Statements that together return the ids of the items that pass.

    Each returns one text with ids, between commas and possibly repeated; None without any.
    """
    is_field = _is_field(collection_id, comparison.field)
    return [select(_ID_LIST).where(is_field, condition) for condition in _ranges(comparison)]


def select_values(collection_id: int, field: Field) -> Select[Any]:
    """Each value of a field, with the ids of the items that have it: (kind, number, text, ids)."""
    value = (_values.kind, _values.number, _values.text)
    return select(*value, _ID_LIST).where(_is_field(collection_id, field)).group_by(*value)


def select_equal_values(collection_id: int, comparison: Equals) -> list[Select[Any]]:
    """Statements that together return the values that are compared with, each with the ids of the items that have it.

    Rows are those of ``select_values``; one value may have several, as dates do that are written in several ways.
    """
    value = (_values.kind, _values.number, _values.text)
    is_field = _is_field(collection_id, comparison.field)
    return [select(*value, _ID_LIST).where(is_field, condition).group_by(*value) for condition in _ranges(comparison)]


def select_columns(collection_id: int) -> Select[Any]:
    """The declared columns of a collection and its settings, as they are stored."""
    return select(CollectionRow.columns, CollectionRow.settings).where(CollectionRow.id == collection_id)


def select_next_kind(collection_id: int, name: str, kind: int) -> Select[Any]:
    """The first (name, kind) of the same stored name with a kind above this one: a step in the index."""
    is_above = and_(_values.name == name, _values.kind > kind)
    return _select_first_kind(collection_id, is_above)


def select_next_name(collection_id: int, name: str) -> Select[Any]:
    """The first (name, kind) of a stored name above this one: a step in the index.

    Both in one comparison of rows would make SQLite read all values of the name.
    """
    return _select_first_kind(collection_id, _values.name > name)


def _select_first_kind(collection_id: int, condition: ColumnElement[bool]) -> Select[Any]:
    column = (_values.name, _values.kind)
    return select(*column).where(_values.collection_id == collection_id, condition).order_by(*column).limit(1)


def _is_field(collection_id: int, field: Field) -> ColumnElement[bool]:
    return and_(_values.collection_id == collection_id, _values.name == stored_name(field))


def _ranges(comparison: Comparison) -> list[ColumnElement[bool]]:
    """Conditions that each are a range of the key; of ``or`` between them databases make a scan of the whole field."""
    match comparison:
        case Exists():
            return [_values.kind >= 0]
        case Equals(_, values):
            groups = ((kind, [value for value in values if value.type is kind]) for kind in ValueType)
            return [_equals(kind, group) for kind, group in groups if group]
        case HasPrefix(_, prefix):
            has_prefix = _begins_with(prefix)
            # All text has the number 0, which leads to its part of the key.
            is_text = and_(_is_kind(ValueType.TEXT), _values.number == 0.0)
            return [and_(is_text, has_prefix), and_(_is_kind(ValueType.DATE), has_prefix)]
        case InOrder(_, order, value):
            return [and_(_is_kind(value.type), _in_order(order, value.number))]


def _is_kind(kind: ValueType) -> ColumnElement[bool]:
    return _values.kind.in_([kind.value, kind.value + IN_LIST])


def _equals(kind: ValueType, values: Iterable[TypedValue]) -> ColumnElement[bool]:
    if kind is ValueType.TEXT:
        is_equal = and_(_values.number == 0.0, _values.text.in_([shorten(value.text) for value in values]))
    else:
        is_equal = _values.number.in_([value.number for value in values])
    return and_(_is_kind(kind), is_equal)


def _in_order(order: Order, number: float) -> ColumnElement[bool]:
    match order:
        case Order.LT:
            return _values.number < number
        case Order.LTE:
            return _values.number <= number
        case Order.GT:
            return _values.number > number
        case Order.GTE:
            return _values.number >= number


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """By a range: LIKE ignores case in SQLite, and uses no index where it does not."""
    end = _next_text(prefix)
    return _values.text >= prefix if end is None else and_(_values.text >= prefix, _values.text < end)


def _next_text(prefix: str) -> str | None:
    """The first text, by code points, after all that begin with this; None if there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    code = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if code == 0xD800 else code)  # surrogates are in no valid text
