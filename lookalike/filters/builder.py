"""Conditions from names, operators and values, checked against the fields that there are and against the limits.

Every form of a filter is read by a module of its own, which says where in its text a part stands; the checks are here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NoReturn

from lookalike.errors import FilterInvalidError
from lookalike.filters.conditions import (
    And,
    Comparison,
    Condition,
    Equals,
    Exists,
    Field,
    HasPrefix,
    InOrder,
    Not,
    Or,
    Order,
    depth_of,
)
from lookalike.filters.fields import KnownFields, is_unicode
from lookalike.filters.values import TypedValue, ValueType, date_seconds

MAX_DEPTH = 16
MAX_CONDITIONS = 256
MAX_VALUES = 1000
MAX_PREFIX = 200
"""Characters; longer text is in the catalogue's index by its beginning and a digest."""

OPERATORS = ("eq", "in", "lt", "lte", "gt", "gte", "exists", "prefix", "contains")

_ORDERED = frozenset({ValueType.NUMBER, ValueType.DATE})
_WRITTEN = frozenset({ValueType.TEXT, ValueType.DATE})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Word:
    """A value in a form that has no types: what it is depends on the field that it is compared with.

    One that ``is_quoted`` is text or a date. ``place`` is where it stands, if its form knows that.
    """

    text: str
    is_quoted: bool = False
    place: str | None = None

    def readings(self) -> list[TypedValue]:
        """All values that may be meant, the most special one first."""
        if self.is_quoted:
            return [TypedValue.of(self.text)]
        readings = [TypedValue.of(_BOOLEANS[self.text.lower()])] if self.text.lower() in _BOOLEANS else []
        if _NUMBER.fullmatch(self.text) and math.isfinite(float(self.text)):
            readings.append(TypedValue.of(float(self.text)))
        if date_seconds(self.text) is not None:
            readings.append(TypedValue.of(self.text))
        return [*readings, TypedValue.of_text(self.text)]


def refuse(place: str, problem: str) -> NoReturn:
    """Raise `FilterInvalidError` for this place in a filter."""
    printable = place.encode(errors="backslashreplace").decode()  # a name in it may be no valid Unicode text
    raise FilterInvalidError(f"{printable}: {problem}", subject=printable)


@dataclass
class ConditionBuilder:
    """Makes the conditions of one filter."""

    fields: KnownFields
    _count: int = field(default=0, init=False)

    def find_field(self, name: str, place: str) -> Field:
        """The field that is meant."""
        known_field = self.fields.find(name)
        if known_field is None:
            refuse(place, f"no column is called {_quote(name)}; {self.fields.suggestion(name)}")
        _check_text(known_field.name, place)
        return known_field

    def find_scalar_field(self, name: str, place: str) -> Field:
        """The field that is meant, which must have one value an item: lists have no order, and belong to no group."""
        field = self.find_field(name, place)
        if any(element.in_list for element in self.fields.types(field) or ()):
            refuse(place, f"{field.name[:60]!r} has lists: name a column without")
        return field

    def compare(self, field: Field, operator: str, operand: object, place: str) -> Condition:
        """The condition of one operator; ``place`` is where it stands."""
        match operator:
            case "eq":
                return self._add(Equals(field, self._values(field, operand, place)), place)
            case "in":
                values = [
                    value
                    for number, element in enumerate(_elements(operand, place))
                    for value in self._values(field, element, f"{place}[{number}]")
                ]
                return self._add(Equals(field, tuple(values)), place)
            case "lt" | "lte" | "gt" | "gte":
                self._require(field, _ORDERED, "have an order: use eq or in", place)
                value = self._values(field, operand, place, _ORDERED)[0]
                return self._add(InOrder(field, Order(operator), value), place)
            case "exists":
                exists = self._add(Exists(field), place)
                return exists if _truth(operand, place) else self.negate(exists, place)
            case "prefix":
                self._require(field, _WRITTEN, "are text: a prefix is one of text", place)
                return self._add(HasPrefix(field, _prefix(operand, place)), place)
            case "contains":
                return self._contains(field, operand, place)
            case _:
                close = get_close_matches(operator, OPERATORS, n=1, cutoff=0.6)
                hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(OPERATORS)}"
                refuse(place, f"no operator is called {_quote(operator)}; {hint}")

    def join(self, kind: type[And | Or], parts: Sequence[Condition], place: str) -> Condition:
        """All parts or any of them; a single one stands for itself."""
        if len(parts) == 1:
            return parts[0]
        return self._add_group(kind(tuple(parts)), place)

    def negate(self, part: Condition, place: str) -> Condition:
        """What does not hold."""
        return self._add_group(Not(part), place)

    def check_depth(self, depth: int, place: str) -> None:
        """Called on the way down, so that a hostile tree ends here and not with the stack."""
        if depth > MAX_DEPTH:
            refuse(place, f"is more than {MAX_DEPTH} conditions deep")

    def _add_group(self, condition: Condition, place: str) -> Condition:
        self.check_depth(depth_of(condition), place)
        self._count_one(place)
        return condition

    def _add(self, condition: Comparison, place: str) -> Comparison:
        self._count_one(place)
        return condition

    def _count_one(self, place: str) -> None:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            refuse(place, f"is beyond the {MAX_CONDITIONS} conditions that a filter may have")

    def _contains(self, field: Field, operand: object, place: str) -> Condition:
        types = self.fields.types(field)
        if types is not None and not any(element.in_list for element in types):
            refuse(place, f"the values of {_quote(field.name)} are no lists: use eq, in or prefix")
        elements = [(operand, place)]
        if isinstance(operand, list | tuple):
            elements = [(element, f"{place}[{number}]") for number, element in enumerate(_elements(operand, place))]
        parts = [self._add(Equals(field, self._values(field, *element)), place) for element in elements]
        return self.join(And, parts, place)

    def _value_types(self, field: Field) -> frozenset[ValueType]:
        types = self.fields.types(field)
        return frozenset(ValueType) if types is None else frozenset(element.type for element in types)

    def _require(self, field: Field, wanted: frozenset[ValueType], need: str, place: str) -> None:
        if not self._value_types(field) & wanted:
            refuse(place, f"no values of {_quote(field.name)} {need}")

    def _values(
        self, field: Field, operand: object, place: str, allowed: frozenset[ValueType] = frozenset(ValueType)
    ) -> tuple[TypedValue, ...]:
        """What the operand may mean: several values only for a word in a column of several types."""
        types = self._value_types(field) & allowed
        if isinstance(operand, Word):
            place = operand.place or place
            _check_text(operand.text, place)
            readings = operand.readings()
        else:
            readings = [_to_value(operand, place)]
        has_dates = ValueType.DATE in types  # where there are none, what looks like a date is text
        readings = [
            TypedValue.of_text(value.text) if value.type is ValueType.DATE and not has_dates else value
            for value in readings
        ]
        # Without known types the most special reading counts, as it does in the forms that have types.
        values = [value for value in readings if value.type in types]
        if self.fields.types(field) is None:
            values = values[:1]
        if not values:
            nouns = " or ".join(kind.noun for kind in sorted(types))
            got = _quote(operand.text if isinstance(operand, Word) else operand)
            refuse(place, f"must be {nouns}, as the values of {_quote(field.name)} are; got {got}")
        return tuple(dict.fromkeys(values))


