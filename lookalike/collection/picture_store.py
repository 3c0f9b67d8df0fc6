"""Pictures that were sent to a collection, kept in its folder by the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from lookalike.catalogue.records import ItemDraft
from lookalike.errors import CollectionNotFoundError, EntryMissingError, EntryUnreadableError, ImageTooLargeError
from lookalike.storage import disk_errors, sync_folder, write_atomically

_GRACE_SECONDS = 3600.0
STORED = "stored:"
"""What the location of a stored picture begins with; the digest of its content follows."""


def is_stored(location: str) -> bool:
    """Whether a location is that of a stored picture rather than of a file in a source."""
    return location.startswith(STORED)


class PictureStore:
    """The stored pictures of one collection, each once, as ``folder/ab/abcdef...``; safe from several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes, size_and_format: tuple[int, int, str]) -> ItemDraft:
        """Keep a picture of this width, height and format; what is known of it.

        Raises DiskFullError, DataPathError, and CollectionNotFoundError where the collection was deleted meanwhile.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path_of(STORED + digest)
        with disk_errors(path):
            if path.is_file():
                os.utime(path)  # it is about to be used, and not to be removed
            else:
                self._add(path, data)
        return ItemDraft(key, STORED + digest, digest, len(data), *size_and_format)

    def read(self, location: str, max_bytes: int) -> bytes:
        """A picture's bytes.

        Raises EntryMissingError, EntryUnreadableError, and ImageTooLargeError for one of more than ``max_bytes``.
        """
        path = self.path_of(location)
        try:
            size = path.stat().st_size
            if size > max_bytes:
                raise ImageTooLargeError(
                    f"{path} has {size} bytes, more than the {max_bytes} that are allowed: raise --max-megabytes",
                    subject=str(path),
                )
            return path.read_bytes()
        except FileNotFoundError as error:
            raise EntryMissingError(
                f"the stored picture {path} is gone: restore it from a backup, or send it again", subject=str(path)
            ) from error
        except OSError as error:
            raise EntryUnreadableError(
                f"{path} cannot be read ({error.strerror}): check its permissions", subject=str(path)
            ) from error

    def path_of(self, location: str) -> Path:
        """The file of a stored picture."""
        digest = location.removeprefix(STORED)
        return self._folder / digest[:2] / digest

    def remove_unused(self, used_digests: set[str]) -> int:
        """Remove pictures that no item has any more; returns their number.

        Not those of the last hour: their items may be about to be stored.
        """
        removed, latest = 0, time.time() - _GRACE_SECONDS
        for path in sorted(self._folder.glob("??/*")):
            if path.name not in used_digests and path.stat().st_mtime < latest:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _add(self, path: Path, data: bytes) -> None:
        collection = self._folder.parent
        try:
            self._folder.mkdir(exist_ok=True)  # never the collection's own, in whose place a deleted one is restored
            path.parent.mkdir(exist_ok=True)
            sync_folder(self._folder)
            self._write(path, data)
        except FileNotFoundError as error:
            if collection.exists():
                raise
            raise CollectionNotFoundError(
                f"the collection {collection.name!r} was deleted meanwhile: restore it, and send the picture again",
                subject=collection.name,
            ) from error

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        try:
            write_atomically(path, data)
        except FileNotFoundError:
            if not path.is_file():  # another thread has just written the same picture
                raise
