"""The methods of the asynchronous client about collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from lookalike.client import collection_calls
from lookalike.client.async_sender import AsyncSender
from lookalike.client.collection_answers import (
    CalibrationCurveAnswer,
    CollectionAnswer,
    CollectionDeletedAnswer,
    CollectionRow,
    MapAnswer,
    SnapshotsAnswer,
)
from lookalike.client.options import CollectionOptions


class AsyncCollectionMethods(AsyncSender):
    """What a collection is, and which of its snapshots is served."""

    async def list_collections(self) -> list[CollectionRow]:
        """All collections, those that cannot serve at present too."""
        return list((await self._send(collection_calls.list_collections())).collections)

    async def get_collection(self, name: str) -> CollectionAnswer:
        """A collection: its snapshot, encoder, index, columns, recall and threshold."""
        return await self._send(collection_calls.get_collection(name))

    async def put_collection(self, name: str, **options: Unpack[CollectionOptions]) -> CollectionAnswer:
        """Make an empty collection; if there is one of this name that is the same, nothing changes."""
        return await self._send(collection_calls.put_collection(name, options))

    async def patch_collection(
        self,
        name: str,
        *,
        columns: Mapping[str, str | None] | None = None,
        keep: int | None = None,
        auto_tags: bool | None = None,
    ) -> CollectionAnswer:
        """Declare columns of the metadata (None takes one back), how many snapshots are kept, or if items get tags."""
        return await self._send(
            collection_calls.patch_collection(name, {"columns": columns, "keep": keep, "auto_tags": auto_tags})
        )

    async def delete_collection(self, name: str, *, confirm: str) -> CollectionDeletedAnswer:
        """Take a collection out of service; ``confirm`` is its name once more."""
        return await self._send(collection_calls.delete_collection(name, confirm))

    async def refresh_collection(self, name: str) -> CollectionAnswer:
        """Serve the newest snapshot at once."""
        return await self._send(collection_calls.refresh_collection(name))

    async def fold_collection(self, name: str) -> CollectionAnswer:
        """Publish a snapshot that has the changes made by now; while it takes longer, ``pending`` is not 0."""
        return await self._send(collection_calls.fold_collection(name))

    async def restore_collection(self, name: str) -> CollectionAnswer:
        """Bring the collection that was deleted last under this name back."""
        return await self._send(collection_calls.restore_collection(name))

    async def list_snapshots(self, name: str) -> SnapshotsAnswer:
        """The snapshots on the disk, newest first."""
        return await self._send(collection_calls.list_snapshots(name))

    async def pin_collection(self, name: str, snapshot: int) -> SnapshotsAnswer:
        """Go back to a snapshot and stay there, without changes, until ``unpin_collection``."""
        return await self._send(collection_calls.pin_collection(name, snapshot))

    async def unpin_collection(self, name: str) -> SnapshotsAnswer:
        """Serve the newest snapshot again, with all changes."""
        return await self._send(collection_calls.unpin_collection(name))

    async def get_calibration(self, name: str) -> CalibrationCurveAnswer:
        """The calibration in force, with its curve."""
        return await self._send(collection_calls.get_calibration(name))

    async def delete_calibration(self, name: str) -> CollectionAnswer:
        """Remove the collection's own calibration: that of its encoder holds again."""
        return await self._send(collection_calls.delete_calibration(name))

    async def get_map(
        self, name: str, *, field: str | None = None, groups: int | None = None, limit: int | None = None
    ) -> MapAnswer:
        """The collection's items in two dimensions, by the ``groups`` most frequent values of a ``field``."""
        return await self._send(collection_calls.get_map(name, field, groups, limit))
