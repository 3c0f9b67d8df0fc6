"""The items that are exported, in the order in which they came, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check, ignore_check
from lookalike.collection.searcher import Searcher
from lookalike.filters.conditions import Condition
from lookalike.index.base import Positions, Vectors

BLOCK = 2048
"""Items that are in memory at once, with their vectors."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemBlock:
    """Items, and their (n, D) float32 vectors of unit length; None where they were not asked for."""

    items: list[ItemRecord]
    vectors: Vectors | None


@dataclass(frozen=True, slots=True, eq=False)
class ItemSelection:
    """Items of one state of a collection, as its searches see it; ``positions`` (n,) are in the order of arrival."""

    searcher: Searcher
    positions: Positions

    @classmethod
    def of(cls, searcher: Searcher, condition: Condition | None = None, check: Check = ignore_check) -> Self:
        """The items that pass a filter, or all."""
        positions = np.flatnonzero(searcher.mask(condition, check))
        return cls(searcher, positions[np.argsort(searcher.ids_at(positions), kind="stable")])

    @classmethod
    def at(cls, searcher: Searcher, ids: Positions) -> Self:
        """These items, by their ids."""
        return cls(searcher, np.array([searcher.position(item_id) for item_id in ids.tolist()], np.int64))

    def __len__(self) -> int:
        return len(self.positions)

    def blocks(self, *, with_vectors: bool) -> Iterator[ItemBlock]:
        """All items, some at once.

        Raises SnapshotDamagedError where rows are gone, because so many snapshots were published meanwhile that this
        one was removed.
        """
        for start in range(0, len(self.positions), BLOCK):
            positions = self.positions[start : start + BLOCK]
            ids = self.searcher.ids_at(positions).tolist()
            records = self.searcher.records(ids)
            vectors = self.searcher.vectors_at(positions) if with_vectors else None
            yield ItemBlock([records[item_id] for item_id in ids], vectors)

    def items(self) -> Iterator[ItemRecord]:
        """All items, one by one; raises as ``blocks`` does."""
        return chain.from_iterable(block.items for block in self.blocks(with_vectors=False))
