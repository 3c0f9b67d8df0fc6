"""The pictures that an encoder's change is tried on: a collection's own, or a fair sample of them."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.datasets.labels import Labels, choose_labels, spread_sample
from lookalike.api import Collection
from lookalike.sources.base import Entry


@dataclass(frozen=True)
class Sample:
    """Entries of the collection's source with their labels, and how many pictures the collection has ``of`` them."""

    entries: tuple[Entry, ...]
    labels: Labels
    of: int

    @property
    def whole(self) -> bool:
        """Whether it is all of the collection."""
        return len(self.entries) == self.of


def draw(collection: Collection, limit: int, column: str | None) -> Sample:
    """At most ``limit`` pictures of an open collection, the same ones each time; each label keeps its share.

    ``column`` says where labels are, else they are found as ``choose_labels`` does.
    """
    every = choose_labels((item.draft for item in collection.items()), column)
    labels = every.values
    chosen = set(range(len(labels)) if len(labels) <= limit else spread_sample(labels, limit))
    entries, kept = [], []
    for row, item in enumerate(collection.items()):
        if row in chosen:
            draft = item.draft
            entries.append(Entry(draft.key, draft.location, draft.title, draft.product_id, dict(draft.metadata)))
            kept.append(labels[row])
    return Sample(tuple(entries), Labels(every.place, tuple(kept)), len(labels))
