"""A manifest as a source: a table with a row for each picture, as CSV, JSON lines, a spreadsheet or Parquet.

Columns: ``path`` (required), ``key`` (default: the path as written, with ``/``), ``title``, ``product_id``; every
other one is metadata, but for the measurements and vectors of an exported table (`LEFT_OUT_COLUMNS`). Paths are
relative to the manifest's folder or to ``images_root``, and may not leave it.

Values of JSON, spreadsheets and Parquet keep their types; in CSV, `column_types` finds one for each column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lookalike.errors import EntryMissingError, KeyDuplicateError, LookalikeError, ManifestError
from lookalike.filters.declared_columns import NO_COLUMNS, DeclaredColumns
from lookalike.options import SourceOptions
from lookalike.sources.base import Entry, RefusedEntry, Value, key_error, printable, refused_key
from lookalike.sources.declared_values import fit_values
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.files import read_regular, resolve_inside
from lookalike.sources.manifest_rows import FIXED_COLUMNS, LEFT_OUT_COLUMNS, CsvTable, JsonTable, MalformedLine, Table
from lookalike.sources.name_forms import NameForms
from lookalike.sources.workbook import PARQUET_SUFFIX, SHEET_SUFFIXES, ParquetTable, SheetTable

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl", ".ndjson")
MANIFEST_SUFFIXES = (*CSV_SUFFIXES, *JSON_SUFFIXES, *SHEET_SUFFIXES, PARQUET_SUFFIX)


class ManifestSource:
    """The port `Source` over a manifest and the folder of its paths; no file is open between reads."""

    kind = "manifest"

    def __init__(
        self,
        path: Path,
        images_root: Path | None = None,
        options: SourceOptions | None = None,
        declared: DeclaredColumns = NO_COLUMNS,
    ) -> None:
        self._path = path.resolve()
        self.excluded: Counter[str] = Counter()
        self._options = options or SourceOptions()
        self.location = printable(str(self._path))
        self._root = (images_root or self._path.parent).resolve()
        self._declared = declared
        self._table = open_table(self._path, self._options.encoding, declared)

    @property
    def remarks(self) -> list[str]:
        """None."""
        return []

    @cached_property
    def exclusions(self) -> Exclusions:
        """Those of the options alone: somebody named every file."""
        return Exclusions(self._options, has_defaults=False)

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """Rows in the order of the file; messages about a row have its line number."""
        self.excluded.clear()
        exclusions = self.exclusions
        lines: dict[str, int] = {}
        forms = NameForms(self._root)
        for number, row in self._table.rows():
            where = f"{printable(self._path.name)}, {self._table.unit} {number}"
            if isinstance(row, MalformedLine):
                yield _refuse_line(row, where)
                continue
            try:
                entry = self._entry(row, where, forms)
                if (first := lines.get(entry.key)) is not None:
                    earlier = f"{self._table.unit} {first}"
                    message = f"{where}: the key {entry.key} was already given in {earlier}; make keys unique"
                    raise KeyDuplicateError(message, subject=entry.key)
            except LookalikeError as error:
                key = row.get("key") or row.get("path")
                if isinstance(error, ManifestError):
                    is_text = isinstance(key, str)
                    item_key = _key_of(str(key)) if is_text else None
                    yield RefusedEntry(where, error, item_key, is_identified=is_text)
                else:
                    yield RefusedEntry(refused_key(str(key or where)), error)
                continue
            lines[entry.key] = number
            if (pattern := exclusions.pattern_of(entry.location)) is not None:
                self.excluded[pattern] += 1
                continue
            yield entry

    def read(self, location: str, max_bytes: int) -> bytes:
        """The bytes of the file ``location``, a path below the images' folder."""
        return read_regular(resolve_inside(self._root, location), max_bytes, printable(location))

    def close(self) -> None:
        """Does nothing: no file is open between reads."""

    def _locate(self, posix: str, where: str, forms: NameForms) -> str:
        """The path of a file below the root, in whichever Unicode form its name is there."""
        try:
            try:
                real = resolve_inside(self._root, posix)
            except EntryMissingError:
                below = _below(posix, self._root)
                form = None if below is None else forms.locate(below)
                if form is None:
                    raise
                return form
        except LookalikeError as error:
            raise type(error)(f"{where}: {error.message}", subject=error.subject) from error
        return real.relative_to(self._root).as_posix() if Path(posix).is_absolute() else posix

    def _entry(self, row: dict[str, Value], where: str, forms: NameForms) -> Entry:
        path, key, title, product = (_text(row, name, where) for name in FIXED_COLUMNS)
        if not path:
            raise ManifestError(f"{where}: it has no path; name the picture's file", subject=where)
        posix = _key_of(path)
        key = key or posix
        if (invalid := key_error(key)) is not None:
            raise invalid
        relative = self._locate(posix, where, forms)
        metadata = {
            name: value for name, value in row.items() if name not in FIXED_COLUMNS and name not in LEFT_OUT_COLUMNS
        }
        fitting, remark = fit_values(metadata, self._declared) if self._declared else (metadata, "")
        return Entry(key, relative, title or None, product or None, fitting, remark)


def _below(path: str, root: Path) -> str | None:
    """A path relative to the root, None for one that leaves it."""
    if ".." in path.split("/"):
        return None
    if not Path(path).is_absolute():
        return Path(path).as_posix()
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else None


def open_table(path: Path, encoding: str | None, declared: DeclaredColumns = NO_COLUMNS) -> Table:
    """The table in a manifest's file, by the end of its name; raises ManifestError or EntryUnreadableError.

    In CSV the texts of ``declared`` columns are read as their types.
    """
    suffix = path.suffix.lower()
    if suffix in SHEET_SUFFIXES:
        return SheetTable(path)
    if suffix == PARQUET_SUFFIX:
        return ParquetTable(path)
    return CsvTable(path, encoding, declared) if suffix in CSV_SUFFIXES else JsonTable(path, encoding)


def _refuse_line(line: MalformedLine, where: str) -> RefusedEntry:
    error = ManifestError(f"{where}: {line.problem}; mend the line", subject=where)
    key = None if line.key is None else _key_of(line.key)
    return RefusedEntry(where, error, key, is_identified=False)


def _key_of(path: str) -> str:
    """The key of a picture whose row has none: its path, with the slash of all systems."""
    return path.replace("\\", "/")


def _text(row: dict[str, Value], name: str, where: str) -> str | None:
    """The fixed column ``name`` as text; integers, which JSON may have as a product id, become text."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ManifestError(f"{where}: {name} must be text, not {value!r}; put it in quotes", subject=where)
