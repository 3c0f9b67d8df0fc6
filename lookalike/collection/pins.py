"""The snapshots of a collection, and its pin: a snapshot that stays current until the pin is taken away.

While a collection is pinned it shows that snapshot alone and takes no live changes; what was changed before is not
lost, and the job that brings all collections up to date leaves it alone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.collection.snapshot import open_snapshot, read_manifest
from lookalike.errors import CollectionNotReadyError, SnapshotDamagedError, SnapshotNotFoundError
from lookalike.index.index_types import IndexTypes
from lookalike.index.recall import Recall
from lookalike.short_repr import ShortRepr
from lookalike.storage import disk_errors


@dataclass(frozen=True, slots=True, repr=False)
class SnapshotSummary(ShortRepr):
    """One snapshot on the disk; the fields of its manifest are None where a ``problem`` says why it cannot be read.

    ``bytes`` are those of its files.
    """

    generation: int
    is_current: bool
    created_at: datetime | None = None
    count: int | None = None
    bytes: int | None = None
    engine: str | None = None
    encoder: str | None = None
    recall: Recall | None = None
    problem: SnapshotDamagedError | None = None


def list_snapshots(layout: CollectionLayout) -> list[SnapshotSummary]:
    """The complete snapshots, newest first."""
    current = None
    with suppress(CollectionNotReadyError, SnapshotDamagedError):  # then none of them is
        current = layout.current()
    summaries = []
    for generation in reversed(layout.complete_generations()):
        with suppress(SnapshotNotFoundError):  # one that was pruned in this moment
            summaries.append(_summary(layout, generation, is_current=generation == current))
    return summaries


def roll_back(
    layout: CollectionLayout,
    catalogue: Catalogue,
    index_types: IndexTypes,
    generation: int | None = None,
    *,
    pins_newest: bool = False,
) -> int:
    """Make a snapshot current and pin the collection to it, after all its bytes and rows are checked; its generation.

    Without ``generation`` it is the one before the current. The newest one is only pinned with ``pins_newest``.
    Raises CollectionNotFoundError, CollectionBusyError, SnapshotNotFoundError, SnapshotDamagedError, the errors of
    loading an index, DiskFullError and DataPathError.
    """
    record = catalogue.collection(layout.name)
    with disk_errors(layout.root):
        layout.create_folders()
    with layout.hold_lock():
        target = _previous_generation(layout) if generation is None else generation
        newest = _newest_generation(layout, target)
        _check_snapshot(layout, catalogue, index_types, record.id, target)
        with disk_errors(layout.root):
            layout.point_to(target, pinned=pins_newest or target < newest)
    return target


def take_pin_away(layout: CollectionLayout, catalogue: Catalogue) -> int:
    """Take the pin away: the newest snapshot is current again; its generation.

    Raises CollectionNotFoundError, CollectionBusyError, SnapshotNotFoundError, DiskFullError and DataPathError.
    """
    catalogue.collection(layout.name)
    with layout.hold_lock():
        newest = _newest_generation(layout)
        with disk_errors(layout.root):
            layout.point_to(newest)
    return newest


def _summary(layout: CollectionLayout, generation: int, *, is_current: bool) -> SnapshotSummary:
    try:
        manifest = read_manifest(layout, generation)
    except SnapshotDamagedError as error:
        return SnapshotSummary(generation, is_current, problem=error)
    return SnapshotSummary(
        generation,
        is_current,
        manifest.created_at,
        manifest.count,
        sum(stamp.bytes for stamp in manifest.files.values()),
        manifest.engine,
        manifest.encoder.name,
        manifest.recall,
    )


def _check_snapshot(
    layout: CollectionLayout, catalogue: Catalogue, index_types: IndexTypes, collection_id: int, generation: int
) -> None:
    """Raise SnapshotDamagedError, or what loading the index raises, for a snapshot that could not be served."""
    snapshot = open_snapshot(layout, generation)
    manifest = snapshot.manifest
    index = index_types.load(manifest.engine, snapshot.index_path, snapshot.vectors, manifest.settings)
    Searcher.of(snapshot, index, catalogue, collection_id).check_rows()


def _newest_generation(layout: CollectionLayout, wanted: int | None = None) -> int:
    """The newest complete generation; raises SnapshotNotFoundError unless there is one, and the wanted one too."""
    complete = layout.complete_generations()
    if not complete or (wanted is not None and wanted not in complete):
        missing = "no snapshot" if wanted is None else f"no snapshot {wanted}"
        raise SnapshotNotFoundError(
            f"the collection {layout.name!r} has {missing}; there are: {', '.join(map(str, complete)) or 'none'}",
            subject=layout.name,
        )
    return complete[-1]


def _previous_generation(layout: CollectionLayout) -> int:
    complete = layout.complete_generations()
    try:
        current = layout.current()
    except SnapshotDamagedError:
        # The pointer is what is damaged: the newest complete snapshot is as good as it was.
        current = complete[-1] + 1 if complete else 0
    older = [generation for generation in complete if generation < current]
    if not older:
        raise SnapshotNotFoundError(
            f"the collection {layout.name!r} has no snapshot older than {current}; there are: "
            f"{', '.join(map(str, complete))}",
            subject=layout.name,
        )
    return older[-1]
