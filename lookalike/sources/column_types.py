"""What the text of a table's column is: numbers, dates, yes or no, lists, or text.

A column has a type only if all its values agree, blank ones aside; otherwise they are text, as written.

- Whole numbers of up to 15 digits: ``12``, ``-3``. A longer one is a code, which JSON's readers would round, and so is
  one with a leading zero (``0012345``) or a sign (``+1``).
- Decimal numbers, with a point (``59.90``, ``1,234.50``) or with a comma (``59,90``, ``1.234,50``). ``1,234`` may be
  either; a column of nothing else stays text.
- ``true`` and ``false`` in any case of letters, ``wahr`` and ``falsch``, ``vrai`` and ``faux``; ``yes`` and ``no``,
  ``ja`` and ``nein``, ``oui`` and ``non`` where both words occur: ``NO`` alone may be a country.
- Dates become text in ISO form, which sorts: ``2024-05-31``, ``2024-05-31 12:00``, ``31.05.2024``; ``31/05/2024`` and
  ``05/31/2024`` where some value says which is the day.
- Lists: values that are arrays of JSON. In a column whose name ends in ``[]`` values are separated by ``|``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import partial

from lookalike.filters.declared_columns import NO_COLUMNS, DeclaredColumns
from lookalike.filters.values import ValueType, parse_iso
from lookalike.sources.base import Value

LIST_SUFFIX = "[]"

_DIGITS, _GROUPED = "[1-9][0-9]{0,14}", r"[1-9][0-9]{0,2}(?:%s[0-9]{3}){1,4}"
_INTEGER = re.compile(f"0|-?{_DIGITS}")
_DATE = re.compile(r"(\d{1,2})([./])(\d{1,2})([./])(\d{4})(?: (\d\d:\d\d(?::\d\d)?))?", re.ASCII)
_BOOLEANS = (
    ("true", "false", False), ("wahr", "falsch", False), ("vrai", "faux", False),
    ("yes", "no", True), ("ja", "nein", True), ("oui", "non", True),
)  # fmt: skip
"""The words for true and for false, and whether both have to occur."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type that a column may have.

    ``parse`` returns the value of a text, or raises ValueError where it has none of this type. ``has_evidence`` is
    asked once all could be parsed, with the first thousand distinct texts.
    """

    name: str
    parse: Callable[[str], Value]
    has_evidence: Callable[[Iterable[str]], bool] = lambda _texts: True


def _parse_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _decimal(point: str, group: str) -> ColumnType:
    whole = f"(?:{_DIGITS}|{_GROUPED % re.escape(group)})"
    pattern = re.compile(rf"0|-?{whole}|-?(?:0|{whole}){re.escape(point)}[0-9]{{1,17}}")
    # With a comma, three digits behind it may as well be thousands.
    certain = re.compile(
        rf".*{re.escape(point)}[0-9]+" if point == "." else r".*,(?:[0-9]{1,2}|[0-9]{4,})|.*[.].*,.*|-?0,.*"
    )

    def parse(text: str) -> float:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return float(text.replace(group, "").replace(point, "."))

    return ColumnType(f"decimal{point}", parse, lambda texts: any(map(certain.fullmatch, texts)))


def _boolean(true: str, false: str, needs_both: bool) -> ColumnType:
    values = {true: True, false: False}

    def parse(text: str) -> bool:
        try:
            return values[text.lower()]
        except KeyError as error:
            raise ValueError(text) from error

    return ColumnType(true, parse, lambda texts: not needs_both or {text.lower() for text in texts} == set(values))


def _parse_iso(text: str) -> str:
    moment = parse_iso(text)
    if moment is None:
        raise ValueError(text)
    return moment.isoformat()


def _parse_date(text: str, separator: str, day: int, month: int) -> str:
    """``day`` and ``month`` are the places of these among the three numbers."""
    match = _DATE.fullmatch(text)
    if match is None or match[2] != separator or match[4] != separator:
        raise ValueError(text)
    numbers = (int(match[1]), int(match[3]))
    written = date(int(match[5]), numbers[month], numbers[day])
    if match[6] is None:
        return written.isoformat()
    return datetime.combine(written, time.fromisoformat(match[6])).isoformat()


def _is_above_twelve(texts: Iterable[str], part: int) -> bool:
    return any(int(text.split(" ")[0].split("/")[part]) > 12 for text in texts)


def _parse_array(text: str) -> Value:
    if not text.startswith("["):
        raise ValueError(text)
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(text) from error
    if not isinstance(value, list) or not all(isinstance(part, str | int | float | bool) for part in value):
        raise ValueError(text)
    return value


def _split_list(text: str) -> Value:
    return [part.strip() for part in text.split("|") if part.strip()]


TEXT = ColumnType("text", str)
_ARRAY = ColumnType("list", _parse_array)
_TYPES = (
    ColumnType("integer", _parse_integer),
    _decimal(".", ","),
    _decimal(",", "."),
    *(_boolean(*words) for words in _BOOLEANS),
    ColumnType("date", _parse_iso),
    ColumnType("date d.m.y", partial(_parse_date, separator=".", day=0, month=1)),
    ColumnType("date d/m/y", partial(_parse_date, separator="/", day=0, month=1), partial(_is_above_twelve, part=0)),
    ColumnType("date m/d/y", partial(_parse_date, separator="/", day=1, month=0), partial(_is_above_twelve, part=1)),
    _ARRAY,
)
_LIST = ColumnType("list |", _split_list)
_MAX_REMEMBERED = 1000


_DECLARED = {
    ValueType.NUMBER: tuple(kind for kind in _TYPES if kind.name.startswith(("integer", "decimal"))),
    # Where booleans are declared, one of the two words is enough.
    ValueType.BOOLEAN: tuple(replace(_boolean(*words), has_evidence=lambda _texts: True) for words in _BOOLEANS),
    ValueType.DATE: tuple(kind for kind in _TYPES if kind.name.startswith("date")),
    ValueType.TEXT: (),
}
"""By declared type, the forms in which its values may be written."""


class _DeclaredColumn:
    """Learns in which form most values of a declared column are written."""

    def __init__(self, candidates: Sequence[ColumnType]) -> None:
        self._texts: dict[ColumnType, set[str]] = {candidate: set() for candidate in candidates}
        self._counts = Counter[ColumnType]()

    def learn(self, text: str) -> None:
        """Take in a text that is not blank."""
        for candidate, texts in self._texts.items():
            if _fits(candidate, text):
                self._counts[candidate] += 1
                if len(texts) < _MAX_REMEMBERED:
                    texts.add(text)

    def settle(self) -> ColumnType:
        """The form that most values have, the first of several; `TEXT` if none is certain."""
        certain = [kind for kind, texts in self._texts.items() if texts and kind.has_evidence(texts)]
        return max(certain, key=lambda kind: self._counts[kind], default=TEXT)


class ColumnTypes:
    """Learns what each column's texts are; made with the names of the columns that have a type to find.

    Of a ``declared`` column it is the form of its values only.
    """

    def __init__(self, columns: Sequence[str], declared: DeclaredColumns = NO_COLUMNS) -> None:
        kinds = {name: declared.get(name.removesuffix(LIST_SUFFIX)) for name in columns}
        self._declared = {
            name: _DeclaredColumn(_DECLARED[kind.type])
            for name, kind in kinds.items()
            if kind is not None and not kind.in_list
        }
        self._lists = {
            name: _LIST if name.endswith(LIST_SUFFIX) else _ARRAY
            for name, kind in kinds.items()
            if kind is not None and kind.in_list
        }
        self._candidates = {
            name: [_LIST] if name.endswith(LIST_SUFFIX) else list(_TYPES)
            for name, kind in kinds.items()
            if kind is None
        }
        self._texts: dict[str, set[str]] = {name: set() for name in self._candidates}

    def learn(self, row: Mapping[str, str]) -> None:
        """Take in a row: the texts of some columns by name."""
        for name, text in row.items():
            if name in self._declared and text.strip():
                self._declared[name].learn(text.strip())
            candidates = self._candidates.get(name)
            if candidates and (text := text.strip()):
                candidates[:] = [candidate for candidate in candidates if _fits(candidate, text)]
                if len(texts := self._texts[name]) < _MAX_REMEMBERED:
                    texts.add(text)

    def settle(self) -> dict[str, ColumnType]:
        """The type of each column, `TEXT` for one without."""
        forms = {name: column.settle() for name, column in self._declared.items()}
        return (
            forms
            | self._lists
            | {
                name: next((kind for kind in candidates if kind.has_evidence(self._texts[name])), TEXT)
                if self._texts[name]
                else TEXT
                for name, candidates in self._candidates.items()
            }
        )


def _fits(kind: ColumnType, text: str) -> bool:
    try:
        kind.parse(text)
    except ValueError:
        return False
    return True


def parse_value(kind: ColumnType, text: str) -> Value:
    """The value of a text in a column of this type; None for a blank one, text unchanged where it is none of the type.

    That happens in a declared column, and in a file that was changed between the pass that found the types and this.
    """
    stripped = text.strip()
    if not stripped:
        return None
    if kind is TEXT:
        return text
    try:
        return kind.parse(stripped)
    except ValueError:
        return text
