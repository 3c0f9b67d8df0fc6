"""A manifest as a source: a CSV or JSON-lines file with a row for each picture.

Columns: ``path`` (required), ``key`` (default: the path as written, with ``/``), ``title``, ``product_id``; every
other one is metadata. Paths are relative to the manifest's folder or to ``images_root``, and may not leave it.

CSV is UTF-8, with or without a byte-order mark, separated by commas, semicolons or tabs. A CSV value has no type,
so a strict rule gives it one: ``12`` and ``-3.5`` are numbers; everything else is text, notably ``007``, ``1e5``
and ``+1``, which are codes more often than numbers; an empty value is none. JSON values keep their types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lookalike.errors import KeyDuplicateError, LookalikeError, ManifestError
from lookalike.options import SourceOptions
from lookalike.sources import manifest_rows
from lookalike.sources.base import Entry, RefusedEntry, Scalar, key_error, printable, refused_key
from lookalike.sources.exclusions import Exclusions
from lookalike.sources.files import read_regular, resolve_inside

_FIXED_COLUMNS = ("path", "key", "title", "product_id")


class ManifestSource:
    """The port `Source` over a manifest and the folder of its paths; no file is open between reads."""

    kind = "manifest"

    def __init__(self, path: Path, images_root: Path | None = None, options: SourceOptions | None = None) -> None:
        self._path = path.resolve()
        self.excluded: Counter[str] = Counter()
        self._options = options or SourceOptions()
        self.location = printable(str(self._path))
        self._root = (images_root or self._path.parent).resolve()
        self._columns = manifest_rows.csv_header(self._path) if manifest_rows.is_csv(self._path) else None

    @cached_property
    def exclusions(self) -> Exclusions:
        """Those of the options alone: somebody named every file."""
        return Exclusions(self._options, has_defaults=False)

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """Rows in the order of the file; messages about a row have its line number."""
        self.excluded.clear()
        exclusions = self.exclusions
        lines: dict[str, int] = {}
        if self._columns is None:
            rows = manifest_rows.json_rows(self._path)
        else:
            rows = manifest_rows.csv_rows(self._path, self._columns)
        for number, row in rows:
            where = f"{printable(self._path.name)}, line {number}"
            if isinstance(row, str):
                yield RefusedEntry(where, ManifestError(f"{where}: {row}; mend the line", subject=where))
                continue
            try:
                entry = self._entry(row, where)
                if (first := lines.get(entry.key)) is not None:
                    message = f"{where}: the key {entry.key} was already given in line {first}; make keys unique"
                    raise KeyDuplicateError(message, subject=entry.key)
            except LookalikeError as error:
                yield RefusedEntry(refused_key(str(row.get("key") or row.get("path") or where)), error)
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

    def _entry(self, row: dict[str, Scalar], where: str) -> Entry:
        path, key, title, product = (_text(row, name, where) for name in _FIXED_COLUMNS)
        if not path:
            raise ManifestError(f"{where}: it has no path; name the picture's file", subject=where)
        posix = path.replace("\\", "/")
        key = key or posix
        if (invalid := key_error(key)) is not None:
            raise invalid
        try:
            real = resolve_inside(self._root, posix)
        except LookalikeError as error:
            raise type(error)(f"{where}: {error.message}", subject=error.subject) from error
        relative = real.relative_to(self._root).as_posix() if Path(posix).is_absolute() else posix
        metadata = {name: value for name, value in row.items() if name not in _FIXED_COLUMNS}
        return Entry(key, relative, title or None, product or None, metadata)


def _text(row: dict[str, Scalar], name: str, where: str) -> str | None:
    """The fixed column ``name`` as text; integers, which JSON may have as a product id, become text."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ManifestError(f"{where}: {name} must be text, not {value!r}; put it in quotes", subject=where)
