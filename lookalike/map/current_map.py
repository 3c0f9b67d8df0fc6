"""A map as one state of its collection has it: without items that are gone, with those that came since.

An item whose id the map has is where it was. One with the content of an item of the map, such as an item whose metadata
were changed, is where that item was. Any other is put among its nearest neighbours that have a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.collection.searcher import Searcher
from lookalike.errors import SnapshotDamagedError
from lookalike.map.placement import NEIGHBOURS, middle_places
from lookalike.map.stored_map import Contents, MapHead, StoredMap, content_mark, unusable_map
from lookalike.sorted_ids import Ids, find_positions

MAX_PLACED = 500
"""How many items that came later are put among their neighbours: each is a search. The first of them by id are."""

Places = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotNames:
    """Of each item of a snapshot, in its order: the key, and ``contents`` (n,) uint64, see ``content_mark``."""

    keys: Sequence[str]
    contents: Contents

    @classmethod
    def read(cls, searcher: Searcher) -> Self:
        """Read them from the catalogue, 100 000 in some tenths of a second; raises CatalogueError."""
        rows = list(searcher.visible_items.names())
        if len(rows) != len(searcher.snapshot.ids):
            raise SnapshotDamagedError(
                f"the catalogue has {len(rows)} items of snapshot {searcher.snapshot.manifest.generation}, which has "
                f"{len(searcher.snapshot.ids)}: it is not the catalogue that this snapshot was made with; index the "
                "collection again",
                subject=str(searcher.snapshot.folder),
            )
        contents = np.fromiter((content_mark(content) for _, _, content in rows), np.uint64, len(rows))
        return cls([key for _, key, _ in rows], contents)


@dataclass(frozen=True, slots=True, eq=False)
class CurrentMap:
    """The items of a collection that have a place: their ``places`` (n, 2) and ``keys``, by ascending id.

    ``rows`` (n,) are theirs among all items by ascending id. ``placed`` of them came later and were put among their
    neighbours; ``missing`` more came later and have no place.
    """

    head: MapHead
    rows: Ids
    places: Places
    keys: Sequence[str]
    placed: int
    missing: int


def locate(stored: StoredMap, searcher: Searcher, names: SnapshotNames) -> CurrentMap:
    """The map as a searcher has its items; ``names`` are those of its snapshot.

    Raises MapUnusableError for the map of another encoder's vectors.
    """
    manifest = searcher.snapshot.manifest
    if stored.head.encoder != manifest.encoder.digest:
        raise unusable_map(manifest.collection, "was made of another encoder's vectors")
    positions = np.flatnonzero(searcher.mask(None))
    ids = searcher.ids_at(positions)
    order = np.argsort(ids)
    ids, positions = ids[order], positions[order]
    rows = find_positions(stored.ids, ids)
    newcomers = np.flatnonzero(rows < 0)
    contents = np.concatenate([names.contents, _added_contents(searcher)])
    rows[newcomers] = _rows_by_content(stored, contents[positions[newcomers]])
    has_place = rows >= 0
    places = np.zeros((len(ids), 2), np.float32)
    places[has_place] = stored.places[rows[has_place]]
    strangers = np.flatnonzero(~has_place)[:MAX_PLACED]
    if has_place.any():
        places[strangers] = _places_among(searcher, positions, strangers, places, has_place)
        has_place[strangers] = True
    added = searcher.overlay.records
    count = len(names.keys)
    keys = [names.keys[at] if at < count else added[at - count].key for at in positions[has_place].tolist()]
    placed = len(strangers) if keys else 0
    return CurrentMap(stored.head, np.flatnonzero(has_place), places[has_place], keys, placed, len(ids) - len(keys))


def _added_contents(searcher: Searcher) -> Contents:
    """Those of the items that were added live."""
    added = searcher.overlay.records
    return np.fromiter((content_mark(item.draft.content_digest) for item in added), np.uint64, len(added))


def _rows_by_content(stored: StoredMap, contents: Contents) -> Ids:
    """For each content the row of the map that has it, -1 where none has."""
    if not len(stored.ids):
        return np.full(len(contents), -1, np.int64)
    order = np.argsort(stored.contents, kind="stable")
    candidates = order[np.minimum(np.searchsorted(stored.contents, contents, sorter=order), len(order) - 1)]
    return np.where(stored.contents[candidates] == contents, candidates, -1)


def _places_among(
    searcher: Searcher, positions: Ids, strangers: Ids, places: Places, has_place: npt.NDArray[np.bool_]
) -> Places:
    """Places of ``strangers`` among their neighbours that have one; all but ``positions`` are rows of the latter."""
    count = len(searcher.snapshot.ids) + len(searcher.overlay.records)
    row_at = np.zeros(count, np.int64)
    row_at[positions] = np.arange(len(positions))
    mask = np.zeros(count, np.bool_)
    mask[positions[has_place]] = True
    neighbours = searcher.neighbours_among(searcher.vectors_at(positions[strangers]), NEIGHBOURS, mask)
    # Where there are fewer neighbours than that, the rest are at position -1, and have no say for their score.
    return middle_places(places[row_at[np.maximum(neighbours.positions, 0)]], neighbours.scores)
