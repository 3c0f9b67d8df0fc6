"""Manifests that are text, to rows, line by line: CSV and JSON lines.

A row is a mapping from column to value, or, where the line is malformed, a `MalformedLine` that says what is wrong.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

from lookalike.errors import ManifestError
from lookalike.filters.declared_columns import DeclaredColumns
from lookalike.sources.base import Value, printable
from lookalike.sources.column_types import LIST_SUFFIX, ColumnType, ColumnTypes, parse_value
from lookalike.sources.files import unreadable_error
from lookalike.sources.manifest_text import MAX_LINE_BYTES, REMEDY, TextForm, find_form, find_marked_encoding, open_text

FIXED_COLUMNS = ("path", "key", "title", "product_id")
"""Columns with a meaning, in any case of letters, with blanks or hyphens for the underscore; always text."""
MEASURED_COLUMNS = {name: f"_{name}" for name in ("width", "height", "format", "byte_size", "content_digest")}
"""What the indexer measures of a picture, with its column in an exported table; a manifest's reader leaves it out."""
VECTOR_COLUMN = "_vector"
"""The column of vectors in an exported table, which a manifest's reader leaves out too."""
LEFT_OUT_COLUMNS = frozenset({*MEASURED_COLUMNS.values(), VECTOR_COLUMN})

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class MalformedLine:
    """What is wrong with a line, and the key of its picture as far as the line shows it, which may be another one's."""

    problem: str
    key: str | None = None


Row = dict[str, Value] | MalformedLine


class Table(Protocol):
    """A manifest file. ``unit`` is what its numbers count, ``line`` or ``row``."""

    unit: str

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(number, row) of each row that is not blank, lazily; raises ManifestError if no row can be read."""


def column_names(names: Sequence[str], file_name: str) -> list[str]:
    """The columns of a header: fixed ones by their own name, unnamed ones at the end left out.

    Raises `ManifestError` if they cannot name rows of pictures.
    """
    columns = [_column_name(name) for name in names]
    while columns and not columns[-1]:
        columns.pop()
    said = ", ".join(printable(name) or "(no name)" for name in columns) or "none"
    if "path" not in columns:
        message = f"{file_name} has no column 'path' (columns found: {said}); add one that names each picture's file"
        raise ManifestError(message, subject=file_name)
    if len(set(columns)) < len(columns) or "" in columns:
        message = f"{file_name} needs a different name for each column (columns found: {said})"
        raise ManifestError(message, subject=file_name)
    return columns


def _column_name(name: str) -> str:
    name = name.strip()
    fixed = fixed_column_name(name)
    return fixed if fixed in FIXED_COLUMNS else name


def fixed_column_name(name: str) -> str:
    """The fixed column that a column of this name is read as, if that is one of ``FIXED_COLUMNS``."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def has_nul(value: Value) -> bool:
    """Whether a text, or one in a list, has a NUL character, which no catalogue can hold."""
    return any(isinstance(part, str) and "\0" in part for part in (value if isinstance(value, list) else (value,)))


