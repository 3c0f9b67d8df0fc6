"""The values of items in the form in which filters look them up: a row a value, in ``item_values``.

A list has a row for each of its different elements, a field without a value has none. ``kind`` is the value's type, and
``IN_LIST`` more for an element of a list. Text beyond ``INDEXED_CHARACTERS`` is stored by its beginning and a digest,
since PostgreSQL indexes no more than 2700 bytes; columns with longer names cannot be filtered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from itertools import chain
from typing import Any

from sqlalchemy import Connection, insert

from lookalike.catalogue.models import ItemValueRow
from lookalike.filters.conditions import Field
from lookalike.filters.fields import BUILT_IN, ElementType
from lookalike.filters.values import TypedValue, ValueType

IN_LIST = 4
INDEXED_CHARACTERS = 200
_BUILT_IN_MARK = ":"


def stored_name(field: Field) -> str:
    """A field's name in the table: a mark sets the fields that every item has apart from columns of the same names."""
    if field.is_built_in:
        return _BUILT_IN_MARK + field.name
    return _escape(field.name)


def _escape(column: str) -> str:
    return _BUILT_IN_MARK + column if column.startswith(_BUILT_IN_MARK) else column


def column_name(name: str) -> str | None:
    """The metadata column of a stored name, None if it is a built-in field."""
    if not name.startswith(_BUILT_IN_MARK):
        return name
    return name[1:] if name.startswith(2 * _BUILT_IN_MARK) else None


def shorten(text: str) -> str:
    """Text as it is stored: equal texts stay equal, others different, and so do beginnings that can be indexed."""
    if len(text) <= INDEXED_CHARACTERS:
        return text
    return text[:INDEXED_CHARACTERS] + hashlib.sha256(text.encode()).hexdigest()


def element_type(kind: int) -> ElementType:
    """What ``kind`` says."""
    return ElementType(ValueType(kind % IN_LIST), kind >= IN_LIST)


def insert_values(connection: Connection, items: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Insert the values of new items, each its id and its columns in ``items`` by name.

    By the driver's own means: SQLAlchemy's work for each row takes longer than the database's.
    """
    statement = insert(ItemValueRow).compile(dialect=connection.dialect)
    if statement.positional:
        connection.exec_driver_sql(str(statement), list(_value_tuples(items)))
    else:
        connection.exec_driver_sql(str(statement), list(value_rows(items)))


def value_rows(items: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The rows that ``insert_values`` inserts, by column."""
    return (dict(zip(_COLUMNS, row, strict=True)) for row in _value_tuples(items))


def _value_tuples(items: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, str, int, float, str, int]]:
    """In the order of the table's columns."""
    for item_id, columns in items:
        collection_id = columns["collection_id"]
        for name, kind, number, text in chain(_built_in_values(columns), _metadata_values(columns["attributes"])):
            yield collection_id, name, kind, number, shorten(text), item_id


_Value = tuple[str, int, float, str]
"""A row's name, kind, number and text."""
_COLUMNS = tuple(ItemValueRow.__table__.columns.keys())
_BUILT_IN_NAMES = [(name, stored_name(Field(name, is_built_in=True)), kind) for name, kind in BUILT_IN.items()]


def _built_in_values(columns: Mapping[str, Any]) -> Iterator[_Value]:
    for column, name, kind in _BUILT_IN_NAMES:
        value = columns[column]
        if value is None:
            continue
        if kind is ValueType.TEXT:
            yield name, kind.value, 0.0, value
        elif kind is ValueType.NUMBER:
            yield name, kind.value, float(value), ""
        else:  # SQLite returns a moment without its zone, which is UTC
            moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
            yield name, kind.value, moment.timestamp(), moment.isoformat()


def _metadata_values(metadata: Mapping[str, Any]) -> Iterator[_Value]:
    for column, value in metadata.items():
        if value is None or len(column) > INDEXED_CHARACTERS:
            continue
        name, base_kind = _escape(column), IN_LIST if isinstance(value, list) else 0
        for typed in TypedValue.all_of(value):
            yield name, base_kind + typed.type.value, typed.number, typed.text
