"""What metadata may be: columns of text, numbers, booleans, or lists of these."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from lookalike.catalogue.records import Metadata, MetadataValue
from lookalike.filters.fields import check_column_name, is_unicode

MAX_COLUMNS = 256
MAX_TEXT = 65_536
MAX_LIST = 1000
_LARGEST = 2**63 - 1


def check_metadata(values: object) -> Metadata:
    """The columns of a JSON object; raises ValueError, whose text names the column and what it may be."""
    if not isinstance(values, Mapping):
        raise ValueError('must be a JSON object of columns and values, such as {"category": "mug"}')
    if len(values) > MAX_COLUMNS:
        raise ValueError(f"has {len(values)} columns; {MAX_COLUMNS} are allowed")
    for name, value in values.items():
        check_column_name(name)
        problem = _problem(value)
        if problem:
            raise ValueError(f"{name[:40]}: {problem}")
    return dict(values)


def merge_metadata(current: Metadata, changes: Metadata) -> Metadata:
    """``current`` with the columns of ``changes``; a null takes its column away (RFC 7396)."""
    merged: dict[str, MetadataValue] = {**current, **changes}
    return {name: value for name, value in merged.items() if name not in changes or value is not None}


def is_same_metadata(first: Metadata, second: Metadata) -> bool:
    """Whether both say the same as JSON, which tells 1, 1.0 and true apart, as Python's comparison does not."""
    return dict(first) == dict(second) and _to_json(first) == _to_json(second)


def _to_json(metadata: Metadata) -> str:
    return json.dumps(dict(metadata), sort_keys=True)


def _problem(value: object) -> str:
    """What is wrong with a value; empty if nothing."""
    if not isinstance(value, list):
        return _scalar_problem(value)
    if len(value) > MAX_LIST:
        return f"the list has {len(value)} values; {MAX_LIST} are allowed"
    if any(entry is None or isinstance(entry, (list, Mapping)) for entry in value):
        return "a list has texts, numbers or booleans, and nothing else"
    return next((problem for entry in value if (problem := _scalar_problem(entry))), "")


def _scalar_problem(value: object) -> str:
    match value:
        case None | bool():
            problem = ""
        case str() if len(value) > MAX_TEXT:
            problem = f"the text has {len(value)} characters; {MAX_TEXT} are allowed"
        case str() if "\0" in value:
            problem = "the text has a NUL character"
        case str():
            problem = "" if is_unicode(value) else "the text is not valid Unicode"
        case int():
            problem = "" if abs(value) <= _LARGEST else "the number is too large"
        case float():
            problem = "" if math.isfinite(value) else "must be a finite number"
        case _:
            problem = "must be text, a number, true, false, null, or a list of these"
    return problem
