"""Values that filters compare: text, numbers, booleans and dates, each with one place in one order.

A value of the catalogue has its type from itself, not from its column: JSON tells text, numbers and booleans apart, and
text in ISO form is a date. A list has the values of its elements.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Self

Scalar = str | int | float | bool

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ValueType(IntEnum):
    """The type of a value; the numbers are stored in the catalogue."""

    TEXT = 0
    NUMBER = 1
    BOOLEAN = 2
    DATE = 3

    @property
    def noun(self) -> str:
        """For messages: ``text``, ``a number``, ..."""
        return _NOUNS[self]


_NOUNS = {
    ValueType.TEXT: "text",
    ValueType.NUMBER: "a number",
    ValueType.BOOLEAN: "true or false",
    ValueType.DATE: "a date such as 2024-05-31",
}


@dataclass(frozen=True, slots=True, order=True)
class TypedValue:
    """A value to compare: text by ``text``, the others by ``number``; two values of different types are never equal.

    ``number`` is a number in double precision, 0 or 1 of a boolean, and of a date the seconds from 1970 to its moment.
    ``text`` is also a date's, as it was written; it has no part in comparisons of dates.
    """

    type: ValueType
    number: float
    text: str

    @classmethod
    def of(cls, value: Scalar) -> Self:
        """The value of a scalar; text in ISO form becomes a date."""
        if isinstance(value, bool):
            return cls(ValueType.BOOLEAN, float(value), "")
        if isinstance(value, int | float):
            return cls(ValueType.NUMBER, _to_double(value), "")
        seconds = date_seconds(value)
        return cls.of_text(value) if seconds is None else cls(ValueType.DATE, seconds, value)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Text, whatever it looks like."""
        return cls(ValueType.TEXT, 0.0, text)

    @classmethod
    def all_of(cls, value: Scalar | Sequence[Scalar] | None) -> list[Self]:
        """The different values of a field: one of a scalar, those of a list's elements, none of None."""
        if value is None:
            return []
        elements = [value] if isinstance(value, str | int | float | bool) else value
        return list(dict.fromkeys(map(cls.of, elements)))


def parse_iso(text: str) -> date | datetime | None:
    """The day, or the moment, that text in ISO 8601 form names; None for any other text."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None  # such as February 30


def date_seconds(text: str) -> float | None:
    """Seconds from 1970 to the moment that text in ISO form names; None for any other text.

    A day stands for its beginning, and a time without a zone is in UTC.
    """
    moment = parse_iso(text) if text[:1].isdigit() else None  # most text is no date, and a pattern costs more
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH).total_seconds()


def _to_double(value: float) -> float:
    try:
        return float(value) + 0.0  # -0.0 becomes 0.0: databases store them as two keys
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")  # an integer of more than 308 digits
