"""The values of items in the form in which filters look them up: a row a value, in ``item_values``.

A list has a row for each of its different elements, a field without a value has none. ``kind`` is the value's type, and
``IN_LIST`` more for an element of a list. Text beyond ``INDEXED_CHARACTERS`` is stored by its beginning and a digest,
since PostgreSQL indexes no more than 2700 bytes; columns with longer names cannot be filtered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

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
    return _BUILT_IN_MARK + field.name if field.name.startswith(_BUILT_IN_MARK) else field.name


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


def value_rows(items: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The rows of items, each its id and its columns in ``items`` by name."""
    for item_id, columns in items:
        for name in BUILT_IN:
            yield from _rows(item_id, columns, Field(name, is_built_in=True), columns[name])
        for name, value in columns["attributes"].items():
            if len(name) <= INDEXED_CHARACTERS:
                yield from _rows(item_id, columns, Field(name), value)


def _rows(item_id: int, columns: Mapping[str, Any], field: Field, value: Any) -> Iterator[dict[str, Any]]:
    base_kind = IN_LIST if isinstance(value, list) else 0
    for typed in _built_in_values(field.name, value) if field.is_built_in else TypedValue.all_of(value):
        yield {
            "collection_id": columns["collection_id"],
            "name": stored_name(field),
            "kind": base_kind + typed.type,
            "number": typed.number,
            "text": shorten(typed.text),
            "item_id": item_id,
        }


def _built_in_values(name: str, value: Any) -> list[TypedValue]:
    if value is None:
        return []
    if isinstance(value, datetime):  # SQLite returns it without its zone, which is UTC
        moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
        return [TypedValue.of(moment.isoformat())]
    return [TypedValue.of_text(value) if BUILT_IN[name] is ValueType.TEXT else TypedValue.of(value)]
