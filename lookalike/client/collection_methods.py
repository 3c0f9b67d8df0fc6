"""The methods of the client about collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from lookalike.client import collection_calls
from lookalike.client.collection_answers import (
    CalibrationCurveAnswer,
    CollectionAnswer,
    CollectionDeletedAnswer,
    CollectionRow,
    MapAnswer,
    SnapshotsAnswer,
)
from lookalike.client.options import CollectionOptions
from lookalike.client.sender import Sender


class CollectionMethods(Sender):
    """What a collection is, and which of its snapshots is served."""

    def list_collections(self) -> list[CollectionRow]:
        """All collections, those that cannot serve at present too."""
        return list(self._send(collection_calls.list_collections()).collections)

    def get_collection(self, name: str) -> CollectionAnswer:
        """A collection: its snapshot, encoder, index, columns, recall and threshold."""
        return self._send(collection_calls.get_collection(name))

    def put_collection(self, name: str, **options: Unpack[CollectionOptions]) -> CollectionAnswer:
        """Make an empty collection; if there is one of this name that is the same, nothing changes."""
        return self._send(collection_calls.put_collection(name, options))

    def patch_collection(
        self,
        name: str,
        *,
        columns: Mapping[str, str | None] | None = None,
        keep: int | None = None,
        auto_tags: bool | None = None,
    ) -> CollectionAnswer:
        """Declare columns of the metadata (None takes one back), how many snapshots are kept, or if items get tags."""
        return self._send(
            collection_calls.patch_collection(name, {"columns": columns, "keep": keep, "auto_tags": auto_tags})
        )

    def delete_collection(self, name: str, *, confirm: str) -> CollectionDeletedAnswer:
        """Take a collection out of service; ``confirm`` is its name once more."""
        return self._send(collection_calls.delete_collection(name, confirm))

    def refresh_collection(self, name: str) -> CollectionAnswer:
        """Serve the newest snapshot at once."""
        return self._send(collection_calls.refresh_collection(name))

    def fold_collection(self, name: str) -> CollectionAnswer:
        """Publish a snapshot that has the changes made by now; while it takes longer, ``pending`` is not 0."""
        return self._send(collection_calls.fold_collection(name))

    def restore_collection(self, name: str) -> CollectionAnswer:
        """Bring the collection that was deleted last under this name back."""
        return self._send(collection_calls.restore_collection(name))

    def list_snapshots(self, name: str) -> SnapshotsAnswer:
        """The snapshots on the disk, newest first."""
        return self._send(collection_calls.list_snapshots(name))

    def pin_collection(self, name: str, snapshot: int) -> SnapshotsAnswer:
        """Go back to a snapshot and stay there, without changes, until ``unpin_collection``."""
        return self._send(collection_calls.pin_collection(name, snapshot))

    def unpin_collection(self, name: str) -> SnapshotsAnswer:
        """Serve the newest snapshot again, with all changes."""
        return self._send(collection_calls.unpin_collection(name))

    def get_calibration(self, name: str) -> CalibrationCurveAnswer:
        """The calibration in force, with its curve."""
        return self._send(collection_calls.get_calibration(name))

    def delete_calibration(self, name: str) -> CollectionAnswer:
        """Remove the collection's own calibration: that of its encoder holds again."""
        return self._send(collection_calls.delete_calibration(name))

    def get_map(
        self, name: str, *, field: str | None = None, groups: int | None = None, limit: int | None = None
    ) -> MapAnswer:
        """The collection's items in two dimensions, by the ``groups`` most frequent values of a ``field``."""
        return self._send(collection_calls.get_map(name, field, groups, limit))
