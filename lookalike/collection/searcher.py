"""The read side of a collection: nearest neighbours and items of one snapshot."""

from __future__ import annotations

import heapq
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.catalogue.snapshot_filter import Check, ColumnSummary, SnapshotFilter, ignore_check
from lookalike.catalogue.visible_items import VisibleItems
from lookalike.collection.hit import Hit
from lookalike.collection.overlay import Overlay
from lookalike.collection.snapshot import Snapshot, check_ids
from lookalike.errors import ItemNotFoundError, SnapshotDamagedError, VectorsInvalidError
from lookalike.filters import Condition, Where, parse_filter
from lookalike.filters.conditions import Exists, Field
from lookalike.index.base import Mask, Neighbours, Positions, VectorIndex, Vectors
from lookalike.thresholds import Threshold

MAX_LIGHT_NUMBERS = 1 << 19
"""Maximum count of numbers in the vectors of a light snapshot: reading them takes about 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Searcher:
    """Answers queries from one snapshot, and says what it can answer at once; safe from several threads at once.

    ``overlay`` are the live changes on top of it. ``visible_items`` and ``item_filter`` are of the snapshot alone,
    ``added_filter`` filters the items that were added, ``live_filter`` all items.
    """

    snapshot: Snapshot
    index: VectorIndex
    catalogue: Catalogue
    collection_id: int
    overlay: Overlay
    visible_items: VisibleItems = field(repr=False, compare=False)
    item_filter: SnapshotFilter = field(repr=False, compare=False)
    added_filter: SnapshotFilter = field(repr=False, compare=False)
    live_filter: SnapshotFilter = field(repr=False, compare=False)

    @classmethod
    def of(cls, snapshot: Snapshot, index: VectorIndex, catalogue: Catalogue, collection_id: int) -> Self:
        """The searcher of a snapshot without live changes."""
        item_filter = catalogue.snapshot_filter(collection_id, snapshot.ids)
        overlay = Overlay.empty(snapshot.ids, snapshot.manifest.dimension)
        return cls(
            snapshot,
            index,
            catalogue,
            collection_id,
            overlay,
            catalogue.snapshot_items(collection_id, snapshot.manifest.generation),
            item_filter,
            catalogue.snapshot_filter(collection_id, overlay.ids),
            item_filter,
        )

    def with_live_changes(self) -> Self | None:
        """The searcher with all that was changed by now: itself if there is nothing new.

        None if that can no longer be said of this snapshot, since a later one is published.
        """
        live = self.catalogue.live_changes(self.collection_id)
        if live.number() == self.overlay.change:
            return self
        changes = live.since(self.overlay.change, self.snapshot.manifest.generation)
        if changes is None:
            return None
        return self._with_overlay(self.overlay.with_changes(changes))

    def at_change(self, change: int) -> Self | None:
        """As it was after this live change; None if the catalogue can no longer say that: see ``LiveChanges.up_to``."""
        changes = self.catalogue.live_changes(self.collection_id).up_to(change, self.snapshot.manifest.generation)
        return None if changes is None else self._with_overlay(self.overlay.cleared().with_changes(changes))

    def without_live_changes(self) -> Self:
        """The searcher of the snapshot alone."""
        return replace(self._with_overlay(self.overlay.cleared()), live_filter=self.item_filter)

    def _with_overlay(self, overlay: Overlay) -> Self:
        ids = np.union1d(self.snapshot.ids[overlay.snapshot_mask], overlay.ids)
        return replace(
            self,
            overlay=overlay,
            added_filter=self.catalogue.snapshot_filter(self.collection_id, overlay.ids),
            live_filter=self.catalogue.snapshot_filter(self.collection_id, ids),
        )

    def __len__(self) -> int:
        return self.snapshot.manifest.count + self.overlay.count_change

    def condition(self, where: Where) -> Condition:
        """A filter, checked against the collection's columns; raises FilterInvalidError."""
        return parse_filter(where, self.live_filter.fields)

    def count(self, condition: Condition, check: Check = ignore_check) -> int:
        """Number of items that pass."""
        return int(np.count_nonzero(self.mask(condition, check)))

    def mask(self, condition: Condition | None, check: Check = ignore_check) -> Mask:
        """Which positions hold an item that is left and passes, those of added items behind those of the snapshot.

        A new array of (n + m) bool; for ``check`` see ``SnapshotFilter.mask``.
        """
        if condition is None:
            return np.concatenate([self.overlay.snapshot_mask, np.ones(len(self.overlay.records), dtype=np.bool_)])
        passing = self.item_filter.mask(condition, check)
        if len(self.overlay.removed_positions):
            passing = passing & self.overlay.snapshot_mask
        return np.concatenate([passing, self.added_filter.mask(condition, check)])

    def passing_ids(self, condition: Condition | None, check: Check = ignore_check) -> Positions:
        """The ids of the items that pass, ascending."""
        return np.sort(self.ids_at(np.flatnonzero(self.mask(condition, check))))

    def columns(self, check: Check = ignore_check) -> list[ColumnSummary]:
        """The metadata columns that are declared, or of which some item has a value, by name."""
        declared = self.live_filter.declared
        summaries = []
        for name, types in sorted(self.live_filter.fields.columns.items()):
            count, is_declared = self.count(Exists(Field(name)), check), name in declared
            if count or is_declared:
                shown_types = frozenset({declared[name]}) if is_declared else types
                summaries.append(ColumnSummary(name, shown_types, count, is_declared))
        return summaries

    def neighbours(
        self, queries: Vectors, k: int, *, exclude: int | None = None, condition: Condition | None = None
    ) -> Neighbours:
        """The first half of a search: positions and scores of the k best for each of (n, D) unit-length queries.

        Fewer than k come back only if the collection has no more that pass the ``condition``. ``exclude`` is the id of
        an item that is not returned. Raises VectorsInvalidError for k below 1 or wrong vectors.
        """
        if k < 1:
            raise VectorsInvalidError(f"k must be at least 1, got {k}", subject="k")
        if exclude is None:
            return self._search(queries, k, condition)
        # Searching for one more neighbour and removing the item costs less than a filter over all positions.
        position = self.position(exclude)
        return _without(self._search(queries, k + 1, condition), position)

    def _search(self, queries: Vectors, k: int, condition: Condition | None) -> Neighbours:
        mask = None if condition is None else self.item_filter.mask(condition)
        if self.overlay.is_empty:
            return self.index.search(queries, k, mask=mask)
        masks = None
        if condition is not None and mask is not None:
            masks = (mask, self.added_filter.mask(condition))
        return self.overlay.search(self.index, queries, k, masks)

    def neighbours_among(self, queries: Vectors, k: int, mask: Mask) -> Neighbours:
        """As ``neighbours``, among the items at the positions of a mask such as ``mask`` returns."""
        count = len(self.snapshot.ids)
        if self.overlay.is_empty:
            return self.index.search(queries, k, mask=mask[:count])
        return self.overlay.search(self.index, queries, k, (mask[:count], mask[count:]))

    def hits(
        self, neighbours: Neighbours, *, min_score: float | None = None, threshold: Threshold | None = None
    ) -> list[list[Hit]]:
        """The second half of a search: the rows behind ``neighbours``, best first; raises SnapshotDamagedError.

        Those below ``min_score``, a cosine, are left out. The hits say by ``threshold`` whether they are similar.
        """
        is_hit = neighbours.positions >= 0
        if min_score is not None:
            is_hit &= neighbours.scores >= min_score
        ids = self.ids_at(np.maximum(neighbours.positions, 0)) if len(self) else neighbours.positions
        items = self.records(ids[is_hit].tolist())
        return [
            [
                _hit(rank, score, items[item_id], threshold)
                for rank, (score, item_id) in enumerate(
                    zip(scores[hit_mask].tolist(), row_ids[hit_mask].tolist(), strict=True), start=1
                )
            ]
            for scores, row_ids, hit_mask in zip(neighbours.scores, ids, is_hit, strict=True)
        ]

    def is_light(self) -> bool:
        """Whether a search takes less time than a change of thread."""
        return len(self) * self.snapshot.manifest.dimension <= MAX_LIGHT_NUMBERS

    def has_cached_item(self, key: str) -> bool:
        """Whether ``item`` needs no query of the catalogue for this key."""
        if key in self.overlay.by_key:
            return True
        return self.visible_items.has_cached_key(key) and self._exact_item(key) is not None

    def has_cached_hits(self, neighbours: Neighbours) -> bool:
        """Whether ``hits`` needs no query of the catalogue for these neighbours."""
        positions = neighbours.positions
        ids = self.snapshot.ids[positions[(positions >= 0) & (positions < len(self.snapshot.ids))]]
        return self.visible_items.has_cached_ids(ids.tolist())

    def check_rows(self) -> None:
        """Compare the snapshot's ids with the rows visible at its generation; raises SnapshotDamagedError."""
        manifest = self.snapshot.manifest
        check_ids(self.snapshot, self.catalogue.visible_ids(self.collection_id, manifest.generation))
        if len(self.index) != len(self.snapshot.ids):
            raise SnapshotDamagedError(
                f"the index of snapshot {manifest.generation} of {manifest.collection!r} has {len(self.index)} vectors "
                f"for {len(self.snapshot.ids)} items; index the collection again",
                subject=str(self.snapshot.index_path),
            )

    def item(self, key: str) -> ItemRecord:
        """The item under this key; raises ItemNotFoundError.

        An accent may be a letter's own or a character beside it: without an item of exactly this key it is one of the
        same letters.
        """
        forms = dict.fromkeys((key, unicodedata.normalize("NFC", key), unicodedata.normalize("NFD", key)))
        item = next((item for item in map(self._exact_item, forms) if item is not None), None)
        if item is None:
            name = self.snapshot.manifest.collection
            raise ItemNotFoundError(f"the collection {name!r} has no item {key!r}", subject=key)
        return item

    def _exact_item(self, key: str) -> ItemRecord | None:
        if key in self.overlay.by_key:
            return self.overlay.by_key[key]
        item = self.visible_items.by_key(key)
        return None if item is None or item.id in self.overlay.removed_ids else item

    def page(self, after: int, limit: int, passing_ids: Positions | None = None) -> list[ItemRecord]:
        """At most ``limit`` items by ascending id, from the first whose id is above ``after``.

        Of all items, or of those that a filter lets pass: ``passing_ids`` are what the method of that name returns.
        """
        if passing_ids is not None:
            start = int(np.searchsorted(passing_ids, after, side="right"))
            ids = passing_ids[start : start + limit].tolist()
            items = self.records(ids)
            return [items[item_id] for item_id in ids]
        rows: list[ItemRecord] = []
        last, removed_ids = after, self.overlay.removed_ids
        while len(rows) < limit:
            page = self.visible_items.page(last, limit)
            rows += [item for item in page if item.id not in removed_ids]
            if len(page) < limit:
                break
            last = page[-1].id
        rows += [item for item in self.overlay.records if item.id > after]
        return sorted(rows, key=lambda item: item.id)[:limit]

    def items(self) -> Iterator[ItemRecord]:
        """All items, by ascending id."""
        rows = self.catalogue.visible_items(self.collection_id, self.snapshot.manifest.generation)
        left = (item for item in rows if item.id not in self.overlay.removed_ids)
        return heapq.merge(left, self.overlay.records, key=lambda item: item.id)

    def position(self, item_id: int) -> int:
        """The position of an item, -1 for one that is not there."""
        return max(self.snapshot.position(item_id), self.overlay.position(item_id))

    def positions_of(self, keys: Sequence[str]) -> list[int]:
        """The positions of those of these keys, exactly as they are, that there are."""
        return [self.position(item.id) for item in self.items_by_key(keys).values()]

    def items_by_key(self, keys: Sequence[str]) -> dict[str, ItemRecord]:
        """Those of these keys, exactly as they are, that there are, with their items."""
        added, removed_ids = self.overlay.by_key, self.overlay.removed_ids
        items = self.visible_items.by_keys([key for key in keys if key not in added])
        left = {key: item for key, item in items.items() if item.id not in removed_ids}
        return left | {key: added[key] for key in keys if key in added}

    def live_items(self, ids: Sequence[int]) -> list[ItemRecord]:
        """Those of these items that have not been removed or replaced since; raises SnapshotDamagedError."""
        removed_ids = self.overlay.removed_ids
        left = [item_id for item_id in ids if item_id not in removed_ids and self.position(item_id) >= 0]
        items = self.records(left)
        return [items[item_id] for item_id in left]

    def vector(self, item_id: int) -> Vectors:
        """The (D,) vector of an item; raises ItemNotFoundError."""
        place = self.overlay.position(item_id) - len(self.snapshot.ids)
        if place >= 0:
            added_vector: Vectors = self.overlay.vectors[place]
            return added_vector
        vector = self.snapshot.vector(item_id)
        if vector is None or item_id in self.overlay.removed_ids:
            raise ItemNotFoundError(f"the snapshot has no item {item_id}", subject=str(item_id))
        return vector

    def vectors_at(self, positions: Positions) -> Vectors:
        """The (n, D) vectors of the items at these positions."""
        count = len(self.snapshot.ids)
        if self.overlay.is_empty:
            return self.snapshot.vectors[positions]
        vectors = np.empty((len(positions), self.snapshot.manifest.dimension), np.float32)
        is_added = positions >= count
        vectors[~is_added] = self.snapshot.vectors[positions[~is_added]]
        vectors[is_added] = self.overlay.vectors[positions[is_added] - count]
        return vectors

    def ids_at(self, positions: Positions) -> Positions:
        """The ids of the items at these positions."""
        return self.snapshot.ids[positions] if self.overlay.is_empty else self.overlay.ids_at(positions)

    def records(self, ids: Sequence[int]) -> dict[int, ItemRecord]:
        """The rows of these items by id; raises SnapshotDamagedError where the catalogue lacks one."""
        # By generation too: in a catalogue that was lost or restored, an id may belong to a later picture.
        added = self.overlay.by_id
        rows = {item_id: added[item_id] for item_id in ids if item_id in added}
        rows |= self.visible_items.by_id([item_id for item_id in dict.fromkeys(ids) if item_id not in added])
        missing_count = sum(number not in rows for number in set(ids))
        if missing_count:
            manifest = self.snapshot.manifest
            raise SnapshotDamagedError(
                f"the catalogue lacks {missing_count} rows of snapshot {manifest.generation} of "
                f"{manifest.collection!r}: it is not the catalogue that this snapshot was made with; index the "
                "collection again",
                subject=str(self.snapshot.folder),
            )
        return rows


def _without(neighbours: Neighbours, position: int) -> Neighbours:
    """Neighbours without this position: each row loses it, or its last one if it does not have it."""
    last = neighbours.positions.shape[1] - 1
    scores, positions = neighbours.scores[:, :last].copy(), neighbours.positions[:, :last].copy()
    # Row by row: for one query, which is what a service asks, this takes a fifth of the time of masks.
    for row, row_positions in enumerate(neighbours.positions.tolist()):
        if position >= 0 and position in row_positions:
            column = row_positions.index(position)
            scores[row, column:] = neighbours.scores[row, column + 1 :]
            positions[row, column:] = neighbours.positions[row, column + 1 :]
    return Neighbours(scores, positions)


def _hit(rank: int, score: float, item: ItemRecord, threshold: Threshold | None) -> Hit:
    draft = item.draft
    return Hit(rank, draft.key, score, draft.title, draft.product_id, draft.all_metadata, draft.location, threshold)
