"""The requests of the API about collections; see ``calls``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lookalike.client.call import Call, json_text, path_of, read_as, texts
from lookalike.client.collection_answers import (
    CalibrationCurveAnswer,
    CollectionAnswer,
    CollectionDeletedAnswer,
    CollectionsAnswer,
    MapAnswer,
    SnapshotsAnswer,
)
from lookalike.client.options import CollectionOptions


def list_collections() -> Call[CollectionsAnswer]:
    """All collections."""
    return Call(method="GET", path="/collections", read=read_as(CollectionsAnswer))


def get_collection(name: str) -> Call[CollectionAnswer]:
    """One collection."""
    return Call(method="GET", path=path_of("collections", name), read=read_as(CollectionAnswer))


def put_collection(name: str, options: CollectionOptions) -> Call[CollectionAnswer]:
    """An empty collection."""
    return _settings("PUT", name, options)


def patch_collection(name: str, settings: Mapping[str, Any]) -> Call[CollectionAnswer]:
    """Other settings."""
    return _settings("PATCH", name, settings)


def delete_collection(name: str, confirm: str) -> Call[CollectionDeletedAnswer]:
    """A collection out of service."""
    return Call(
        method="DELETE",
        path=path_of("collections", name),
        read=read_as(CollectionDeletedAnswer),
        parameters={"confirm": confirm},
        is_write=True,
        is_repeatable=False,
    )


def refresh_collection(name: str) -> Call[CollectionAnswer]:
    """The newest snapshot."""
    path = path_of("collections", name, "refresh")
    return Call(method="POST", path=path, read=read_as(CollectionAnswer), is_write=True)


def fold_collection(name: str) -> Call[CollectionAnswer]:
    """A snapshot with the changes."""
    path = path_of("collections", name, "fold")
    return Call(method="POST", path=path, read=read_as(CollectionAnswer), is_write=True)


def restore_collection(name: str) -> Call[CollectionAnswer]:
    """A collection back in service."""
    path = path_of("collections", name, "restore")
    return Call(method="POST", path=path, read=read_as(CollectionAnswer), is_write=True, is_repeatable=False)


def list_snapshots(name: str) -> Call[SnapshotsAnswer]:
    """The snapshots on the disk."""
    return Call(method="GET", path=path_of("collections", name, "snapshots"), read=read_as(SnapshotsAnswer))


def pin_collection(name: str, snapshot: int) -> Call[SnapshotsAnswer]:
    """An older snapshot, which stays."""
    path, fields = path_of("collections", name, "pin"), texts(snapshot=snapshot)
    return Call(method="PUT", path=path, read=read_as(SnapshotsAnswer), fields=fields, is_write=True)


def unpin_collection(name: str) -> Call[SnapshotsAnswer]:
    """The newest snapshot again."""
    path = path_of("collections", name, "pin")
    return Call(method="DELETE", path=path, read=read_as(SnapshotsAnswer), is_write=True)


def get_calibration(name: str) -> Call[CalibrationCurveAnswer]:
    """What scores mean."""
    path = path_of("collections", name, "calibration")
    return Call(method="GET", path=path, read=read_as(CalibrationCurveAnswer))


def delete_calibration(name: str) -> Call[CollectionAnswer]:
    """That of the encoder again."""
    path = path_of("collections", name, "calibration")
    return Call(method="DELETE", path=path, read=read_as(CollectionAnswer), is_write=True, is_repeatable=False)


def get_map(name: str, field: str | None, groups: int | None, limit: int | None) -> Call[MapAnswer]:
    """Where its items are in two dimensions."""
    parameters = texts(field=field, groups=groups, limit=limit)
    return Call(method="GET", path=path_of("collections", name, "map"), read=read_as(MapAnswer), parameters=parameters)


def _settings(method: str, name: str, settings: Mapping[str, Any]) -> Call[CollectionAnswer]:
    values = {**settings, "columns": json_text(settings.get("columns"))}
    return Call(
        method=method,
        path=path_of("collections", name),
        read=read_as(CollectionAnswer),
        fields=texts(**values),
        is_write=True,
    )
