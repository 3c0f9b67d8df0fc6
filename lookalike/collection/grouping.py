"""What items are grouped by: a field of theirs, or stacks. Counts of groups, and the item that stands for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np

from lookalike.catalogue.item_values import shorten
from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check, ColumnCodes
from lookalike.collection.hit import Hit
from lookalike.collection.refinement import FieldReader, GroupKey, group_key
from lookalike.collection.searcher import Searcher
from lookalike.filters.conditions import Equals
from lookalike.filters.values import Scalar, TypedValue, ValueType
from lookalike.index.base import Mask, Positions

_CONDITION_VALUES = 500


class Grouping(Protocol):
    """Which group each item is in."""

    def read(self, item: ItemRecord) -> Scalar | None:
        """The value by which an item is grouped; None for one that is a group of its own."""

    def mask(self, searcher: Searcher, values: Sequence[TypedValue], check: Check) -> Mask:
        """The positions of the items that are in one of these groups, (n + m,) bool, as those of ``Searcher.mask``."""

    def counts(self, searcher: Searcher, values: Sequence[TypedValue], mask: Mask) -> dict[GroupKey, int]:
        """How many items at the positions of ``mask`` each of these groups has."""

    def heads(self, searcher: Searcher, mask: Mask, check: Check) -> Mask:
        """Of the items at the positions of ``mask`` the one that stands for its group, for each group."""


@dataclass(frozen=True, slots=True)
class FieldGrouping:
    """Groups of items with the same value of a field."""

    reader: FieldReader

    def read(self, item: ItemRecord) -> Scalar | None:
        """See the port."""
        return self.reader.read(item)

    def mask(self, searcher: Searcher, values: Sequence[TypedValue], check: Check) -> Mask:
        """See the port."""
        return searcher.mask(self.reader.condition(list(values)), check)

    def counts(self, searcher: Searcher, values: Sequence[TypedValue], mask: Mask) -> dict[GroupKey, int]:
        """See the port; one query of the catalogue for each type of values, and two where items were added live."""
        stored = {_stored_key(value): group_key(value) for value in values}
        counts = dict.fromkeys(stored.values(), 0)
        for value, positions in self._members(searcher, values):
            counts[stored[group_key(value)]] += int(np.count_nonzero(mask[positions]))
        return counts

    def heads(self, searcher: Searcher, mask: Mask, check: Check) -> Mask:
        """See the port: the first that came. Reads the values that all items have, once for a snapshot."""
        heads = mask.copy()
        column = searcher.item_filter.column_codes(self.reader.field)
        check()
        _keep_first(heads, mask, column)
        if searcher.overlay.records:
            self._keep_first_added(searcher, heads, mask, check)
        return heads

    def _keep_first_added(self, searcher: Searcher, heads: Mask, mask: Mask, check: Check) -> None:
        """Likewise among the items that were added live: none of a group that has others stands for it."""
        offset = len(searcher.snapshot.ids)
        added: dict[GroupKey, tuple[TypedValue, int]] = {}
        for position, item in enumerate(searcher.overlay.records, offset):
            value = self.read(item)
            if value is not None and mask[position]:
                typed = TypedValue.of(value)
                heads[position] = added.setdefault(_stored_key(typed), (typed, position))[1] == position
        remaining = iter(added.values())
        while chunk := list(islice(remaining, _CONDITION_VALUES)):
            check()
            condition = Equals(self.reader.field, tuple(typed for typed, _ in chunk))
            for stored, positions in searcher.item_filter.positions_by_value(condition):
                if mask[positions].any():
                    heads[added[group_key(stored)][1]] = False

    def _members(self, searcher: Searcher, values: Sequence[TypedValue]) -> Iterator[tuple[TypedValue, Positions]]:
        """The positions of the items with each of these values, which are as they are stored."""
        if not values:
            return
        condition = Equals(self.reader.field, tuple(values))
        yield from searcher.item_filter.positions_by_value(condition)
        if searcher.overlay.records:
            offset = len(searcher.snapshot.ids)
            for value, positions in searcher.added_filter.positions_by_value(condition):
                yield value, positions + offset


def count_members(grouping: Grouping, searcher: Searcher, groups: Sequence[Scalar | None], mask: Mask) -> list[int]:
    """How many items at the positions of ``mask`` are in each of these groups; 1 for an item that is in none."""
    # By type as well: in Python false is equal to zero.
    values = [None if group is None else TypedValue.of(group) for group in groups]
    wanted = {group_key(value): value for value in values if value is not None}
    counts = grouping.counts(searcher, list(wanted.values()), mask)
    return [1 if value is None else counts[group_key(value)] for value in values]


def choose_heads(searcher: Searcher, grouping: Grouping, mask: Mask, check: Check) -> Positions:
    """The ids of the items that stand for their groups, ascending."""
    return np.sort(searcher.ids_at(np.flatnonzero(grouping.heads(searcher, mask, check))))


def _keep_first(heads: Mask, mask: Mask, column: ColumnCodes) -> None:
    """Leave in ``heads``, of the items with a value that pass, the first of each."""
    is_passing = mask[column.positions]
    positions, codes = column.positions[is_passing], _group_codes(column)[column.codes[is_passing]]
    order = np.lexsort((positions, codes))
    positions, codes = positions[order], codes[order]
    heads[positions] = False
    is_first = np.ones(len(positions), np.bool_)
    is_first[1:] = codes[1:] != codes[:-1]
    heads[positions[is_first]] = True


def _group_codes(column: ColumnCodes) -> Positions:
    """A number for each of a column's values: one for dates that are one moment, however they are written."""
    if not any(value.type is ValueType.DATE for value in column.values):
        return np.arange(len(column.values), dtype=np.int64)
    first: dict[GroupKey, int] = {}
    codes = [first.setdefault(group_key(value), code) for code, value in enumerate(column.values)]
    return np.array(codes, np.int64)


def _stored_key(value: TypedValue) -> GroupKey:
    """The key of a value as the catalogue stores it: long text by its beginning and a digest."""
    return group_key(replace(value, text=shorten(value.text)))


def count_groups(
    hits: Sequence[Hit], grouping: Grouping, searcher: Searcher, passing: Mask, failing: Mask
) -> list[Hit]:
    """Hits with the sizes of their groups: among the items that pass, or for those that do not, among these."""
    counted: dict[int, Hit] = {}
    for mask, passed_filter in ((passing, True), (failing, False)):
        chosen = [hit for hit in hits if hit.passed_filter is passed_filter]
        counts = count_members(grouping, searcher, [hit.group for hit in chosen], mask) if chosen else []
        counted |= {hit.rank: replace(hit, group_count=count) for hit, count in zip(chosen, counts, strict=True)}
    return [counted[hit.rank] for hit in hits]
