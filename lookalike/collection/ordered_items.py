"""The items that pass a filter in the order of a field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.catalogue.item_order import MAX_NAMED_IDS, ItemOrder, OrderPlace
from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check, ignore_check
from lookalike.collection.searcher import Searcher
from lookalike.filters.builder import ConditionBuilder
from lookalike.filters.conditions import And, Condition, Exists
from lookalike.index.base import Positions
from lookalike.sorted_ids import find_positions

_LARGEST_ROUND = 16_384
"""Rows that one statement returns at most."""


@dataclass(frozen=True, slots=True)
class OrderedPage:
    """The items of a page with the place of each, and how many items there are on all pages."""

    items: list[tuple[OrderPlace, ItemRecord]]
    count: int


def find_order(searcher: Searcher, name: str, *, is_descending: bool) -> ItemOrder:
    """The order of a field by its name in a filter; raises FilterInvalidError for one that is unknown, or has lists."""
    fields = ConditionBuilder(searcher.live_filter.fields)
    field = fields.find_scalar_field(name, "order_by")
    return searcher.catalogue.item_order(searcher.collection_id, field, is_descending=is_descending)


def read_ordered_page(
    searcher: Searcher,
    order: ItemOrder,
    limit: int,
    *,
    after: OrderPlace | None = None,
    condition: Condition | None = None,
    passing_ids: Positions | None = None,
    check: Check = ignore_check,
) -> OrderedPage:
    """At most ``limit`` items that pass and have a value, after a place or from the beginning.

    ``passing_ids``, ascending, are these items, for who knows them already. ``check`` is called between the rounds:
    where few pass, many values may be read before there are enough.
    """
    if passing_ids is None:
        has_value = Exists(order.field)
        passing_ids = searcher.passing_ids(has_value if condition is None else And((condition, has_value)), check)
    named_ids = passing_ids.tolist() if len(passing_ids) <= MAX_NAMED_IDS else None
    places: list[OrderPlace] = []
    round_size = 2 * limit
    is_last_round = not len(passing_ids)
    while len(places) < limit and not is_last_round:
        check()
        rows = order.read(round_size, after=after, item_ids=named_ids)
        # Values of versions that are gone stay for a while, and so do those that only another snapshot has.
        is_passing = find_positions(passing_ids, np.array([row.item_id for row in rows], np.int64)) >= 0
        places += [row for row, passes in zip(rows, is_passing.tolist(), strict=True) if passes]
        is_last_round = len(rows) < round_size
        after = rows[-1] if rows else after
        round_size = min(4 * round_size, _LARGEST_ROUND)
    places = places[:limit]
    records = searcher.records([place.item_id for place in places])
    return OrderedPage([(place, records[place.item_id]) for place in places], len(passing_ids))
