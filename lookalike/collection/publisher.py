"""Writing a snapshot: vectors and index, measured and checksummed; the manifest, written last, completes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import CollectionRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.layout import IDS, INDEX, MANIFEST, VECTORS, CollectionLayout
from lookalike.collection.snapshot import Snapshot
from lookalike.collection.snapshot_manifest import FileStamp, Manifest
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import SnapshotDamagedError
from lookalike.index.base import ProgressCallback, Vectors
from lookalike.index.build import build_measured_index
from lookalike.index.index_types import IndexTypes
from lookalike.index.planner import IndexRequirements
from lookalike.index.vector_check import check_vectors
from lookalike.options import EncoderRequest
from lookalike.storage import sample_file, sha256_file, sync_file, sync_folder, write_atomically, write_npy

BLOCK = 1024  # vectors held in memory at once, some of them three times: as rows, as an array and as bytes

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Writes one snapshot of one collection."""

    layout: CollectionLayout
    catalogue: Catalogue
    record: CollectionRecord
    request: EncoderRequest
    spec: EncoderSpec
    generation: int

    def write(
        self,
        older_snapshots: Sequence[Snapshot],
        requirements: IndexRequirements,
        types: IndexTypes,
        report_progress: ProgressCallback,
    ) -> None:
        """Write the snapshot of this generation; ``older_snapshots`` hold the vectors of the items that stayed.

        Raises RecallTooLowError if no index that the requirements allow reaches the target.
        """
        folder = self.layout.snapshot(self.generation)
        folder.mkdir()
        self.catalogue.live_changes(self.record.id).seal(self.generation)
        pages = list(self.catalogue.visible_ids(self.record.id, self.generation))
        ids = np.concatenate(pages).astype(np.int64)
        write_npy(folder / IDS, ids.shape, np.int64, [ids])
        vectors = self._write_vectors(folder / VECTORS, ids, older_snapshots, report_progress)
        # The generation draws the queries that the index is measured with, so that it can be repeated.
        measured_index = build_measured_index(
            vectors, requirements, types, seed=self.generation, report_progress=report_progress
        )
        measured_index.index.save(folder / INDEX)
        for name in (IDS, VECTORS, INDEX):
            sync_file(folder / name)
        manifest = Manifest(
            collection=self.layout.name,
            generation=self.generation,
            created_at=datetime.now(UTC),
            made_by=f"lookalike {version('lookalike')}",
            encoder=self.spec,
            encoder_request=self.request,
            engine=measured_index.engine,
            plan=list(measured_index.reasons),
            count=len(ids),
            dimension=self.spec.dimension,
            recall=measured_index.recall,
            files={name: _stamp(folder / name) for name in (IDS, VECTORS, INDEX)},
            settings=measured_index.settings,
            planned=measured_index.planned,
            target_recall=requirements.target_recall,
        )
        sync_folder(folder)
        write_atomically(folder / MANIFEST, manifest.to_json().encode())
        sync_folder(self.layout.snapshots)

    def _write_vectors(
        self, path: Path, ids: Ids, older_snapshots: Sequence[Snapshot], report_progress: ProgressCallback
    ) -> Vectors:
        """Write the vectors block by block, and return them mapped from the file."""

        def blocks() -> Iterator[Vectors]:
            for start in range(0, len(ids), BLOCK):
                yield check_vectors(self._gather(ids[start : start + BLOCK], older_snapshots), self.spec.dimension)
                report_progress("writing vectors", min(start + BLOCK, len(ids)), len(ids))

        write_npy(path, (len(ids), self.spec.dimension), np.float32, blocks())
        return np.asarray(np.load(path, mmap_mode="r" if len(ids) else None, allow_pickle=False))

    def _gather(self, ids: Ids, older_snapshots: Sequence[Snapshot]) -> Vectors:
        """The vectors of these items, from the newest snapshot that has them or from the catalogue."""
        block = np.empty((len(ids), self.spec.dimension), dtype=np.float32)
        is_missing = np.ones(len(ids), dtype=bool)
        for snapshot in older_snapshots:
            if snapshot.manifest.encoder.digest != self.spec.digest:
                continue
            positions = snapshot.positions(ids)
            in_snapshot = is_missing & (positions >= 0)
            block[in_snapshot] = snapshot.vectors[positions[in_snapshot]]
            is_missing &= ~in_snapshot
        rows = np.flatnonzero(is_missing)
        pending_vectors = self.catalogue.pending_vectors([int(ids[row]) for row in rows])
        for row in rows:
            if int(ids[row]) not in pending_vectors:
                raise SnapshotDamagedError(
                    f"the vector of item {ids[row]} of {self.layout.name!r} is in no snapshot: index it again",
                    subject=self.layout.name,
                )
            block[row] = pending_vectors[int(ids[row])]
        return block


def _stamp(path: Path) -> FileStamp:
    return FileStamp(sha256=sha256_file(path), bytes=path.stat().st_size, sampled=sample_file(path))
