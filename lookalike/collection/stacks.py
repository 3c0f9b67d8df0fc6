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
    """The stacks of one state of a collection: the ids of the items of each by its name, the one to show first.

    An item of no stack is one of its own. ``version`` differs where the stacks do.
    """

    members: Mapping[str, Sequence[int]]
    names: Mapping[int, str]
    version: str

    @classmethod
    def of(cls, members: Mapping[str, Sequence[int]], version: str) -> Stacks:
        """The stacks with these items."""
        return cls(members, {item_id: name for name, ids in members.items() for item_id in ids}, version)

    def read(self, item: ItemRecord) -> Scalar | None:
        """The name of the item's stack; None if it is in none."""
        return self.names.get(item.id)

    def mask(self, searcher: Searcher, values: Sequence[TypedValue], check: Check) -> Mask:
        """See ``Grouping``."""
        del check
        mask = np.zeros(len(searcher.mask(None)), np.bool_)
        for value in values:
            mask[self._positions(searcher, value.text)] = True
        return mask

    def counts(self, searcher: Searcher, values: Sequence[TypedValue], mask: Mask) -> dict[GroupKey, int]:
        """See ``Grouping``."""
        return {
            group_key(value): int(np.count_nonzero(mask[self._positions(searcher, value.text)])) for value in values
        }

    def heads(self, searcher: Searcher, mask: Mask, check: Check) -> Mask:
        """See ``Grouping``: of a stack of copies it is the one to keep, if that is among them."""
        check()
        heads = mask.copy()
        for name in self.members:
            positions = self._positions(searcher, name)
            passing = positions[mask[positions]]
            heads[passing[1:]] = False
        return heads

    def _positions(self, searcher: Searcher, name: str) -> Positions:
        positions = np.array([searcher.position(item_id) for item_id in self.members.get(name, ())], np.int64)
        return positions[positions >= 0]