def _to_value(operand: object, place: str) -> TypedValue:
    if operand is None:
        refuse(place, 'null is no value: use {"exists": false}')
    if not isinstance(operand, str | int | float | bool):
        refuse(place, f"must be text, a number, true or false; got {_quote(operand)}")
    if isinstance(operand, float) and not math.isfinite(operand):
        refuse(place, f"must be a finite number; got {operand}")
    if isinstance(operand, str):
        _check_text(operand, place)
    return TypedValue.of(operand)


def _elements(operand: object, place: str) -> Sequence[object]:
    if not isinstance(operand, list | tuple):
        refuse(place, f"must be a list of values; got {_quote(operand)}")
    if not operand:
        refuse(place, "must have at least one value")
    if len(operand) > MAX_VALUES:
        refuse(place, f"has {len(operand)} values, more than {MAX_VALUES}")
    return operand


def _truth(operand: object, place: str) -> bool:
    if isinstance(operand, Word) and not operand.is_quoted:
        operand = _BOOLEANS.get(operand.text.lower(), operand)
    if not isinstance(operand, bool):
        refuse(place, f"must be true or false; got {_quote(operand.text if isinstance(operand, Word) else operand)}")
    return operand


def _prefix(operand: object, place: str) -> str:
    text = operand.text if isinstance(operand, Word) else operand
    if not isinstance(text, str):
        refuse(place, f"must be text; got {_quote(text)}")
    if len(text) > MAX_PREFIX:
        refuse(place, f"has {len(text)} characters, more than {MAX_PREFIX}")
    _check_text(text, place)
    return text


def _check_text(text: str, place: str) -> None:
    """What no database can be asked for."""
    if "\0" in text:
        refuse(place, "has a NUL character, which no value has")
    if not is_unicode(text):
        refuse(place, "is no valid Unicode text")


def _quote(value: object, limit: int = 60) -> str:
    """A value as JSON, shortened."""
    if isinstance(value, dict | list | tuple):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) > 10**limit:
        return "a number of many digits"
    if isinstance(value, str | int | float | bool) or value is None:
        text = json.dumps(value[:limit] if isinstance(value, str) else value)
        return text if len(text) <= 2 * limit else text[: 2 * limit] + "..."
    return f"a {type(value).__name__}"
