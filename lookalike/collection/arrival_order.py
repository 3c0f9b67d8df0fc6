"""The items in the order in which they came, page by page, while they are changed.

A change makes a new row with a larger id. For a pass over a collection an item has the place that it had when the pass
began: the id of its version then. So the items of a pass are those that were there when it began, each once, as it is
now; what was added since is not among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check, ignore_check
from lookalike.collection.searcher import Searcher
from lookalike.filters.conditions import Condition
from lookalike.index.base import Positions
from lookalike.sorted_ids import find_positions

_LARGEST_ROUND = 4096
"""Rows that are read at once at most."""


@dataclass(frozen=True, slots=True)
class ArrivalPage:
    """The items of a page with the place of each.

    ``has_newcomers`` if there are items that were not there when the pass began. Where a later snapshot is published
    already, they may as well be items whose version of then is no longer known.
    """

    items: list[tuple[int, ItemRecord]]
    has_newcomers: bool = False


def read_arrival_page(
    searcher: Searcher,
    limit: int,
    *,
    change: int,
    after: int = 0,
    condition: Condition | None = None,
    passing_ids: Positions | None = None,
    check: Check = ignore_check,
) -> ArrivalPage:
    """At most ``limit`` items that pass, from the first whose place is above ``after``.

    ``change`` is the number of the last change when the pass began, at most that of the searcher's. ``passing_ids``,
    ascending, are the items that pass, for who knows them already.
    """
    if passing_ids is None and condition is not None:
        passing_ids = searcher.passing_ids(condition, check)
    later = {record.id: record for record in searcher.overlay.records if (record.change or 0) > change}
    if not later:
        return ArrivalPage([(item.id, item) for item in searcher.page(after, limit, passing_ids)])
    places = searcher.visible_items.places_at(change)
    items = [(item.id, item) for item in _read_others(searcher, limit, after, passing_ids, later, check)]
    changed = list(later.values())
    if passing_ids is not None:
        is_passing = find_positions(passing_ids, np.array(list(later), np.int64)) >= 0
        changed = [record for record, passes in zip(changed, is_passing.tolist(), strict=True) if passes]
    items += [(places[record.key], record) for record in changed if places.get(record.key, 0) > after]
    items.sort(key=lambda placed: placed[0])
    return ArrivalPage(items[:limit], any(record.key not in places for record in later.values()))


def _read_others(
    searcher: Searcher,
    limit: int,
    after: int,
    passing_ids: Positions | None,
    later: dict[int, ItemRecord],
    check: Check,
) -> list[ItemRecord]:
    """At most ``limit`` items that pass and have not been changed since the pass began, by ascending id."""
    items: list[ItemRecord] = []
    round_size = limit
    while len(items) < limit:
        check()
        page = searcher.page(after, round_size, passing_ids)
        items += [item for item in page if item.id not in later]
        if len(page) < round_size:
            break
        after = page[-1].id
        round_size = max(limit, min(4 * round_size, _LARGEST_ROUND))
    return items[:limit]