@dataclass
class CsvTable:
    """A CSV file: its header is read when it is made, its columns' types are found at the first pass over its rows."""

    path: Path
    encoding: str | None = None
    declared: DeclaredColumns = field(default_factory=dict)
    unit: str = "line"
    _types: tuple[tuple[int, int], dict[str, ColumnType]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._name = printable(str(self.path))
        try:
            self._form = find_form(self.path, self.encoding)
            self._columns = self._header()
        except OSError as error:
            raise unreadable_error(self._name, error) from error
        self._typed = [name for name in self._columns if name not in FIXED_COLUMNS]

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(line number, row) of each row under the header; a row of several lines has the number of its last."""
        types = self._find_types()
        for number, texts in self._texts():
            yield number, texts if isinstance(texts, MalformedLine) else _typed_row(texts, types)

    def _header(self) -> list[str]:
        with open_text(self.path, self._form.encoding) as file:
            for _ in range(self._form.skipped_lines):
                file.readline()
            try:
                names = next(csv.reader(file, delimiter=self._form.separator), [])
            except csv.Error as error:
                message = f"{self._name}: the first line is no CSV header ({error}); {REMEDY}"
                raise ManifestError(message, subject=self._name) from error
        return column_names([name.lstrip("\ufeff") for name in names], self._name)

    def _find_types(self) -> dict[str, ColumnType]:
        """The columns' types; a file that has not changed since the last pass is not read again for them."""
        status = self.path.stat()
        version = (status.st_mtime_ns, status.st_size)
        if self._types is None or self._types[0] != version:
            types = ColumnTypes(self._typed, self.declared)
            for _, texts in self._texts():
                if not isinstance(texts, MalformedLine):
                    types.learn(texts)
            self._types = version, types.settle()
        return self._types[1]

    def _texts(self) -> Iterator[tuple[int, dict[str, str] | MalformedLine]]:
        with open_text(self.path, self._form.encoding) as file:
            for _ in range(self._form.skipped_lines):
                file.readline()
            reader = csv.reader(file, delimiter=self._form.separator, strict=True)
            next(reader, None)
            while True:
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield reader.line_num + self._form.skipped_lines, MalformedLine(f"it is no valid CSV ({error})")
                    continue
                if any(map(str.strip, values)):
                    yield reader.line_num + self._form.skipped_lines, _to_texts(self._columns, values, self._form)


def _to_texts(columns: list[str], values: list[str], form: TextForm) -> dict[str, str] | MalformedLine:
    texts = dict(zip(columns, values, strict=False))
    key = texts.get("key") or texts.get("path") or None
    if len(values) < len(columns) or any(map(str.strip, values[len(columns) :])):
        return MalformedLine(f"it has {len(values)} values for {len(columns)} columns", key)
    if not all(map(_is_text, values)):
        others = "UTF-8, as other lines are" if form.is_utf8 else form.encoding
        return MalformedLine(f"it is not {others}; {REMEDY}", key)
    if any("\0" in value for value in values):
        return MalformedLine("it has a NUL character, which no catalogue can hold", key)
    return texts


def _typed_row(texts: dict[str, str], types: dict[str, ColumnType]) -> dict[str, Value]:
    return {
        name.removesuffix(LIST_SUFFIX): parse_value(types[name], text) if name in types else (text or None)
        for name, text in texts.items()
    }


def _is_text(value: str) -> bool:
    return value.isascii() or _SURROGATE.search(value) is None


@dataclass
class JsonTable:
    """A file of JSON lines; values keep the types that JSON gives them."""

    path: Path
    encoding: str | None = None
    unit: str = "line"

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(line number, row) of each line that is not blank."""
        try:
            encoding = self.encoding or find_marked_encoding(self.path) or "utf-8"
            for number, line in self._utf8_lines(encoding):
                if line is None:
                    yield number, MalformedLine(f"it is longer than {MAX_LINE_BYTES} bytes")
                elif line.strip():
                    yield number, _json_row(line)
        except OSError as error:
            raise unreadable_error(printable(str(self.path)), error) from error

    def _utf8_lines(self, encoding: str) -> Iterator[tuple[int, bytes | None]]:
        """(number, line) of each line, None for one that is too long."""
        if encoding not in ("utf-8", "utf-8-sig"):
            with open_text(self.path, encoding) as text:
                yield from ((number, line.encode("utf-8", "surrogateescape")) for number, line in enumerate(text, 1))
            return
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                    while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                        pass
                    yield number, None
                    continue
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _json_row(line: bytes) -> Row:
    try:
        row: Any = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return MalformedLine("it is not UTF-8")
    except (ValueError, RecursionError) as error:
        return MalformedLine(f"it is no valid JSON ({error})")
    if not isinstance(row, dict):
        return MalformedLine("it is no JSON object")
    row = {_column_name(name): value for name, value in row.items()}
    problem = next(filter(None, (field_problem(name, value) for name, value in row.items())), None)
    key = row.get("key") or row.get("path")
    return row if problem is None else MalformedLine(problem, key if isinstance(key, str) else None)


def field_problem(name: str, value: object) -> str | None:
    """What is wrong with one field, if anything."""
    parts = value if isinstance(value, list) else [value]
    if isinstance(value, list) and None in parts:
        return f"{printable(name)} is a list with an empty place"
    if not all(part is None or isinstance(part, str | int | float | bool) for part in parts):
        return f"{printable(name)} is an object, or a list of lists, where text, a number or a list of these is needed"
    if any(isinstance(part, float) and not math.isfinite(part) for part in parts):
        return f"{printable(name)} is not a finite number"
    texts = [name, *(part for part in parts if isinstance(part, str))]
    if not all(map(_is_text, texts)):
        return f"{printable(name)} is not valid Unicode text"
    if any("\0" in text for text in texts):
        return f"{printable(name)} has a NUL character, which no catalogue can hold"
    return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
