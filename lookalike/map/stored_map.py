"""The map of a collection as a file in its folder: a row for each item, replaced as a whole by the next map."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from lookalike.collection.layout import CollectionLayout
from lookalike.errors import MapNotMadeError, MapUnusableError
from lookalike.storage import disk_errors, write_atomically

FILE = "map.npz"
_VERSION = 1
_DIGITS = 16
"""Hexadecimal digits of a SHA-256 that stand for a content: 64 bits, so that none of a million are mistaken."""

Contents = npt.NDArray[np.uint64]


class MapHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a map was made of: the snapshot ``generation`` of a collection, with its live changes up to ``change``.

    ``encoder`` is the digest of the spec of its vectors, ``fitted`` to how many of them t-SNE was fitted.
    """

    generation: int
    change: int
    encoder: str
    fitted: int
    seed: int
    created_at: datetime
    version: int = _VERSION


@dataclass(frozen=True, slots=True, eq=False)
class StoredMap:
    """A map: ``ids`` (n,) int64 of its items, ascending, ``contents`` (n,) uint64 and ``places`` (n, 2) float32.

    An item whose metadata are changed gets another id, but its content stays: see ``content_mark``.
    """

    head: MapHead
    ids: npt.NDArray[np.int64]
    contents: Contents
    places: npt.NDArray[np.float32]


def content_mark(content_digest: str) -> int:
    """The number that stands for a content: the first 64 bits of its SHA-256 in hex."""
    return int(content_digest[:_DIGITS], 16)


def make_head(*, generation: int, change: int, encoder: str, fitted: int, seed: int) -> MapHead:
    """The head of a map that is made now."""
    return MapHead(
        generation=generation, change=change, encoder=encoder, fitted=fitted, seed=seed, created_at=datetime.now(UTC)
    )


def store_map(folder: Path, stored: StoredMap) -> None:
    """Write a map into a collection's ``folder``, in place of the one before; raises DataPathError, DiskFullError."""
    buffer = io.BytesIO()
    head = np.frombuffer(msgspec.json.encode(stored.head), np.uint8)
    np.savez(buffer, head=head, ids=stored.ids, contents=stored.contents, places=stored.places)
    path = folder / FILE
    with disk_errors(path):
        write_atomically(path, buffer.getvalue())


def load_map(layout: CollectionLayout) -> StoredMap:
    """The map of a collection; raises MapNotMadeError, or MapUnusableError for one that cannot be read."""
    path = layout.root / FILE
    try:
        # numpy leaves a file open that it cannot read.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            stored = StoredMap(
                msgspec.json.decode(arrays["head"].tobytes(), type=MapHead),
                arrays["ids"],
                arrays["contents"],
                arrays["places"],
            )
    except FileNotFoundError as error:
        raise MapNotMadeError(
            f"the collection {layout.name!r} has no map yet: run `{map_command(layout.name)}`, or begin a job of the "
            "kind map",
            subject=layout.name,
        ) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise unusable_map(layout.name, "cannot be read") from error
    if stored.head.version != _VERSION or not _is_consistent(stored):
        raise unusable_map(layout.name, "was written by another version of lookalike")
    return stored


def unusable_map(collection: str, problem: str) -> MapUnusableError:
    """The error for a map that has to be made again."""
    return MapUnusableError(
        f"the map of {collection!r} {problem}: make it again with `{map_command(collection)}`, or with a job of the "
        "kind map",
        subject=collection,
    )


def map_command(collection: str) -> str:
    """The command that makes a collection's map."""
    return f"python -m indexer map --collection {collection}"


def _is_consistent(stored: StoredMap) -> bool:
    count = len(stored.ids)
    return (
        stored.ids.dtype == np.dtype(np.int64)
        and stored.contents.dtype == np.dtype(np.uint64)
        and stored.places.dtype == np.dtype(np.float32)
        and stored.contents.shape == (count,)
        and stored.places.shape == (count, 2)
        and bool(np.isfinite(stored.places).all())
    )
