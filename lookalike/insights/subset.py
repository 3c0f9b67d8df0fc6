"""The items of a collection that are examined: all of them, or those that pass a filter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import ItemRecord
from lookalike.collection.searcher import Searcher
from lookalike.errors import VectorsInvalidError
from lookalike.filters import Condition
from lookalike.index.base import Mask, Positions, Vectors

BLOCK = 4096
"""Vectors that are read together: 10 MB of those of the encoder in the box."""
_QUERIES = 256
_RECORDS = 1000

Places = npt.NDArray[np.int64]
"""Numbers of items within a subset, from 0."""


@dataclass(frozen=True, slots=True, eq=False)
class NearestBlock:
    """The nearest neighbours of the items from ``start`` on: ``places`` (b, k), -1 for none, and ``cosines`` (b, k)."""

    start: int
    places: Places
    cosines: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ItemSubset:
    """n items of one state of a collection, in the order of their ``positions`` (n,), which ascend.

    Vectors are read block by block, so that memory does not grow with their number.
    """

    searcher: Searcher
    positions: Positions
    mask: Mask | None

    @classmethod
    def of(cls, searcher: Searcher, condition: Condition | None) -> Self:
        """The items that pass; all of them without a condition."""
        mask = searcher.mask(condition)
        return cls(searcher, np.flatnonzero(mask), None if mask.all() else mask)

    def __len__(self) -> int:
        return len(self.positions)

    def vectors(self, places: Places) -> Vectors:
        """The (m, D) float32 vectors of these items; raises VectorsInvalidError for numbers that are not finite."""
        vectors = np.ascontiguousarray(self.searcher.vectors_at(self.positions[places]), dtype=np.float32)
        is_finite = np.isfinite(vectors).all(axis=1)
        if not is_finite.all():
            item = self.record(int(places[int(np.flatnonzero(~is_finite)[0])]))
            raise VectorsInvalidError(
                f"the vector of {item.key!r} has numbers that are not finite: index the collection again with "
                "another encoder, or remove the item",
                subject=item.key,
            )
        return vectors

    def blocks(self) -> Iterator[tuple[slice, Vectors]]:
        """All vectors, in blocks of at most ``BLOCK``, each with the places that it is of."""
        for start in range(0, len(self), BLOCK):
            block = slice(start, min(start + BLOCK, len(self)))
            yield block, self.vectors(np.arange(block.start, block.stop))

    def sample(self, most: int) -> Places:
        """At most so many places, at even distances; the same each time."""
        if len(self) <= most:
            return np.arange(len(self))
        return np.linspace(0, len(self) - 1, most).astype(np.int64)

    def nearest(self, k: int) -> Iterator[NearestBlock]:
        """The k nearest other items of each, best first, found by the collection's index."""
        for start in range(0, len(self), _QUERIES):
            places = np.arange(start, min(start + _QUERIES, len(self)))
            yield NearestBlock(start, *self.nearest_of(places, k))

    def nearest_of(self, places: Places, k: int) -> tuple[Places, npt.NDArray[np.float32]]:
        """The k nearest other items of these (m,): their places (m, k), -1 for none, and cosines (m, k)."""
        queries = self.vectors(places)
        # One more: the nearest neighbour of an item is mostly the item itself.
        if self.mask is None:
            neighbours = self.searcher.neighbours(queries, k + 1)
        else:
            neighbours = self.searcher.neighbours_among(queries, k + 1, self.mask)
        is_left = neighbours.positions != self.positions[places][:, None]
        is_left[is_left.all(axis=1), -1] = False  # not found, since others are as near: the last one goes
        positions = neighbours.positions[is_left].reshape(len(places), k)
        cosines = neighbours.scores[is_left].reshape(len(places), k)
        return np.where(positions < 0, -1, np.searchsorted(self.positions, positions)), cosines

    def ids(self, places: Places) -> Positions:
        """The ids of these items."""
        return self.searcher.ids_at(self.positions[places])

    def record(self, place: int) -> ItemRecord:
        """One item."""
        return self.records(np.array([place]))[0]

    def records(self, places: Places) -> list[ItemRecord]:
        """These items, in this order; raises SnapshotDamagedError."""
        return list(read_records(self.searcher, self.ids(places)))

    def all_records(self) -> Iterator[ItemRecord]:
        """All items, in their order."""
        return read_records(self.searcher, self.ids(np.arange(len(self))))


def read_records(searcher: Searcher, ids: Positions) -> Iterator[ItemRecord]:
    """The items of these ids, in this order, some at a time; raises SnapshotDamagedError."""
    for start in range(0, len(ids), _RECORDS):
        chunk = ids[start : start + _RECORDS].tolist()
        items = searcher.records(chunk)
        for item_id in chunk:
            yield items[item_id]
