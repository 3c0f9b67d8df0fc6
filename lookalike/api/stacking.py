"""What ``Collection`` does to show many items as few: stacks of copies, of bursts, or of one value of a field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import ignore_check
from lookalike.collection.grouping import FieldGrouping, Grouping, choose_heads, count_members
from lookalike.collection.refinement import FieldReader
from lookalike.collection.searcher import Searcher
from lookalike.filters import Where
from lookalike.filters.values import Scalar
from lookalike.index.base import Mask
from lookalike.item_export.selection import ItemSelection
from lookalike.short_repr import ShortRepr

_PAGE = 500


@dataclass(frozen=True, slots=True, repr=False)
class ItemStack(ShortRepr):
    """Items that are shown as one: ``item`` stands for ``count`` of them, itself among these.

    ``group`` is the value of the field, or the name of the stack; None for an item that is in none.
    """

    item: ItemRecord
    group: Scalar | None
    count: int


def field_grouping(searcher: Searcher, name: str) -> FieldGrouping:
    """The groups of a field by its name in a filter; raises FilterInvalidError."""
    return FieldGrouping(FieldReader.of(name, searcher.live_filter.fields, "group_by"))


def read_stacks(searcher: Searcher, grouping: Grouping, where: Where | None) -> Iterator[ItemStack]:
    """The groups of the items that pass, in the order in which the items came that stand for them."""
    mask = searcher.mask(None if where is None else searcher.condition(where))
    heads = ItemSelection.at(searcher, choose_heads(searcher, grouping, mask, ignore_check)).items()
    while items := list(islice(heads, _PAGE)):
        yield from _stacks(searcher, grouping, items, mask)


def _stacks(searcher: Searcher, grouping: Grouping, items: list[ItemRecord], mask: Mask) -> Iterator[ItemStack]:
    groups = [grouping.read(item) for item in items]
    counts = count_members(grouping, searcher, groups, mask)
    for item, group, count in zip(items, groups, counts, strict=True):
        yield ItemStack(item, group, count)
