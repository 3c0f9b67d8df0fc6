"""Stacks: items that are shown as one, because they are copies of each other, or shots of one burst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check
from lookalike.collection.refinement import GroupKey, group_key
from lookalike.collection.searcher import Searcher
from lookalike.filters.values import Scalar, TypedValue
from lookalike.index.base import Mask, Positions


@dataclass(frozen=True, slots=True, eq=False)
class Stacks:
    """The stacks of one state of a collection, the port ``Grouping`` over that state alone.

    ``names`` has the name of its stack by an item's id; an item of no stack is one of its own. ``positions`` (n,) are
    those of all items in stacks, stack by stack, in each the one to show first; ``numbers`` (n,) ascend from stack to
    stack, and ``places`` has by name where a stack's positions are. ``version`` differs where the stacks do.
    """

    names: Mapping[int, str]
    positions: Positions
    numbers: Positions
    places: Mapping[str, slice]
    version: str

    @classmethod
    def of(cls, members: Mapping[str, Sequence[int]], searcher: Searcher, version: str) -> Stacks:
        """The stacks with these items, by their ids; all of them are items of the searcher's."""
        ids = np.array([item_id for stack_ids in members.values() for item_id in stack_ids], np.int64)
        positions = searcher.snapshot.positions(ids)
        for place in np.flatnonzero(positions < 0).tolist():
            positions[place] = searcher.overlay.position(int(ids[place]))
        sizes = np.array([len(stack_ids) for stack_ids in members.values()], np.int64)
        ends = np.cumsum(sizes).tolist()
        places = {name: slice(end - len(members[name]), end) for name, end in zip(members, ends, strict=True)}
        names = {item_id: name for name, stack_ids in members.items() for item_id in stack_ids}
        return cls(names, positions, np.repeat(np.arange(len(sizes)), sizes), places, version)

    def read(self, item: ItemRecord) -> Scalar | None:
        """The name of the item's stack; None if it is in none."""
        return self.names.get(item.id)

    def mask(self, searcher: Searcher, values: Sequence[TypedValue], check: Check) -> Mask:
        """See ``Grouping``."""
        del check
        mask = np.zeros(len(searcher.snapshot.ids) + len(searcher.overlay.records), np.bool_)
        for value in values:
            mask[self._positions(value)] = True
        return mask

    def counts(self, searcher: Searcher, values: Sequence[TypedValue], mask: Mask) -> dict[GroupKey, int]:
        """See ``Grouping``."""
        del searcher
        return {group_key(value): int(np.count_nonzero(mask[self._positions(value)])) for value in values}

    def heads(self, searcher: Searcher, mask: Mask, check: Check) -> Mask:
        """See ``Grouping``: of a stack of copies it is the one to keep, if that is among them."""
        del searcher
        check()
        heads = mask.copy()
        is_passing = mask[self.positions]
        positions, numbers = self.positions[is_passing], self.numbers[is_passing]
        is_first = np.ones(len(positions), np.bool_)
        is_first[1:] = numbers[1:] != numbers[:-1]
        heads[positions[~is_first]] = False
        return heads

    def _positions(self, name: TypedValue) -> Positions:
        return self.positions[self.places.get(name.text, slice(0, 0))]
