"""Writing a snapshot: vectors and index, measured, checksummed, and made whole by the manifest written last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import CollectionRecord, EncoderRequest
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.files import sha256_file, sync_file, sync_folder, write_atomically
from lookalike.collection.layout import IDS, INDEX, MANIFEST, VECTORS, CollectionLayout
from lookalike.collection.manifest import FileStamp, Manifest
from lookalike.collection.snapshot import Snapshot
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import SnapshotDamagedError
from lookalike.index.base import VectorIndex
from lookalike.index.evaluation import Recall, measure_recall
from lookalike.index.npy import write_npy

BLOCK = 8192  # vectors held in memory at once
RECALL_QUERIES = 256
RECALL_K = 10

Ids = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Writes one snapshot of one collection."""

    layout: CollectionLayout
    catalogue: Catalogue
    record: CollectionRecord
    request: EncoderRequest
    spec: EncoderSpec
    generation: int

    def write(self, older: Sequence[Snapshot], engine: str, new_index: Callable[[str, int], VectorIndex]) -> None:
        """Write the snapshot of this generation; ``older`` ones hold the vectors of the items that stayed."""
        folder = self.layout.snapshot(self.generation)
        folder.mkdir()
        pages = list(self.catalogue.visible_ids(self.record.id, self.generation))
        ids = np.concatenate(pages).astype(np.int64)
        write_npy(folder / IDS, ids.shape, np.int64, [ids])
        index = new_index(engine, self.spec.dimension)
        vectors = self._write_vectors(folder / VECTORS, ids, older, index)
        index.save(folder / INDEX)
        for name in (IDS, VECTORS, INDEX):
            sync_file(folder / name)
        manifest = Manifest(
            collection=self.layout.name,
            generation=self.generation,
            created_at=datetime.now(UTC),
            made_by=f"lookalike {version('lookalike')}",
            encoder=self.spec,
            encoder_request=asdict(self.request),
            engine=engine,
            plan=[f"{engine}: exact search over {len(ids)} vectors"],
            count=len(ids),
            dimension=self.spec.dimension,
            recall=self._recall(index, vectors),
            files={name: _stamp(folder / name) for name in (IDS, VECTORS, INDEX)},
        )
        sync_folder(folder)
        write_atomically(folder / MANIFEST, manifest.to_json().encode())
        sync_folder(self.layout.snapshots)

    def _write_vectors(self, path: Path, ids: Ids, older: Sequence[Snapshot], index: VectorIndex) -> Vectors:
        """Write the vectors one block after the other, add each to the index, and give them mapped from the file."""

        def blocks() -> Iterator[Vectors]:
            for start in range(0, len(ids), BLOCK):
                block = self._gather(ids[start : start + BLOCK], older)
                index.add(block)
                yield block

        write_npy(path, (len(ids), self.spec.dimension), np.float32, blocks())
        vectors: Vectors = np.load(path, mmap_mode="r" if len(ids) else None, allow_pickle=False)
        return vectors

    def _gather(self, ids: Ids, older: Sequence[Snapshot]) -> Vectors:
        """The vectors of these items, from the newest snapshot that has them or from the catalogue."""
        block = np.empty((len(ids), self.spec.dimension), dtype=np.float32)
        missing = np.ones(len(ids), dtype=bool)
        for snapshot in older:
            if snapshot.manifest.encoder.digest != self.spec.digest:
                continue
            positions = snapshot.positions(ids)
            here = missing & (positions >= 0)
            block[here] = snapshot.vectors[positions[here]]
            missing &= ~here
        rows = np.flatnonzero(missing)
        pending = self.catalogue.pending_vectors([int(ids[row]) for row in rows])
        for row in rows:
            if int(ids[row]) not in pending:
                raise SnapshotDamagedError(
                    f"the vector of item {ids[row]} of {self.layout.name!r} is in no snapshot: index it again",
                    subject=self.layout.name,
                )
            block[row] = pending[int(ids[row])]
        return block

    def _recall(self, index: VectorIndex, vectors: Vectors) -> Recall | None:
        """Measured on vectors of the collection itself, chosen by the generation so that it can be repeated."""
        if len(vectors) == 0:
            return None
        chosen = np.random.default_rng(self.generation).permutation(len(vectors))[:RECALL_QUERIES]
        return measure_recall(index, vectors, np.array(vectors[np.sort(chosen)]), RECALL_K)


def _stamp(path: Path) -> FileStamp:
    return FileStamp(sha256=sha256_file(path), bytes=path.stat().st_size)
