"""Uploads on the disk, filled piece by piece: they survive a restart, and are removed when they expire.

An upload is a file below DATA/uploads, and beside it a small one with what was said of it. How much has arrived is the
length of the file: nothing has to be kept in step with it. One request at a time writes it, of whichever process.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lookalike.options import MEBIBYTE
from lookalike.sources.base import printable
from lookalike.sources.manifest import MANIFEST_SUFFIXES
from lookalike.storage import NO_ROOM, LockedError, disk_errors, exclusive_lock, write_atomically
from service.errors import (
    BodyTooLargeError,
    FieldInvalidError,
    OverloadedError,
    StorageInsufficientError,
    UploadLockedError,
    UploadNotFoundError,
)

UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
SUFFIXES = (".zip", *MANIFEST_SUFFIXES)
EXPIRY_SECONDS = 24 * 3600.0
"""Seconds after its last piece for which an upload is kept."""
MAX_OPEN = 32
"""Uploads that may be under way at once."""
MAX_STORED = 1000
"""Uploads that may lie on the disk at once: each creation looks at all of them."""
RESERVED_BYTES = 256 * MEBIBYTE
"""Free disk that is left to the catalogue and to snapshots."""
_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class UploadInfo:
    """An upload: ``offset`` of its ``length`` bytes are there; times are in seconds since 1970."""

    id: str
    filename: str
    length: int
    offset: int
    created_at: float
    expires_at: float
    path: Path

    @property
    def is_complete(self) -> bool:
        """Whether all of it has arrived."""
        return self.offset == self.length


class UploadStore:
    """The uploads of one data folder; safe from several threads and processes."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self.max_bytes = max_bytes

    def create(self, length: int, filename: str | None) -> UploadInfo:
        """An empty upload of a known length.

        Raises BodyTooLargeError, FieldInvalidError for a file that is no source, OverloadedError for one upload too
        many, and StorageInsufficientError if the disk has no room for it and those that are under way.
        """
        if length > self.max_bytes:
            raise BodyTooLargeError(
                f"an upload may have {self.max_bytes} bytes, and this one has {length}: send it in several archives, "
                "or raise --max-upload-megabytes",
                subject="upload-length",
            )
        name = _shown_name(filename)
        suffix = _suffix_of(name)
        uploads = self.list()
        if sum(not upload.is_complete for upload in uploads) >= MAX_OPEN:
            raise OverloadedError(
                f"{MAX_OPEN} uploads are open: finish or DELETE one of them, or wait until one expires", retry_after=60
            )
        if len(uploads) >= MAX_STORED:
            raise OverloadedError(
                f"there are {MAX_STORED} uploads: index or DELETE some of them, or wait until they expire",
                retry_after=60,
            )
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            free_bytes = shutil.disk_usage(self._folder).free - RESERVED_BYTES
        if free_bytes < length + sum(upload.length - upload.offset for upload in uploads):
            raise no_room_error()
        upload_id = secrets.token_hex(16)
        fields = {"filename": name, "length": length, "suffix": suffix, "created_at": time.time()}
        try:
            (self._folder / f"{upload_id}{suffix}").touch(exist_ok=False)
            write_atomically(self._info_path(upload_id), json.dumps(fields).encode())
        except OSError as error:
            if error.errno in NO_ROOM:
                raise no_room_error() from error
            raise
        return self.get(upload_id)

    def get(self, upload_id: str) -> UploadInfo:
        """An upload as it is now; raises UploadNotFoundError."""
        upload = self._read(upload_id) if UPLOAD_ID.fullmatch(upload_id) else None
        if upload is None:
            raise UploadNotFoundError(
                "this upload does not exist, or has expired: begin it again with POST /uploads", subject="upload"
            )
        return upload

    @contextmanager
    def lock(self, upload_id: str) -> Iterator[UploadInfo]:
        """Be the only one that writes or removes an upload; raises UploadNotFoundError and UploadLockedError."""
        self.get(upload_id)
        try:
            with exclusive_lock(self._folder / f"{upload_id}.lock"):
                yield self.get(upload_id)
        except LockedError as error:
            raise UploadLockedError(
                "another request is sending to this upload: wait for it to end, then ask with HEAD how far it came",
                subject="upload",
            ) from error

    def remove(self, upload_id: str) -> None:
        """Remove an upload; raises UploadNotFoundError, and UploadLockedError while it is being written."""
        with self.lock(upload_id) as upload:
            self._info_path(upload_id).unlink(missing_ok=True)
            upload.path.unlink(missing_ok=True)
        (self._folder / f"{upload_id}.lock").unlink(missing_ok=True)

    def list(self) -> list[UploadInfo]:
        """All uploads, the oldest first."""
        ids = [path.stem for path in self._folder.glob("*.json") if UPLOAD_ID.fullmatch(path.stem)]
        uploads = [upload for upload_id in ids if (upload := self._read(upload_id)) is not None]
        return sorted(uploads, key=lambda upload: upload.created_at)

    def remove_expired(self, used_ids: Collection[str]) -> int:
        """Remove what has expired, apart from what jobs still need, and what is left of it; the number of uploads."""
        now, count = time.time(), 0
        for upload in self.list():
            if upload.expires_at < now and upload.id not in used_ids:
                with suppress(UploadNotFoundError, UploadLockedError):
                    self.remove(upload.id)
                    count += 1
        for path in self._folder.glob("*"):
            is_part_of_one = self._info_path(path.stem).exists()
            with suppress(FileNotFoundError):
                if not is_part_of_one and path.stat().st_mtime + EXPIRY_SECONDS < now:
                    path.unlink()
        return count

    def _read(self, upload_id: str) -> UploadInfo | None:
        try:
            fields = json.loads(self._info_path(upload_id).read_bytes())
            path = self._folder / f"{upload_id}{fields['suffix']}"
            status = path.stat()
        except (FileNotFoundError, ValueError, KeyError):
            return None
        expires_at = max(fields["created_at"], status.st_mtime) + EXPIRY_SECONDS
        return UploadInfo(
            upload_id, fields["filename"], fields["length"], status.st_size, fields["created_at"], expires_at, path
        )

    def _info_path(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}.json"


class UploadFile:
    """The end of an upload, to which pieces are written; the caller has its lock. Methods may take a while."""

    def __init__(self, upload: UploadInfo) -> None:
        # Unbuffered: a buffer keeps what the disk had no room for, and writes it again when it is closed.
        self._file = upload.path.open("ab", buffering=0)

    def write(self, pieces: list[bytes]) -> None:
        """Append; raises StorageInsufficientError, and then the file has as much as there was room for."""
        remaining = memoryview(b"".join(pieces))
        try:
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        except OSError as error:
            raise _to_storage_error(error) from error

    def close(self) -> None:
        """Bring what was written to the disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _to_storage_error(error) from error
        finally:
            self._file.close()


def no_room_error() -> StorageInsufficientError:
    """The error for an upload that the disk has no room for."""
    return StorageInsufficientError("the disk of this service has no room for the upload; try again later")


def _to_storage_error(error: OSError) -> Exception:
    return no_room_error() if error.errno in NO_ROOM else error


def _shown_name(filename: str | None) -> str:
    """The last part of what a client calls its file, without what cannot be shown."""
    name = printable(PurePosixPath((filename or "").replace("\\", "/")).name)
    return name[-_MAX_NAME:] or "upload.zip"


def _suffix_of(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise FieldInvalidError(
            f"{name[:80]!r} is no file that can be indexed: send one of {', '.join(SUFFIXES)}", subject="filename"
        )
    return suffix
