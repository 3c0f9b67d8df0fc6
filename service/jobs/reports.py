"""What a job leaves to be read: rows, kept as JSON lines in the job's folder, and given out as JSON or CSV.

Paths of the server are left out or replaced when the report is kept, so that what is given out needs no second look.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from lookalike.storage import disk_errors
from service.jobs.job_events import JobEvents

ROWS_FILE = "rows.jsonl"
TABLE_FILE = "table.csv"
_VERDICT_COLUMNS = ("key", "verdict", "code", "message")
_HIDDEN_COLUMNS = frozenset({"path"})
_HIDDEN_FIGURES = frozenset({"event", "file", "report", "worst", "confusion", "recall_curve"})
_BLOCK_CHARACTERS = 1 << 16
_FORMULA_STARTS = tuple("=+-@＝＋－＠\t\r\n")  # full-width too: some spreadsheets run these


class ReportForm(StrEnum):
    """What a kind's report is made of.

    verdicts  the indexer's report, a JSON line for each file: those that cannot be used, or not at present
    table     a CSV file that the command writes
    figures   the numbers of the command's answer
    none      it has none
    """

    VERDICTS = "verdicts"
    TABLE = "table"
    FIGURES = "figures"
    NONE = "none"


def keep_report(folder: Path, form: ReportForm, events: JobEvents) -> bool:
    """Keep a job's report in its folder; whether it has one. Raises DiskFullError and DataPathError."""
    rows = _rows(folder, form, events)
    if rows is None:
        return False
    with disk_errors(folder), (folder / ROWS_FILE).open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=True) + "\n")
    (folder / TABLE_FILE).unlink(missing_ok=True)
    return True


def json_report(path: Path, head: Mapping[str, Any]) -> Iterator[str]:
    """The report as one JSON object, piece by piece: ``head``, and its rows."""
    yield json.dumps(dict(head))[:-1] + ', "rows": ['
    start = ""
    for lines in _line_blocks(path):
        yield start + ",".join(line.rstrip("\n") for line in lines)
        start = ","
    yield "]}\n"


def csv_report(path: Path) -> Iterator[str]:
    """The report as a table with a header, piece by piece; no cell is a formula for a program that opens it."""
    columns: list[str] = []
    for lines in _line_blocks(path):
        rows = [json.loads(line) for line in lines]
        if not columns:
            columns = list(rows[0])
            yield _csv_lines([columns])
        yield _csv_lines([_plain_cell(row.get(column)) for column in columns] for row in rows)
    if not columns:
        yield _csv_lines([_VERDICT_COLUMNS])


def _line_blocks(path: Path) -> Iterator[list[str]]:
    """The lines of a report, some at once: each piece that is sent costs the hop to a thread and a message."""
    with path.open(encoding="utf-8") as file:
        while lines := file.readlines(_BLOCK_CHARACTERS):
            yield lines


def _rows(folder: Path, form: ReportForm, events: JobEvents) -> Iterator[dict[str, Any]] | None:
    if form is ReportForm.NONE:
        return None
    if form is ReportForm.VERDICTS:
        path = None if events.report_path is None else Path(events.report_path)
        return None if path is None or not path.is_file() else _verdict_rows(path, events)
    if form is ReportForm.TABLE:
        path = folder / TABLE_FILE
        return _table_rows(path) if path.is_file() else None
    return _figure_rows("", events.answer) if events.answer else None


def _verdict_rows(path: Path, events: JobEvents) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                verdict = json.loads(line)
            except ValueError:  # the last line of a run that was ended
                continue
            if verdict.get("verdict") in ("rejected", "kept"):
                verdict["message"] = events.translate(verdict.get("message", ""))
                yield {column: verdict.get(column) for column in _VERDICT_COLUMNS}


def _table_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {column: value for column, value in row.items() if column not in _HIDDEN_COLUMNS}


def _figure_rows(prefix: str, value: object) -> Iterator[dict[str, Any]]:
    """Every number and word of an answer under its place, such as ``encoders.0.overall.map.value``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _HIDDEN_FIGURES:
                yield from _figure_rows(f"{prefix}.{name}" if prefix else name, inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _figure_rows(f"{prefix}.{number}", inner)
    else:
        yield {"name": prefix, "value": value}


def _plain_cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe, which says that it is text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _csv_lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
