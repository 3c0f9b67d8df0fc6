"""A filter as a tree of conditions, whichever form it was written in.

The logic has two values. A field without a value passes no comparison, and ``Not`` passes exactly the items that its
part does not: those without a value too. A field with several values (a list) passes a comparison if one of them does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lookalike.filters.values import TypedValue


@dataclass(frozen=True, slots=True, order=True)
class Field:
    """What is compared: a column of the metadata, or one of the fields that every item has."""

    name: str
    is_built_in: bool = False

    def __str__(self) -> str:
        return self.name


class Order(StrEnum):
    """An order of numbers, or of dates."""

    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"


@dataclass(frozen=True, slots=True)
class Equals:
    """A value equals one of these; dates are equal if their moments are."""

    field: Field
    values: tuple[TypedValue, ...]


@dataclass(frozen=True, slots=True)
class InOrder:
    """A value is below or above this number or date; values of another type are neither."""

    field: Field
    order: Order
    value: TypedValue


@dataclass(frozen=True, slots=True)
class HasPrefix:
    """A text, or a date as it is written, begins with this."""

    field: Field
    prefix: str


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value."""

    field: Field


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; there is at least one."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Comparison = Equals | InOrder | HasPrefix | Exists
Condition = Comparison | And | Or | Not


def canonical(condition: Condition) -> Condition:
    """The same condition in the form that all ways of writing it share, as far as order and repetition go."""
    match condition:
        case Equals(field, values):
            return Equals(field, tuple(sorted(set(values))))
        case And(parts):
            return _canonical_group(And, parts)
        case Or(parts):
            return _canonical_group(Or, parts)
        case Not(part):
            inner = canonical(part)
            return inner.part if isinstance(inner, Not) else Not(inner)
        case _:
            return condition


def _canonical_group(kind: type[And | Or], parts: Iterable[Condition]) -> Condition:
    unique: dict[str, Condition] = {}
    for part in map(canonical, parts):
        for member in part.parts if isinstance(part, kind) else (part,):
            unique[repr(member)] = member
    ordered = tuple(unique[text] for text in sorted(unique))
    return ordered[0] if len(ordered) == 1 else kind(ordered)


def depth_of(condition: Condition) -> int:
    """How many ``And``, ``Or`` and ``Not`` are inside one another."""
    match condition:
        case And(parts) | Or(parts):
            return 1 + max(map(depth_of, parts))
        case Not(part):
            return 1 + depth_of(part)
        case _:
            return 0
