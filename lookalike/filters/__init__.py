"""Filters: conditions on metadata columns and on the fields that every item has, in three forms. No SQL is here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from lookalike.filters.builder import ConditionBuilder, refuse
from lookalike.filters.conditions import Condition
from lookalike.filters.fields import ANY_FIELDS, KnownFields
from lookalike.filters.json_form import ROOT, read_object
from lookalike.filters.pair_form import read_pairs

Where = str | Mapping[str, object]
"""A filter as callers write it: as text, or as a decoded JSON object; text that begins with a brace is JSON."""

__all__ = ["ANY_FIELDS", "Condition", "KnownFields", "Where", "parse_filter", "parse_parameters"]


def parse_filter(where: Where, fields: KnownFields = ANY_FIELDS) -> Condition:
    """The condition that is meant; raises FilterInvalidError, which names the place of the fault."""
    builder = ConditionBuilder(fields)
    if not isinstance(where, str):
        return read_object(where, builder)
    if where.lstrip().startswith("{"):
        return read_object(_decode(where), builder)
    from lookalike.filters.text_form import read_text  # imports lark, which few programs need

    return read_text(where, builder)


def parse_parameters(parameters: Iterable[tuple[str, str]], fields: KnownFields = ANY_FIELDS) -> Condition | None:
    """The condition of query parameters, ``filter[NAME]`` with their values; None without any.

    Raises FilterInvalidError.
    """
    return read_pairs(parameters, ConditionBuilder(fields))


def _decode(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        refuse(f"{ROOT}, column {error.pos + 1}", f"is no valid JSON: {error.msg}")
    except (RecursionError, ValueError) as error:
        refuse(ROOT, f"is no JSON that can be read: {error}")
