"""What was changed live on top of a snapshot: items that were added, searched exactly, and items that are gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lookalike.catalogue.live_changes import ChangesSince
from lookalike.catalogue.records import ItemRecord
from lookalike.index.base import Mask, Neighbours, VectorIndex, Vectors
from lookalike.sorted_ids import Ids, find_positions

FEW_REMOVED = 64
"""Up to so many removed items, an index is searched for as many more neighbours: that costs less than a mask."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """The live changes up to number ``change`` on a snapshot of items with ``snapshot_ids`` (n,), ascending.

    ``records`` are the added items by ascending id, ``vectors`` (m, D) theirs, ``removed_positions`` those of items of
    the snapshot that are gone, ascending. Never changed: ``with_changes`` makes another one.
    """

    snapshot_ids: Ids
    vectors: Vectors
    change: int = 0
    records: tuple[ItemRecord, ...] = ()
    removed_positions: Ids = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def empty(cls, snapshot_ids: Ids, dimension: int) -> Overlay:
        """No changes."""
        return cls(snapshot_ids, np.empty((0, dimension), np.float32))

    def cleared(self) -> Overlay:
        """No changes on the same snapshot."""
        return Overlay(self.snapshot_ids, self.vectors[:0])

    def with_changes(self, changes: ChangesSince) -> Overlay:
        """The overlay with later changes; changes that it has already are taken again without harm."""
        if not changes.added and not changes.removed_ids:
            return Overlay(self.snapshot_ids, self.vectors, changes.change, self.records, self.removed_positions)
        rows = {record.id: (record, vector) for record, vector in zip(self.records, self.vectors, strict=True)}
        rows |= {record.id: (record, vector) for record, vector in zip(changes.added, changes.vectors, strict=True)}
        for item_id in changes.removed_ids:
            rows.pop(item_id, None)
        added_rows = [rows[item_id] for item_id in sorted(rows)]
        positions = find_positions(self.snapshot_ids, np.array(changes.removed_ids, np.int64))
        return Overlay(
            self.snapshot_ids,
            np.stack([vector for _, vector in added_rows]) if added_rows else self.vectors[:0],
            changes.change,
            tuple(record for record, _ in added_rows),
            np.union1d(self.removed_positions, positions[positions >= 0]),
        )

    @property
    def count_change(self) -> int:
        """By how many items the collection is larger than the snapshot; negative if it is smaller."""
        return len(self.records) - len(self.removed_positions)

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs from the snapshot."""
        return not self.records and not len(self.removed_positions)

    @property
    def pending_count(self) -> int:
        """How many rows the next snapshot would fold in."""
        return len(self.records) + len(self.removed_positions)

    @cached_property
    def ids(self) -> Ids:
        """The ids of the added items, (m,), ascending."""
        return np.array([record.id for record in self.records], np.int64)

    @cached_property
    def by_key(self) -> Mapping[str, ItemRecord]:
        """The added items by key."""
        return {record.key: record for record in self.records}

    @cached_property
    def by_id(self) -> Mapping[int, ItemRecord]:
        """The added items by id."""
        return {record.id: record for record in self.records}

    @cached_property
    def removed_ids(self) -> frozenset[int]:
        """Ids of items of the snapshot that are gone."""
        return frozenset(self.snapshot_ids[self.removed_positions].tolist())

    @cached_property
    def snapshot_mask(self) -> Mask:
        """Which items of the snapshot are left, (n,) bool; not to be written to."""
        mask = np.ones(len(self.snapshot_ids), dtype=np.bool_)
        mask[self.removed_positions] = False
        mask.flags.writeable = False
        return mask

    def position(self, item_id: int) -> int:
        """The position of an added item, which is behind those of the snapshot; -1 for another item."""
        place = int(np.searchsorted(self.ids, item_id))
        is_added = place < len(self.ids) and self.ids[place] == item_id
        return len(self.snapshot_ids) + place if is_added else -1

    def ids_at(self, positions: Ids) -> Ids:
        """The ids at positions of the snapshot, and behind these at those of the added items."""
        return np.concatenate([self.snapshot_ids, self.ids])[positions]

    def search(self, index: VectorIndex, queries: Vectors, k: int, masks: tuple[Mask, Mask] | None) -> Neighbours:
        """The k best for each of (n, D) queries, in the snapshot's ``index`` and among the added items.

        ``masks`` say which items of the snapshot and which of the added ones pass a filter, (n,) and (m,) bool.
        """
        snapshot_mask = None if masks is None else masks[0]
        extra = len(self.removed_positions)
        if snapshot_mask is not None or extra > FEW_REMOVED:
            snapshot_mask = self.snapshot_mask if snapshot_mask is None else snapshot_mask & self.snapshot_mask
            extra = 0
        neighbours = index.search(queries, k + extra, mask=snapshot_mask)
        is_gone = np.isin(neighbours.positions, self.removed_positions) | (neighbours.positions < 0)
        added_scores = queries @ self.vectors.T
        if masks is not None:
            added_scores = np.where(masks[1], added_scores, -np.inf)
        added_positions = np.broadcast_to(len(self.snapshot_ids) + np.arange(len(self.records)), added_scores.shape)
        scores = np.concatenate([np.where(is_gone, -np.inf, neighbours.scores), added_scores], axis=1)
        positions = np.concatenate([neighbours.positions, added_positions], axis=1)
        if scores.shape[1] < k:
            missing = ((0, 0), (0, k - scores.shape[1]))
            scores = np.pad(scores, missing, constant_values=-np.inf)
            positions = np.pad(positions, missing, constant_values=-1)
        # Of equal scores the smaller position first, as in an index.
        best = np.lexsort((positions, -scores), axis=1)[:, :k]
        scores, positions = np.take_along_axis(scores, best, axis=1), np.take_along_axis(positions, best, axis=1)
        return Neighbours(scores.astype(np.float32), np.where(np.isneginf(scores), -1, positions).astype(np.int64))
