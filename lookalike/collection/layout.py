"""Where a collection's files are, and which of its snapshots is the current one.

collections/NAME/
    lock                    held by the indexer that works on it
    current.json            {"generation": 12, "pinned": false}: replaced by rename, so that a reader sees one or the
                            other; pinned after a rollback to an older snapshot
    snapshots/00000012/     index, vectors.npy, ids.npy, and manifest.json written last
    reports/                one line a file: its verdict
    pictures/               those that were sent to it, by the SHA-256 of their content
    sources/                archives that were uploaded and indexed, by the SHA-256 of their content
    calibrations/           fitted thresholds: one file for each encoder of its vectors, by digest
    duplicates.json         the last search for duplicates: see ``lookalike.duplicates.stored_report``
    map.npz                 where the items are in two dimensions: see ``lookalike.map.stored_map``
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import (
    CollectionBusyError,
    CollectionNameError,
    CollectionNotReadyError,
    CollectionPinnedError,
    SnapshotDamagedError,
    SnapshotNotFoundError,
)
from lookalike.storage import LockedError, disk_errors, exclusive_lock, sync_folder, temporary_name, write_atomically

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
GENERATION = re.compile(r"[0-9]{8}")
CURRENT = "current.json"
MANIFEST = "manifest.json"
VECTORS = "vectors.npy"
IDS = "ids.npy"
INDEX = "index.bin"


def check_name(name: str) -> str:
    """The name; raises CollectionNameError unless it may name a folder, a URL's part and a database row alike."""
    if not NAME.fullmatch(name):
        raise CollectionNameError(
            f"{name!r} cannot name a collection: use 1 to 64 of a-z, 0-9, _ and -, with a letter or digit at both ends",
            subject=name,
        )
    return name


@dataclass(frozen=True, slots=True)
class CollectionLayout:
    """The folder of one collection."""

    root: Path
    name: str

    @classmethod
    def of(cls, collections: Path, name: str) -> CollectionLayout:
        """The layout of a named collection below the folder of all collections."""
        return cls(collections / check_name(name), name)

    @property
    def data(self) -> Path:
        """The data folder that the collection is in."""
        return self.root.parent.parent

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Hold the collection's lock for the block; it is released when the process dies, however it dies.

        Raises CollectionBusyError at once if another process holds it, and DataPathError.
        """
        path = self.root / "lock"
        with ExitStack() as stack:
            try:
                with disk_errors(path):
                    stack.enter_context(exclusive_lock(path))
            except LockedError as error:
                raise CollectionBusyError(
                    f"another indexer is working on the collection {self.name!r}: wait for it to finish",
                    subject=self.name,
                ) from error
            yield

    @property
    def reports(self) -> Path:
        """The folder of run reports."""
        return self.root / "reports"

    @property
    def pictures(self) -> Path:
        """The folder of pictures that were sent to the collection."""
        return self.root / "pictures"

    @property
    def uploaded_sources(self) -> Path:
        """The folder of archives that were uploaded to be the collection's source."""
        return self.root / "sources"

    @property
    def snapshots(self) -> Path:
        """The folder of snapshots."""
        return self.root / "snapshots"

    @property
    def stored_digests(self) -> Path:
        """The file with the digests of the encoders whose calibration must exist."""
        return self.root / "calibrations" / "kept.json"

    def calibration(self, encoder_digest: str) -> Path:
        """The file of the calibration for one encoder's scores."""
        return self.root / "calibrations" / f"{encoder_digest[:16]}.json"

    def calibration_report(self, encoder_digest: str) -> Path:
        """The folder with the curves and the page of a calibration."""
        return self.reports / f"calibration-{encoder_digest[:16]}"

    def create_folders(self) -> None:
        """Create the folders of the collection that do not exist yet."""
        self.snapshots.mkdir(parents=True, exist_ok=True)
        self.reports.mkdir(exist_ok=True)

    def snapshot(self, generation: int) -> Path:
        """The folder of one snapshot."""
        return self.snapshots / f"{generation:08d}"

    def complete_generations(self) -> list[int]:
        """Generations of the snapshots that have their manifest, ascending."""
        if not self.snapshots.is_dir():
            return []
        return sorted(int(folder.name) for folder in self._generations() if (folder / MANIFEST).exists())

    def current(self) -> int:
        """The current generation; raises CollectionNotReadyError, or SnapshotDamagedError if it cannot be read."""
        pointer = self.root / CURRENT
        try:
            return int(json.loads(pointer.read_text())["generation"])
        except FileNotFoundError as error:
            raise CollectionNotReadyError(
                f"the collection {self.name!r} has published nothing yet: "
                f"run `python -m indexer index SOURCE --collection {self.name}`",
                subject=self.name,
            ) from error
        except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
            raise SnapshotDamagedError(
                f"{pointer} is damaged: run `python -m indexer rollback --collection {self.name}` to choose a snapshot",
                subject=str(pointer),
            ) from error

    def current_or_none(self) -> int | None:
        """The current generation, or None before the first."""
        try:
            return self.current()
        except CollectionNotReadyError:
            return None

    def is_pinned(self) -> bool:
        """Whether somebody has gone back to the current snapshot: then live changes are neither made nor seen."""
        try:
            return bool(json.loads((self.root / CURRENT).read_text()).get("pinned", False))
        except (OSError, ValueError, AttributeError):  # ``current`` says what is wrong
            return False

    def require_unpinned(self) -> None:
        """Raise CollectionPinnedError for a collection that takes no live changes."""
        if self.is_pinned():
            raise CollectionPinnedError(
                f"the collection {self.name!r} was rolled back to snapshot {self.current()}, and takes no changes "
                f"until `python -m indexer unpin --collection {self.name}` or DELETE /collections/{self.name}/pin",
                subject=self.name,
            )

    def point_to(self, generation: int, *, pinned: bool = False) -> None:
        """Make a complete snapshot the current one."""
        if generation not in self.complete_generations():
            known_generations = ", ".join(map(str, self.complete_generations())) or "none"
            raise SnapshotNotFoundError(
                f"the collection {self.name!r} has no snapshot {generation}; there are: {known_generations}",
                subject=str(generation),
            )
        write_atomically(self.root / CURRENT, _pointer(generation, pinned=pinned))

    def clear_unfinished(self) -> None:
        """Remove what an interrupted publish left: snapshot folders without a manifest, a pointer not yet in place."""
        for pointer in self.root.glob(temporary_name(CURRENT, "*")):
            pointer.unlink()
        for folder in self._generations():
            if not (folder / MANIFEST).exists():
                shutil.rmtree(folder)

    def remove(self, generation: int) -> None:
        """Remove a snapshot: the manifest first, so that a partly removed one counts as unfinished."""
        folder = self.snapshot(generation)
        (folder / MANIFEST).unlink()
        sync_folder(folder)
        shutil.rmtree(folder)

    def _generations(self) -> list[Path]:
        """The snapshots' folders, complete or not; other files beside them are left alone."""
        return [path for path in self.snapshots.iterdir() if GENERATION.fullmatch(path.name) and path.is_dir()]


def _pointer(generation: int, *, pinned: bool) -> bytes:
    return (json.dumps({"generation": generation, "pinned": pinned}) + "\n").encode()
