"""Filters as JSON, in the manner of Mongo's and Qdrant's.

A filter is an object. ``{"category": {"eq": "mug"}}`` compares a column, and ``{"category": "mug"}`` is short for it.
Several operators of a column, and several keys of an object, must all hold. ``and`` and ``or`` have a list of filters,
``not`` has one filter::

    {"and": [{"category": "mug"}, {"price": {"gte": 10, "lt": 60}}, {"not": {"tags": {"contains": "sale"}}}]}
"""

from __future__ import annotations

from collections.abc import Mapping

from lookalike.filters.builder import ConditionBuilder, refuse
from lookalike.filters.conditions import And, Condition, Or

ROOT = "filter"
_GROUPS: Mapping[str, type[And | Or]] = {"and": And, "or": Or}


def read_object(node: object, builder: ConditionBuilder, place: str = ROOT, depth: int = 0) -> Condition:
    """The condition of a decoded JSON object; raises FilterInvalidError with the place of the fault."""
    builder.check_depth(depth, place)
    if not isinstance(node, Mapping):
        refuse(place, 'must be an object such as {"category": "mug"}')
    if not node:
        refuse(place, "is empty: leave it out where nothing is filtered")
    parts = [_read_member(name, value, builder, place, depth) for name, value in node.items()]
    return builder.join(And, parts, place)


def _read_member(name: object, value: object, builder: ConditionBuilder, place: str, depth: int) -> Condition:
    if not isinstance(name, str):
        refuse(place, "its keys must be text")
    inner = f"{place}.{name[:60]}"
    if name in _GROUPS:
        if not isinstance(value, list | tuple) or not value:
            refuse(inner, 'must be a list of filters such as [{"category": "mug"}]')
        parts = [read_object(part, builder, f"{inner}[{number}]", depth + 1) for number, part in enumerate(value)]
        return builder.join(_GROUPS[name], parts, inner)
    if name == "not":
        return builder.negate(read_object(value, builder, inner, depth + 1), inner)
    return _read_column(name, value, builder, inner)


def _read_column(name: str, tests: object, builder: ConditionBuilder, place: str) -> Condition:
    field = builder.find_field(name, place)
    if not isinstance(tests, Mapping):
        if isinstance(tests, list | tuple):
            refuse(place, 'must be a value, or an object such as {"in": ["mug", "cup"]}')
        return builder.compare(field, "eq", tests, place)
    if not tests:
        refuse(place, 'must be a value, or an object such as {"lt": 60}')
    parts = [
        builder.compare(field, str(operator), operand, f"{place}.{str(operator)[:60]}")
        for operator, operand in tests.items()
    ]
    return builder.join(And, parts, place)
