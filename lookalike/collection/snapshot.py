"""Reading a published snapshot: its files are checked against the manifest before they are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lookalike.collection.layout import IDS, INDEX, MANIFEST, VECTORS, CollectionLayout
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.errors import SnapshotDamagedError, SnapshotNotFoundError
from lookalike.index.vector_reader import VectorReader
from lookalike.sorted_ids import find_positions
from lookalike.storage import sample_file, sha256_file

LARGE = 64 << 20
"""Bytes; a file up to this size is read completely whenever its snapshot is opened."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published state of a collection.

    ``ids`` is (n,) int64, ascending; ``vectors`` is (n, D) float32; both are mapped from their files. Row i of one
    belongs to row i of the other and to position i of the index. ``vector_reader`` reads a few of the same vectors.
    """

    folder: Path
    manifest: Manifest
    ids: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]
    vector_reader: VectorReader

    @property
    def index_path(self) -> Path:
        """The index's file."""
        return self.folder / INDEX

    def positions(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The positions of these items' vectors, -1 for those that the snapshot does not have."""
        return find_positions(self.ids, ids)

    def position(self, item_id: int) -> int:
        """The position of an item's vector, -1 if the snapshot has no such item."""
        candidate = int(self.ids.searchsorted(item_id))
        return candidate if candidate < len(self.ids) and self.ids[candidate] == item_id else -1

    def vector(self, item_id: int) -> npt.NDArray[np.float32] | None:
        """An item's vector, (D,) float32; None if the snapshot has no such item."""
        position = self.position(item_id)
        return None if position < 0 else np.array(self.vector_reader.vectors[position])


def read_manifest(layout: CollectionLayout, generation: int) -> Manifest:
    """A snapshot's manifest; raises SnapshotNotFoundError or SnapshotDamagedError."""
    path = layout.snapshot(generation) / MANIFEST
    try:
        manifest = Manifest.from_json(path.read_text())
    except FileNotFoundError as error:
        raise SnapshotNotFoundError(
            f"the collection {layout.name!r} has no snapshot {generation}: run "
            f"`python -m indexer rollback --collection {layout.name}` to serve another one, or index it again",
            subject=str(generation),
        ) from error
    except (ValueError, OSError) as error:
        raise _damage_error(path, f"is not a manifest: {error}", layout.name) from error
    if manifest.generation != generation or manifest.collection != layout.name:
        raise _damage_error(path, f"describes snapshot {manifest.generation} of {manifest.collection!r}", layout.name)
    return manifest


def open_snapshot(layout: CollectionLayout, generation: int, *, whole: bool = True) -> Snapshot:
    """A snapshot whose files have been checked; raises SnapshotDamagedError, which names the file that has changed.

    Without ``whole`` a file above ``LARGE`` bytes is checked by its length and a sample: reading all of ten million
    vectors takes a minute, and services open snapshots often, while damage is rare.
    """
    manifest = read_manifest(layout, generation)
    folder = layout.snapshot(generation)
    check_files(folder, manifest, whole=whole)
    mode: Literal["r"] | None = "r" if manifest.count else None
    try:
        ids = np.load(folder / IDS, mmap_mode=mode, allow_pickle=False)
        # Plain arrays over the mapped files: numpy's own class for them costs microseconds at every access.
        vectors = np.asarray(np.load(folder / VECTORS, mmap_mode=mode, allow_pickle=False))
        vector_reader = VectorReader.open(vectors)
    except (OSError, ValueError) as error:
        raise _damage_error(folder, f"cannot be read: {error}", layout.name) from error
    if ids.shape != (manifest.count,) or vectors.shape != (manifest.count, manifest.dimension):
        raise _damage_error(folder, f"holds {ids.shape} ids and {vectors.shape} numbers", layout.name)
    return Snapshot(folder, manifest, np.asarray(ids), vectors, vector_reader)


def open_current_snapshot(layout: CollectionLayout, *, whole: bool = True) -> Snapshot:
    """The current snapshot; if it was replaced and pruned while it was being opened, the one that replaced it."""
    while True:
        generation = layout.current()
        try:
            return open_snapshot(layout, generation, whole=whole)
        except (SnapshotDamagedError, SnapshotNotFoundError):
            if layout.current() == generation:
                raise


def check_ids(snapshot: Snapshot, visible: Iterator[npt.NDArray[np.int64]]) -> None:
    """Compare a snapshot's ids with those that the catalogue has for it; raises SnapshotDamagedError."""
    rows = np.concatenate(list(visible))
    if not np.array_equal(rows, snapshot.ids):
        manifest = snapshot.manifest
        raise SnapshotDamagedError(
            f"snapshot {manifest.generation} of {manifest.collection!r} has {len(snapshot.ids)} items and the "
            f"catalogue has {len(rows)} for it: they do not belong together; index the collection again",
            subject=str(snapshot.folder),
        )


def check_files(folder: Path, manifest: Manifest, *, whole: bool = True) -> None:
    """Compare each file with its stamp, large ones by a sample if not ``whole``; raises SnapshotDamagedError."""
    for name, stamp in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise _damage_error(path, "is missing", manifest.collection)
        size = path.stat().st_size
        if size != stamp.bytes:
            raise _damage_error(path, f"has {size} bytes instead of {stamp.bytes}", manifest.collection)
        if whole or size <= LARGE or stamp.sampled is None:
            matches = sha256_file(path) == stamp.sha256
        else:
            matches = sample_file(path) == stamp.sampled
        if not matches:
            raise _damage_error(path, "does not match its checksum", manifest.collection)


def _damage_error(path: Path, problem: str, collection: str) -> SnapshotDamagedError:
    return SnapshotDamagedError(
        f"{path} {problem}: run `python -m indexer rollback --collection {collection}` to serve an older snapshot, "
        f"or index the collection again",
        subject=str(path),
    )
