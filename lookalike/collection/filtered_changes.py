"""One change of all items that pass a filter: which live changes it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.snapshot_filter import Check, ignore_check
from lookalike.collection.item_edit import ItemEdit, says_same
from lookalike.collection.searcher import Searcher
from lookalike.errors import FilterInvalidError
from lookalike.filters import Condition
from lookalike.index.base import Positions


@dataclass(frozen=True, slots=True)
class FilteredChanges:
    """The changes of some of the items that passed, each of the version that passed, and how many need none."""

    changes: list[LiveChange]
    unchanged: int


def find_passing(searcher: Searcher, condition: Condition, at_most: int, check: Check = ignore_check) -> Positions:
    """The ids of the items that pass, ascending; raises FilterInvalidError if they are more than ``at_most``."""
    ids = searcher.passing_ids(condition, check)
    if len(ids) > at_most:
        raise FilterInvalidError(
            f"at_most: {len(ids)} items pass the filter, and at most {at_most} may be changed: narrow the filter, or "
            f"say at_most={len(ids)}",
            subject="at_most",
        )
    return ids


def plan_changes(searcher: Searcher, ids: Sequence[int], edit: ItemEdit | None) -> FilteredChanges:
    """What makes ``edit`` of those of these items that are still there, or without one removes them."""
    items = searcher.live_items(ids)
    if edit is None:
        return FilteredChanges([LiveChange(item.key, expected_id=item.id) for item in items], 0)
    changes = []
    for item in items:
        draft = edit.apply(item.draft, item.draft)
        if edit.tags is not None or not says_same(draft, item.draft):
            changes.append(LiveChange(item.key, draft, searcher.vector(item.id), item.id, tags=edit.tags))
    return FilteredChanges(changes, len(items) - len(changes))
