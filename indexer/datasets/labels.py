"""Pictures with a label: what a picture shows, as its source says it, and a fair sample of a large source.

The labels of a set of pictures come from one place, never from several: kinds of labels that are mixed would make
pictures different that show the same.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from lookalike.errors import ManifestError
from lookalike.sources.base import Entry, Refused, Scalar, Source, printable

SEED = 20
PRODUCT = "product_id"
COLUMNS = ("label", PRODUCT)
"""Columns that labels are taken from if none is named, the first that any picture has a value in."""
FOLDERS = "folder names"
EXAMPLES = 3
"""Labels that are named where there are more."""
LONGEST = 40
"""Characters of a label that are shown."""


class Described(Protocol):
    """What is known of a picture beside its pixels: an entry of a source, or a row of the catalogue."""

    @property
    def key(self) -> str:
        """The relative path, or the manifest's own key."""

    @property
    def product_id(self) -> str | None:
        """The column of that name."""

    @property
    def metadata(self) -> Mapping[str, Scalar]:
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
    def labelled(self) -> int:
        """Number of pictures that have one."""
        return sum(value is not None for value in self.values)

    @property
    def summary(self) -> str:
        """For a person: "labels: folder names, 10 of them: a, b, c, ... (480 of 500 pictures)"."""
        if self.place is None:
            return f"labels: none for {len(self.values)} pictures"
        shown = examples(self.names)
        return (
            f"labels: {self.place}, {len(self.names)} of them: {shown} ({self.labelled} of {len(self.values)} pictures)"
        )

    def fields(self) -> dict[str, Any]:
        """For a program."""
        return {"from": self.place, "count": len(self.names), "pictures": self.labelled}


@dataclass(frozen=True)
class Labelled:
    """The entries of a source and their labels, one by one.

    ``refused`` are the entries that the source could not offer: their key and the code of the error.
    """

    entries: tuple[Entry, ...]
    labels: Labels
    refused: tuple[tuple[str, str], ...] = ()


def examples(names: Sequence[str]) -> str:
    """The first few of ``names``, printable and not too long, and dots if there are more."""
    shown = [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in map(printable, names[:EXAMPLES])]
    return ", ".join([*shown, *(["..."] if len(names) > EXAMPLES else [])])


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


def read_labelled(source: Source, column: str | None = None, limit: int | None = None) -> Labelled:
    """All entries of ``source`` with their labels, in its order; at most ``limit`` of them.

    A sample is drawn with a fixed seed. Each label keeps its share, but not less than two pictures: one alone has
    nothing to find. Where ``limit`` is too small for two of each, some labels are left out as a whole. Raises
    ManifestError if no entry has the ``column``.
    """
    entries: list[Entry] = []
    refused: list[tuple[str, str]] = []
    for entry in source.entries():
        if isinstance(entry, Refused):
            refused.append((entry.key, entry.error.code))
        else:
            entries.append(entry)
    if column is not None:
        _check_column(source, entries, column)
    labels = choose_labels(entries, column)
    if limit is not None and limit < len(entries):
        sample = spread_sample(labels.values, limit)
        entries = [entries[row] for row in sample]
        labels = Labels(labels.place, tuple(labels.values[row] for row in sample))
    return Labelled(tuple(entries), labels, tuple(refused))


def source_name(path: Path) -> str:
    """What to call a labelled source: a folder or an archive by its name, a manifest by its folder's."""
    return path.absolute().parent.name if path.is_file() and path.suffix != ".zip" else path.stem


def spread_sample(labels: Sequence[str | None], limit: int) -> list[int]:
    """Positions of at most ``limit`` of ``labels``, rising, each label in its share; see ``read_labelled``."""
    chance = random.Random(SEED)
    rows: dict[str | None, list[int]] = {}
    for row in chance.sample(range(len(labels)), len(labels)):
        rows.setdefault(labels[row], []).append(row)
    quotas = _quotas({label: len(own) for label, own in rows.items()}, limit)
    return sorted(row for label, own in rows.items() for row in own[: quotas[label]])


def _quotas(sizes: Mapping[str | None, int], limit: int) -> Counter[str | None]:
    """How many of each label: two, for as many labels as ``limit`` allows, and the rest by what each still lacks."""
    quotas: Counter[str | None] = Counter()
    left = limit
    for label, size in sizes.items():
        least = min(2, size)
        if least <= left:
            quotas[label], left = least, left - least
    # The label whose share is furthest behind comes next.
    share = limit / max(1, sum(sizes.values()))
    behind = [(quotas[label] - sizes[label] * share, place, label) for place, label in enumerate(quotas)]
    heapq.heapify(behind)
    while left and behind:
        lead, place, label = heapq.heappop(behind)
        if quotas[label] < sizes[label]:
            quotas[label], left = quotas[label] + 1, left - 1
            heapq.heappush(behind, (lead + 1, place, label))
    return quotas


def _check_column(source: Source, entries: Sequence[Entry], column: str) -> None:
    columns = {name for entry in entries for name in entry.metadata}
    columns |= {PRODUCT} if any(entry.product_id for entry in entries) else set()
    if entries and column not in columns:
        named = f"there are: {', '.join(sorted(columns))}" if columns else "there are none"
        raise ManifestError(f"{source.location} has no column {column!r} to take labels from; {named}", subject=column)


def _column_value(picture: Described, column: str) -> str | None:
    return _text(picture.product_id if column == PRODUCT else picture.metadata.get(column))


def _folder(key: str) -> str | None:
    return PurePosixPath(key).parent.name or None


def _text(value: Scalar) -> str | None:
    return None if value is None or value == "" else str(value)
