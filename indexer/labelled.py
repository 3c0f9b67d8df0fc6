"""Pictures with a label: what a picture shows, as its source says it, and a fair sample of a large source."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from lookalike.errors import ManifestError
from lookalike.sources.base import Entry, Refused, Scalar, Source

SEED = 20
PRODUCT = "product_id"


@dataclass(frozen=True)
class Labelled:
    """The entries of a source and, one by one, their labels; None for an entry that has none.

    ``refused`` are the entries that the source could not offer: their key and the code of the error.
    """

    entries: tuple[Entry, ...]
    labels: tuple[str | None, ...]
    refused: tuple[tuple[str, str], ...] = ()


def label_of(key: str, product_id: str | None, metadata: Mapping[str, Scalar], column: str | None = None) -> str | None:
    """What a picture shows: the value of ``column``, or else its ``label``, its ``product_id``, or its own folder.

    The folder is the last one of the key: ``n0123`` for ``val/n0123/x.jpg``. None where there is none of them, and
    where ``column`` is named but empty.
    """
    if column is not None:
        return _text(product_id if column == PRODUCT else metadata.get(column))
    return _text(metadata.get("label")) or product_id or PurePosixPath(key).parent.name or None


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
    labels = [label_of(entry.key, entry.product_id, entry.metadata, column) for entry in entries]
    if limit is not None and limit < len(entries):
        kept = spread_sample(labels, limit)
        entries, labels = [entries[row] for row in kept], [labels[row] for row in kept]
    return Labelled(tuple(entries), tuple(labels), tuple(refused))


def spread_sample(labels: Sequence[str | None], limit: int) -> list[int]:
    """Positions of at most ``limit`` of ``labels``, rising, each label in its share; see ``read_labelled``."""
    chance = random.Random(SEED)
    rows: dict[str | None, list[int]] = {}
    for row in chance.sample(range(len(labels)), len(labels)):
        rows.setdefault(labels[row], []).append(row)
    quotas = _quotas({label: len(found) for label, found in rows.items()}, limit)
    return sorted(row for label, found in rows.items() for row in found[: quotas[label]])


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
    there = {name for entry in entries for name in entry.metadata}
    there |= {PRODUCT} if any(entry.product_id for entry in entries) else set()
    if entries and column not in there:
        found = f"there are: {', '.join(sorted(there))}" if there else "there are none"
        raise ManifestError(f"{source.location} has no column {column!r} to take labels from; {found}", subject=column)


def _text(value: Scalar) -> str | None:
    return None if value is None or value == "" else str(value)
