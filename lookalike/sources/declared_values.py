"""The values of a table in declared columns: what is plainly a value of the type is one, what is not is left out.

The picture of such a row stays, and a remark says which column was left out. A number in a column of text is text, as a
product's code that a spreadsheet took for a number; text in a column of numbers, booleans or dates is a value if it is
written as JSON or ISO writes one. In CSV, ``column_types`` reads the other forms of numbers and dates before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from lookalike.filters.declared_columns import DeclaredColumns, is_of_type, type_phrase
from lookalike.filters.fields import ElementType
from lookalike.filters.values import ValueType
from lookalike.sources.base import Value, printable

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,17}", re.ASCII)


def fit_values(metadata: Mapping[str, Value], declared: DeclaredColumns) -> tuple[dict[str, Value], str]:
    """The metadata of a row with values of the declared types only, and a remark on what was left out, or none."""
    fitting: dict[str, Value] = {}
    wrong_columns = []
    for name, value in metadata.items():
        kind = declared.get(name)
        if kind is None:
            fitting[name] = value
            continue
        converted = _convert(value, kind)
        if is_of_type(converted, kind):
            fitting[name] = converted
        else:
            wrong_columns.append(f"{printable(name)} is not {type_phrase(kind)}, and was left out")
    return fitting, "; ".join(wrong_columns)


def _convert(value: Value, kind: ElementType) -> Value:
    """The value in its declared type; as it is where it has none."""
    if isinstance(value, list):
        return cast("Value", [_convert_scalar(element, kind.type) for element in value])
    return _convert_scalar(value, kind.type)


def _convert_scalar(value: str | int | float | bool | None, kind: ValueType) -> str | int | float | bool | None:
    match kind:
        case ValueType.TEXT:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return str(value) if is_number else value
        case ValueType.NUMBER if isinstance(value, str):
            text = value.strip()
            if _INTEGER.fullmatch(text):
                return int(text)
            return float(text) if _DECIMAL.fullmatch(text) else value
        case ValueType.BOOLEAN if isinstance(value, str):
            return {"true": True, "false": False}.get(value.strip().lower(), value)
        case ValueType.DATE if isinstance(value, str):
            return value.strip()
    return value
