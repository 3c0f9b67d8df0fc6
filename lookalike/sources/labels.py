"""Labels of pictures, from a column or from folder names.

The labels of a set of pictures come from one place, never from several: with mixed kinds of labels, pictures of the
same thing would get different labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from lookalike.errors import ManifestError
from lookalike.sources.base import Value, printable

PRODUCT = "product_id"
COLUMNS = ("label", PRODUCT)
"""Columns for labels if none is named; the first in which any picture has a value is taken."""
FOLDERS = "folder names"
MAX_EXAMPLES = 3
"""Number of labels that a message names."""
MAX_LABEL_LENGTH = 40
"""Characters of a label that a message shows."""


class Described(Protocol):
    """A picture's key and columns: an entry of a source, or a row of the catalogue."""

    @property
    def key(self) -> str:
        """The relative path, or the manifest's own key."""

    @property
    def product_id(self) -> str | None:
        """The column of that name."""

    @property
    def metadata(self) -> Mapping[str, Value]:
        """All other columns."""


@dataclass(frozen=True)
class Labels:
    """The labels of n pictures: ``values`` (n), None where a picture has none, and the ``place`` they come from.

    ``place`` is "the column NAME", "folder names", or None if the pictures have no labels at all.
    """

    place: str | None
    values: tuple[str | None, ...]

    @property
    def names(self) -> list[str]:
        """The distinct labels, in the order of the pictures."""
        return list(dict.fromkeys(value for value in self.values if value is not None))

    @property
    def labelled_count(self) -> int:
        """Number of pictures that have a label."""
        return sum(value is not None for value in self.values)

    @property
    def summary(self) -> str:
        """For a terminal: "labels: folder names, 10 of them: a, b, c, ... (480 of 500 pictures)"."""
        if self.place is None:
            return f"labels: none for {len(self.values)} pictures"
        names = examples(self.names)
        share = f"{self.labelled_count} of {len(self.values)} pictures"
        return f"labels: {self.place}, {len(self.names)} of them: {names} ({share})"

    def fields(self) -> dict[str, Any]:
        """For JSON output."""
        return {"from": self.place, "count": len(self.names), "pictures": self.labelled_count}


def examples(names: Sequence[str]) -> str:
    """The first few of ``names``, printable and shortened, and dots if there are more."""
    short_names = [
        name if len(name) <= MAX_LABEL_LENGTH else f"{name[:MAX_LABEL_LENGTH]}..."
        for name in map(printable, names[:MAX_EXAMPLES])
    ]
    return ", ".join([*short_names, *(["..."] if len(names) > MAX_EXAMPLES else [])])


def choose_labels(pictures: Iterable[Described], column: str | None = None, *, folders: bool = True) -> Labels:
    """The labels of pictures: values of ``column``, or else of the first of COLUMNS that any picture has a value in.

    Without such a column, and if ``folders`` allows it, the names of the pictures' own folders: the last one of the
    key, ``n0123`` for ``val/n0123/x.jpg``.
    """
    if column is not None:
        values = tuple(_column_value(picture, column) for picture in pictures)
        return Labels(f"the column {column}", values)
    rows = [(*(_column_value(picture, name) for name in COLUMNS), _folder(picture.key)) for picture in pictures]
    places = [*(f"the column {name}" for name in COLUMNS), *([FOLDERS] if folders else [])]
    for number, place in enumerate(places):
        values = tuple(row[number] for row in rows)
        if any(value is not None for value in values):
            return Labels(place, values)
    return Labels(None, (None,) * len(rows))


def folder_labels(pictures: Iterable[Described]) -> Labels:
    """The names of the pictures' own folders as their labels, whatever columns there are."""
    return Labels(FOLDERS, tuple(_folder(picture.key) for picture in pictures))


def check_column(source_name: str, pictures: Iterable[Described], column: str) -> None:
    """Raise ManifestError, which lists the columns there are, if no picture of several has this one."""
    columns: set[str] = set()
    has_pictures = False
    for picture in pictures:
        has_pictures = True
        columns.update(picture.metadata)
        if picture.product_id:
            columns.add(PRODUCT)
    if has_pictures and column not in columns:
        columns_text = f"there are: {', '.join(sorted(columns))}" if columns else "there are none"
        raise ManifestError(
            f"{source_name} has no column {column!r} to take labels from; {columns_text}", subject=column
        )


def _column_value(picture: Described, column: str) -> str | None:
    return _text(picture.product_id if column == PRODUCT else picture.metadata.get(column))


def _folder(key: str) -> str | None:
    return PurePosixPath(key).parent.name or None


def _text(value: Value) -> str | None:
    return None if value is None or value == "" else str(value)
