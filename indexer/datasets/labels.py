"""Sources with their labels, and stratified samples of labelled pictures."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lookalike.sources.base import Entry, RefusedEntry, Source
from lookalike.sources.labels import Labels, check_column, choose_labels

SEED = 20


@dataclass(frozen=True)
class LabelledEntries:
    """The entries of a source and their labels, in the same order.

    ``rejections`` has key and error code of entries that the source rejected.
    """

    entries: tuple[Entry, ...]
    labels: Labels
    rejections: tuple[tuple[str, str], ...] = ()


def read_labelled(
    source: Source, column: str | None = None, limit: int | None = None, *, least: int = 2
) -> LabelledEntries:
    """All entries of ``source`` with their labels, in its order; at most ``limit`` of them.

    A sample is drawn with a fixed seed. Each label keeps its share, but at least ``least`` pictures: two where a single
    one has no match. If ``limit`` is too small for so many of each, some labels are left out. Raises ManifestError if
    no entry has the ``column``.
    """
    entries: list[Entry] = []
    rejections: list[tuple[str, str]] = []
    for entry in source.entries():
        if isinstance(entry, RefusedEntry):
            rejections.append((entry.key, entry.error.code))
        else:
            entries.append(entry)
    if column is not None:
        check_column(source.location, entries, column)
    labels = choose_labels(entries, column)
    if limit is not None and limit < len(entries):
        sample = spread_sample(labels.values, limit, least)
        entries = [entries[row] for row in sample]
        labels = Labels(labels.place, tuple(labels.values[row] for row in sample))
    return LabelledEntries(tuple(entries), labels, tuple(rejections))


def source_name(path: Path) -> str:
    """Name of a labelled source: that of the folder or archive, or of a manifest's folder."""
    return path.absolute().parent.name if path.is_file() and path.suffix != ".zip" else path.stem


def spread_sample(labels: Sequence[str | None], limit: int, least: int = 2) -> list[int]:
    """Positions of a stratified sample of at most ``limit`` of ``labels``, ascending; see ``read_labelled``."""
    generator = random.Random(SEED)
    rows: dict[str | None, list[int]] = {}
    for row in generator.sample(range(len(labels)), len(labels)):
        rows.setdefault(labels[row], []).append(row)
    quotas = _quotas({label: len(label_rows) for label, label_rows in rows.items()}, limit, least)
    return sorted(row for label, label_rows in rows.items() for row in label_rows[: quotas[label]])


def _quotas(sizes: Mapping[str | None, int], limit: int, least: int) -> Counter[str | None]:
    """Sample size of each label: ``least`` while ``limit`` allows it, the rest in proportion."""
    quotas: Counter[str | None] = Counter()
    budget = limit
    for label, size in sizes.items():
        minimum = min(least, size)
        if minimum <= budget:
            quotas[label], budget = minimum, budget - minimum
    # The label that is furthest below its share comes next.
    share = limit / max(1, sum(sizes.values()))
    queue = [(quotas[label] - sizes[label] * share, place, label) for place, label in enumerate(quotas)]
    heapq.heapify(queue)
    while budget and queue:
        surplus, place, label = heapq.heappop(queue)
        if quotas[label] < sizes[label]:
            quotas[label], budget = quotas[label] + 1, budget - 1
            heapq.heappush(queue, (surplus + 1, place, label))
    return quotas
