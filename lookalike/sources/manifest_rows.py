"""Manifest files to rows, line by line: CSV and JSON lines.

A row is a mapping from column to value, or, where the line is malformed, a text that says what is wrong with it.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from lookalike.errors import ManifestError
from lookalike.sources.base import Scalar, printable
from lookalike.sources.files import unreadable_error

Row = dict[str, Scalar] | str

MAX_LINE_BYTES = 1 << 20
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}")
_TEXT_COLUMNS = {"path", "key", "title", "product_id"}


def is_csv(path: Path) -> bool:
    """Whether the name says CSV (also ``.tsv``) and not JSON lines."""
    return path.suffix.lower() in (".csv", ".tsv")


def csv_header(path: Path) -> list[str]:
    """Column names of the CSV file; raises `ManifestError` if they cannot name rows of pictures."""
    file_name = printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            names = [name.strip() for name in next(csv.reader(file, delimiter=_delimiter(path)), [])]
    except OSError as error:
        raise unreadable_error(file_name, error) from error
    except csv.Error as error:
        raise ManifestError(f"{file_name}: the first line is no CSV header ({error})", subject=file_name) from error
    columns = ", ".join(printable(name) or "(no name)" for name in names) or "none"
    if "path" not in names:
        message = f"{file_name} has no column 'path' (columns found: {columns}); add one that names each picture's file"
        raise ManifestError(message, subject=file_name)
    if len(set(names)) < len(names) or "" in names:
        message = f"{file_name} needs a different name for each column (columns found: {columns})"
        raise ManifestError(message, subject=file_name)
    return names


def csv_rows(path: Path, columns: list[str]) -> Iterator[tuple[int, Row]]:
    """(line number, row) of each row under the header; a row of several lines has the number of its last."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=_delimiter(path), strict=True)
        next(reader, None)
        while True:
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield reader.line_num, f"it is no valid CSV ({error})"
                continue
            if values:
                yield reader.line_num, _csv_row(columns, values)


def json_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """(line number, row) of each line that is not blank."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                    while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                        pass
                    yield number, f"it is longer than {MAX_LINE_BYTES} bytes"
                    continue
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if line.strip():
                    yield number, _json_row(line)
    except OSError as error:
        raise unreadable_error(printable(str(path)), error) from error


def _delimiter(path: Path) -> str:
    """Whichever of comma, semicolon and tab the header has most of."""
    with path.open("rb") as file:
        header = file.readline(MAX_LINE_BYTES)
    return max(",;\t", key=lambda separator: header.count(separator.encode()))


def _csv_row(columns: list[str], values: list[str]) -> Row:
    if len(values) != len(columns):
        return f"it has {len(values)} values for {len(columns)} columns"
    if not all(map(_is_text, values)):
        return "it is not UTF-8"
    if any("\0" in value for value in values):
        return "it has a NUL character, which no catalogue can hold"
    return {
        name: (value or None) if name in _TEXT_COLUMNS else _parse_csv_value(value)
        for name, value in zip(columns, values, strict=True)
    }


def _is_text(value: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in value)


def _parse_csv_value(value: str) -> Scalar:
    if not value:
        return None
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _DECIMAL.fullmatch(value) else value


def _json_row(line: bytes) -> Row:
    try:
        row: Any = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except (ValueError, RecursionError) as error:
        return f"it is no valid JSON ({error})"
    if not isinstance(row, dict):
        return "it is no JSON object"
    errors = (_field_error(name, value) for name, value in row.items())
    return next((error_text for error_text in errors if error_text), row)


def _field_error(name: str, value: object) -> str | None:
    """What is wrong with one JSON field, if anything."""
    if not (value is None or isinstance(value, str | int | float | bool)):
        return f"{printable(name)} is a list or an object, where text or a number is needed"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{printable(name)} is not a finite number"
    if not _is_text(name) or (isinstance(value, str) and not _is_text(value)):
        return f"{printable(name)} is not valid Unicode text"
    if "\0" in name or (isinstance(value, str) and "\0" in value):
        return f"{printable(name)} has a NUL character, which no catalogue can hold"
    return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
