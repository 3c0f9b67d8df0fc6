"""Filters as the query parameters of an address: ``filter[category]=mug&filter[price][lt]=60``.

All must hold. ``filter[NAME]=VALUE`` is ``filter[NAME][eq]=VALUE``, and the same name again is another value that may
be meant. ``in`` and ``contains`` have values between commas. Values have the type of their column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lookalike.filters.builder import ConditionBuilder, Word, refuse
from lookalike.filters.conditions import And, Condition
from lookalike.filters.json_form import ROOT

_PARAMETER = re.compile(r"filter\[([^\[\]]+)\](?:\[([^\[\]]+)\])?")
_LISTS = ("in", "contains")


def read_pairs(pairs: Iterable[tuple[str, str]], builder: ConditionBuilder) -> Condition | None:
    """The condition of parameters and their values, None without any; raises FilterInvalidError."""
    words: dict[tuple[str, str], list[Word]] = {}
    for parameter, text in pairs:
        match = _PARAMETER.fullmatch(parameter)
        if match is None:
            refuse(parameter[:80], "must have the form filter[COLUMN] or filter[COLUMN][OPERATOR]")
        operator = match[2] or "eq"
        texts = text.split(",") if operator in _LISTS else [text]
        words.setdefault((match[1], operator), []).extend(map(Word, texts))
    parts = [
        part for (name, operator), values in words.items() for part in _read_parameter(name, operator, values, builder)
    ]
    return builder.join(And, parts, ROOT) if parts else None


def _read_parameter(name: str, operator: str, words: list[Word], builder: ConditionBuilder) -> list[Condition]:
    place = f"{ROOT}[{name[:60]}]" if operator == "eq" else f"{ROOT}[{name[:60]}][{operator[:60]}]"
    field = builder.find_field(name, place)
    if operator in _LISTS:
        return [builder.compare(field, operator, words, place)]
    if operator == "eq":
        return [
            builder.compare(field, "in", words, place)
            if len(words) > 1
            else builder.compare(field, "eq", words[0], place)
        ]
    return [builder.compare(field, operator, word, place) for word in words]
