"""Folding the live changes of a collection into a snapshot, without its source."""

from __future__ import annotations

from indexer.console.reporter import Reporter
from indexer.console.staged_progress import StagedProgress
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.lifecycle import fold_changes
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.errors import CollectionBusyError, CollectionPinnedError
from lookalike.options import Places
from lookalike.wiring import INDEX_TYPES, open_catalogue


def fold_collection(places: Places, name: str, reporter: Reporter) -> Manifest:
    """Publish a collection with its live changes, and say how far it is; raises what ``fold_changes`` raises."""
    catalogue = open_catalogue(places, collection=name)
    try:
        with StagedProgress(reporter, f"{name}: publishing") as progress:
            layout = CollectionLayout.of(places.collections_dir, name)
            return fold_changes(layout, catalogue, INDEX_TYPES, progress.report)
    finally:
        catalogue.close()


def fold_pending(places: Places, name: str, reporter: Reporter) -> None:
    """Publish the changes that no snapshot has, if there are any, for a command that works on a snapshot.

    Where that cannot be done now a warning says that they are left out. Raises CollectionNotFoundError,
    CollectionNotReadyError, and the errors of publishing.
    """
    layout = CollectionLayout.of(places.collections_dir, name)
    catalogue = open_catalogue(places, collection=name)
    try:
        count = catalogue.live_changes(catalogue.collection(name).id).count_pending(layout.current())
    finally:
        catalogue.close()
    if not count:
        return
    try:
        fold_collection(places, name, reporter)
    except (CollectionBusyError, CollectionPinnedError) as error:
        reporter.say(f"warning: {name}: {count} changes since its snapshot are left out: {error.message}")
