"""The pictures of a comparison: all of a collection, or a stratified sample."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.datasets.labels import spread_sample
from lookalike.api import Collection
from lookalike.sources.base import Entry
from lookalike.sources.labels import Labels, choose_labels


@dataclass(frozen=True)
class Sample:
    """Entries of the collection's source with their labels, and the number of pictures in the collection."""

    entries: tuple[Entry, ...]
    labels: Labels
    collection_size: int

    @property
    def is_complete(self) -> bool:
        """Whether the sample is the whole collection."""
        return len(self.entries) == self.collection_size


def draw_sample(collection: Collection, limit: int, column: str | None) -> Sample:
    """Draw at most ``limit`` pictures of an open collection, deterministically; each label keeps its share.

    ``column`` names the column of labels; None: see ``choose_labels``.
    """
    all_labels = choose_labels((item.draft for item in collection.items()), column)
    labels = all_labels.values
    sampled_rows = set(range(len(labels)) if len(labels) <= limit else spread_sample(labels, limit))
    entries, sampled_labels = [], []
    for row, item in enumerate(collection.items()):
        if row in sampled_rows:
            draft = item.draft
            entries.append(Entry(draft.key, draft.location, draft.title, draft.product_id, dict(draft.metadata)))
            sampled_labels.append(labels[row])
    return Sample(tuple(entries), Labels(all_labels.place, tuple(sampled_labels)), len(labels))
