"""Writing files so that a crash leaves the old or the new one: write, fsync, rename, fsync the folder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lookalike.errors import CollectionBusyError, DataPathError, DiskFullError

CHUNK = 1 << 20


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn "no space left" and "not allowed" while writing below ``path`` into DiskFullError and DataPathError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFullError(
                f"no room is left on the disk of {path}: free some and run the command again; "
                "what was published is intact",
                subject=str(path),
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise DataPathError(
                f"{path} cannot be written: {error.strerror}. Choose another folder or mend its permissions",
                subject=str(path),
            ) from error
        raise


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by a file with this content; a reader sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Bring a written file to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Bring a folder's entries (creations, renames) to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def exclusive_lock(path: Path, *, subject: str) -> Iterator[None]:
    """Hold a lock file for the block; the system lets go of it when the process dies, however it dies.

    Raises CollectionBusyError at once if another process holds it.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CollectionBusyError(
                f"another indexer is working on the collection {subject!r}: wait for it to finish", subject=subject
            ) from error
        yield
