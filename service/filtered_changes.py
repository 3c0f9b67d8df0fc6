"""One change of all items that pass a filter, made in batches of one transaction each: others change items between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from lookalike.api import Collection
from lookalike.catalogue.live_changes import ChangeStatus
from lookalike.catalogue.snapshot_filter import Check
from lookalike.collection.filtered_changes import find_passing, plan_changes
from lookalike.collection.item_edit import ItemEdit
from lookalike.index.base import Positions
from service.cancellation import search_with_check
from service.search_options import FilterText
from service.services import Services

CHANGES_AT_ONCE = 256
"""How many items are changed in one transaction: the changes of others wait for its end."""
CHANGES_PER_REQUEST = 10_000
"""How many items one request changes: until they are folded into a snapshot, they are searched one by one."""
_TIME_SHARE = 0.5
"""The part of a request's time after which no further batch is begun."""
_DONE = frozenset({ChangeStatus.REPLACED, ChangeStatus.REMOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilteredChange:
    """What is to become of the items that pass ``filter``: ``edit``, or without one they are removed.

    If more than ``at_most`` pass, nothing is done.
    """

    filter: FilterText
    edit: ItemEdit | None
    at_most: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class FilteredOutcome:
    """How many items passed, and of them were changed, or were already as they were to be."""

    passing: int
    changed: int = 0
    unchanged: int = 0

    @property
    def remaining(self) -> int:
        """Those that were not reached, or that others changed meanwhile."""
        return self.passing - self.changed - self.unchanged


async def change_passing_items(services: Services, name: str, change: FilteredChange) -> FilteredOutcome:
    """Change the items of a collection that pass now; each only if it is the version that passed.

    Raises FilterInvalidError, CollectionPinnedError, and the errors of ``Snapshots.lease`` and of the catalogue.
    """
    batches_end = asyncio.get_running_loop().time() + _TIME_SHARE * services.settings.request_timeout
    await services.snapshots.take_changes(name)
    async with services.snapshots.lease(name) as snapshot:
        await services.search_in_thread(snapshot.collection.layout.require_unpinned)
        searcher = snapshot.searcher

        def find(check: Check) -> Positions:
            return find_passing(searcher, change.filter.condition(searcher), change.at_most, check)

        ids: list[int] = (await search_with_check(services, find)).tolist()
    outcome = FilteredOutcome(len(ids))
    if change.dry_run:
        return outcome
    for start in range(0, len(ids), CHANGES_AT_ONCE):
        # Items that need no change are not counted: where they come first, another request gets past them too.
        if outcome.changed >= CHANGES_PER_REQUEST or (start and asyncio.get_running_loop().time() >= batches_end):
            break
        changed, unchanged = await _change_batch(services, name, ids[start : start + CHANGES_AT_ONCE], change.edit)
        outcome = FilteredOutcome(outcome.passing, outcome.changed + changed, outcome.unchanged + unchanged)
    return outcome


async def _change_batch(services: Services, name: str, ids: Sequence[int], edit: ItemEdit | None) -> tuple[int, int]:
    """How many were changed, and how many were already so; the newest snapshot is leased, as ids stay the same."""
    async with services.snapshots.lease(name) as snapshot:
        await services.search_in_thread(snapshot.collection.layout.require_unpinned)
        counts = await services.search_in_thread(_apply, snapshot.collection, ids, edit)
        await services.snapshots.take_changes(name)
        return counts


def _apply(collection: Collection, ids: Sequence[int], edit: ItemEdit | None) -> tuple[int, int]:
    plan = plan_changes(collection.searcher, ids, edit)
    outcomes = collection.change_items(plan.changes)
    problem = next((outcome.problem for outcome in outcomes if outcome.problem is not None), None)
    if problem is not None:  # all items get the same values, so none of them was changed
        raise problem
    return sum(outcome.status in _DONE for outcome in outcomes), plan.unchanged
