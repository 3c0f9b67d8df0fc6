"""Columns of metadata that are declared with a type, and whether a value is of the type of its column.

Nothing is converted: text that looks like a number is text. A date is text in ISO form. Null and the empty list are no
value, and so are of every type, as in filters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lookalike.filters.fields import ElementType, check_column_name
from lookalike.filters.values import ValueType, parse_iso

DeclaredColumns = Mapping[str, ElementType]
"""The declared columns by name, each with the type of its values."""
NO_COLUMNS: DeclaredColumns = MappingProxyType({})
COLUMN_TYPES: Mapping[str, ElementType] = {
    str(kind): kind for in_list in (False, True) for kind in (ElementType(type_, in_list) for type_ in ValueType)
}
"""The types that can be declared by name: ``text``, ``number``, ..., ``list of text``, ..."""
MAX_DECLARED = 256
_SHOWN = 40


def parse_columns(columns: object, *, may_drop: bool = False) -> dict[str, ElementType | None]:
    """What a mapping from column to the name of its type declares; with ``may_drop`` None takes a declaration away.

    Raises ValueError, whose text names the column and the types that there are.
    """
    if not isinstance(columns, Mapping):
        raise ValueError('must be a JSON object of columns and types, such as {"price": "number"}')
    if len(columns) > MAX_DECLARED:
        raise ValueError(f"has {len(columns)} columns; {MAX_DECLARED} can be declared")
    return {check_column_name(name): _parse_type(name, kind, may_drop) for name, kind in columns.items()}


def read_columns(columns: object) -> DeclaredColumns:
    """As ``parse_columns``, of columns that all have a type; raises ValueError."""
    return {name: kind for name, kind in parse_columns(columns).items() if kind is not None}


def is_of_type(value: object, kind: ElementType) -> bool:
    """Whether a value may stand in a column of this type."""
    if value is None or value == []:
        return True
    if kind.in_list:
        return isinstance(value, list) and all(_is_scalar_of(element, kind.type) for element in value)
    return _is_scalar_of(value, kind.type)


def find_wrong_column(metadata: Mapping[str, Any], columns: DeclaredColumns) -> str | None:
    """The first declared column whose value is of another type, None if all are of theirs."""
    return next((name for name, kind in columns.items() if not is_of_type(metadata.get(name), kind)), None)


def type_phrase(kind: ElementType) -> str:
    """A type for messages: ``a number``, ``a list of numbers``, ..."""
    return f"a list, each element {kind.type.noun}" if kind.in_list else kind.type.noun


def value_phrase(value: object) -> str:
    """A value for messages, shortened, with what it is."""
    match value:
        case bool():
            return f"{str(value).lower()}, which is true or false"
        case int() | float():
            return f"{value!r:.{_SHOWN}}, which is a number"
        case str():
            is_date = parse_iso(value) is not None
            return f"{value[:_SHOWN]!r}, which is {'a date' if is_date else 'text'}"
        case list():
            shown = repr(value[:3])[:_SHOWN]
            return f"the list {shown}{'' if len(value) <= 3 else ' and more'}"
        case _:
            return f"{value!r:.{_SHOWN}}"


def _is_scalar_of(value: object, kind: ValueType) -> bool:
    match kind:
        case ValueType.TEXT:
            return isinstance(value, str)
        case ValueType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ValueType.BOOLEAN:
            return isinstance(value, bool)
        case ValueType.DATE:
            return isinstance(value, str) and parse_iso(value) is not None


def _parse_type(name: object, kind: object, may_drop: bool) -> ElementType | None:
    if kind is None and may_drop:
        return None
    declared = COLUMN_TYPES.get(kind) if isinstance(kind, str) else None
    if declared is None:
        drop = ", or null to take the declaration away" if may_drop else ""
        raise ValueError(
            f"{str(name)[:_SHOWN]}: {str(kind)[:_SHOWN]!r} is no type of a column; there are: "
            f"{', '.join(COLUMN_TYPES)}{drop}"
        )
    return declared
