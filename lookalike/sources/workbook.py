"""Manifests that are not text: the first sheet of a spreadsheet, and Parquet files.

Their values have types. A column of a sheet in which the types differ is text; text cells stay text whatever is in
them, since whoever made the sheet said so (``0012345``). Dates become text in ISO form.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.errors import ManifestError
from lookalike.sources.base import Value, printable
from lookalike.sources.column_types import LIST_SUFFIX
from lookalike.sources.files import unreadable_error
from lookalike.sources.manifest_rows import FIXED_COLUMNS, MalformedLine, Row, column_names, field_problem

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

SHEET_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET_SUFFIX = ".parquet"
MAX_UNPACKED_BYTES = 1 << 30
"""Bytes of an .xlsx file once it is unpacked, as it says itself; all of them are in memory while it is read."""

_MAX_EXACT = 10**15
_BATCH_ROWS = 4096


@dataclass
class SheetTable:
    """The first visible sheet of a spreadsheet; its header is the first row that is not blank."""

    path: Path
    unit: str = "row"

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(row number, row) of each row under the header, as the spreadsheet numbers them."""
        columns, rows = self._load()
        kinds = [_column_kind([cells[place] for _, cells in rows]) for place in range(len(columns))]
        for number, cells in rows:
            values = {
                name.removesuffix(LIST_SUFFIX): _fixed_text(cell)
                if name in FIXED_COLUMNS
                else _cell_value(cell, kind, name)
                for name, cell, kind in zip(columns, cells, kinds, strict=False)
            }
            extra = [cell for cell in cells[len(columns) :] if not _is_blank(cell)]
            key = values.get("key") or values.get("path")
            problem = next(filter(None, (field_problem(name, value) for name, value in values.items())), None)
            if extra:
                problem = f"it has a value, {extra[0]!r}, in a column without a name"
            yield number, values if problem is None else MalformedLine(problem, key if isinstance(key, str) else None)

    def _load(self) -> tuple[list[str], list[tuple[int, list[Any]]]]:
        """The columns, and each row with its number: the whole sheet."""
        from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

        name = printable(str(self.path))
        try:
            _check_unpacked_size(self.path, name)
            with self.path.open("rb") as file:
                workbook = CalamineWorkbook.from_filelike(file)
            visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
            cells = workbook.get_sheet_by_name(visible[0]).iter_rows() if visible else iter(())
            numbered = [(number, row) for number, row in enumerate(cells, 1) if not all(map(_is_blank, row))]
        except (CalamineError, zipfile.BadZipFile) as error:
            message = f"{name} is no spreadsheet that can be read ({error}); save it anew, or as 'CSV UTF-8'"
            raise ManifestError(message, subject=name) from error
        except OSError as error:
            raise unreadable_error(name, error) from error
        header = [str(cell) for cell in numbered[0][1]] if numbered else []
        return column_names(header, name), numbered[1:]


def _check_unpacked_size(path: Path, name: str) -> None:
    if not zipfile.is_zipfile(path):  # the old binary format
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_UNPACKED_BYTES:
        message = f"{name} has {size} bytes once it is unpacked, more than {MAX_UNPACKED_BYTES}; save it as 'CSV UTF-8'"
        raise ManifestError(message, subject=name)


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _column_kind(cells: list[Any]) -> type | None:
    """The one type of a column's cells, float for numbers, int if all are whole; None if they differ."""
    kinds = {_cell_kind(cell) for cell in cells if not _is_blank(cell)}
    if kinds == {int, float}:
        return float
    return kinds.pop() if len(kinds) == 1 else None


def _cell_kind(cell: Any) -> type:
    if isinstance(cell, bool):
        return bool
    if isinstance(cell, int | float):
        return int if float(cell).is_integer() and abs(cell) < _MAX_EXACT else float
    return date if isinstance(cell, date) else type(cell)


def _cell_value(cell: Any, kind: type | None, name: str) -> Value:
    if _is_blank(cell):
        return None
    if name.endswith(LIST_SUFFIX):
        return [part.strip() for part in _to_text(cell).split("|") if part.strip()]
    if kind in (int, float, bool):
        value: Value = kind(cell)
        return value
    return _to_text(cell)


def _fixed_text(cell: Any) -> str | None:
    return None if _is_blank(cell) else _to_text(cell)


def _to_text(cell: Any) -> str:
    """A cell as it looks in the sheet: 12 for 12.0, a date in ISO form."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _MAX_EXACT:
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


@dataclass
class ParquetTable:
    """A Parquet file, read in batches; its columns have types. Needs pyarrow."""

    path: Path
    unit: str = "row"

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(row number, row) of each row, from 1."""
        number = 0
        with self._open() as file:
            columns = column_names(file.schema_arrow.names, printable(str(self.path)))
            for batch in file.iter_batches(_BATCH_ROWS):
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield number, _parquet_row(dict(zip(columns, cells, strict=True)))

    @contextmanager
    def _open(self) -> Iterator[ParquetFile]:
        name = printable(str(self.path))
        try:
            import pyarrow as pa
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            message = (
                f"{name} is a Parquet file, for which pyarrow is needed: run `pip install pyarrow`, or save it as CSV"
            )
            raise ManifestError(message, subject=name) from error
        try:
            with ParquetFile(self.path) as file:
                yield file
        except pa.ArrowException as error:
            message = f"{name} is no Parquet file that can be read ({error}); write it anew, or as CSV"
            raise ManifestError(message, subject=name) from error
        except OSError as error:
            raise unreadable_error(name, error) from error


def _parquet_row(cells: dict[str, Any]) -> Row:
    values = {name: _plain(cell) for name, cell in cells.items()}
    for name in FIXED_COLUMNS:
        if isinstance(values.get(name), int | float) and not isinstance(values[name], bool):
            values[name] = _to_text(values[name])
    problem = next(filter(None, (field_problem(name, value) for name, value in values.items())), None)
    key = values.get("key") or values.get("path")
    return values if problem is None else MalformedLine(problem, key if isinstance(key, str) else None)


def _plain(cell: Any) -> Any:
    """A value as JSON can say it; what it cannot say, as bytes or a struct, is left for `field_problem` to name."""
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return float(cell) if cell % 1 else int(cell)
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, float) and math.isnan(cell):  # NaN, which data frames write for nothing
        return None
    return [_plain(part) for part in cell if part is not None] if isinstance(cell, list) else cell
