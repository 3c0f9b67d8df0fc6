"""The cluster of each item as a column of its metadata, by live changes: filters find it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lookalike.catalogue.live_changes import ChangeOutcome, ChangeStatus, LiveChange
from lookalike.collection.filtered_changes import plan_changes
from lookalike.collection.item_edit import ItemEdit
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.errors import ColumnConflictError
from lookalike.filters.builder import refuse
from lookalike.filters.fields import check_column_name
from lookalike.index.base import ProgressCallback, ignore_progress
from lookalike.index.progress import count_steps
from lookalike.insights.clusters import Clustering, ItemCluster

CHANGES_AT_ONCE = 256
"""How many items are changed in one transaction: the changes of others wait for its end."""


class WriteAs(StrEnum):
    """What is written of a cluster."""

    NAME = "name"
    NUMBER = "number"


class ChangeableCollection(Protocol):
    """What is used of ``lookalike.api.Collection``."""

    searcher: Searcher

    @property
    def layout(self) -> CollectionLayout: ...

    def change_items(self, changes: Sequence[LiveChange]) -> list[ChangeOutcome]: ...


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """The ``column`` that is written, with names or numbers; ``replace`` agrees to the loss of what it has."""

    column: str
    write_as: WriteAs = WriteAs.NAME
    replace: bool = False


@dataclass(frozen=True, slots=True)
class WrittenColumn:
    """How many items were changed, had the value already, and were left as they are since others changed them."""

    changed: int
    unchanged: int
    missed: int


def check_column(collection: ChangeableCollection, options: ColumnOptions) -> None:
    """Raise what can be said before there are clusters.

    That is CollectionPinnedError, FilterInvalidError for a name that no column can have, and ColumnConflictError for a
    column with values unless ``replace`` is set.
    """
    collection.layout.require_unpinned()
    try:
        check_column_name(options.column)
    except ValueError as error:
        refuse("write", str(error))
    count = next((entry.count for entry in collection.searcher.columns() if entry.name == options.column), 0)
    if count and not options.replace:
        raise ColumnConflictError(
            f"write: {count} item{'s have' if count > 1 else ' has'} a value in the column {options.column!r} already: "
            "name another column, or agree to the loss of these values with --replace",
            subject=options.column,
        )


def write_column(
    collection: ChangeableCollection,
    clustering: Clustering,
    options: ColumnOptions,
    progress: ProgressCallback = ignore_progress,
) -> WrittenColumn:
    """Write the cluster of each item into its metadata; items of no cluster keep what they have.

    Some hundred items a transaction. Raises what ``check_column`` raises, and MetadataInvalidError if the column is
    declared with another type.
    """
    check_column(collection, options)
    advance = count_steps(progress, "written", clustering.count)
    changed = unchanged = 0
    for cluster in clustering.clusters:
        edit = ItemEdit(metadata={options.column: _value(cluster, options.write_as)}, is_patch=True)
        for start in range(0, cluster.size, CHANGES_AT_ONCE):
            ids = cluster.ids[start : start + CHANGES_AT_ONCE].tolist()
            plan = plan_changes(clustering.searcher, ids, edit)
            outcomes = collection.change_items(plan.changes)
            for outcome in outcomes:
                if outcome.problem is not None:
                    raise outcome.problem
            changed += sum(outcome.status is ChangeStatus.REPLACED for outcome in outcomes)
            unchanged += plan.unchanged
            advance(len(ids))
    return WrittenColumn(changed, unchanged, clustering.count - changed - unchanged)


def _value(cluster: ItemCluster, write_as: WriteAs) -> str | int:
    return cluster.name if write_as is WriteAs.NAME else cluster.number
