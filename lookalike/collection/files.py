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
SAMPLE = 1 << 16
SAMPLES = 62


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system refuses while files below ``path`` are written into DiskFullError and DataPathError."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads the output has gone; the disk is well
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFullError(
                f"no room is left on the disk of {path}: free some and run the command again; "
                "what was published is intact",
                subject=str(path),
            ) from error
        raise DataPathError(
            f"{path} cannot be written ({error.strerror or error}): choose another folder, or mend this one",
            subject=str(path),
        ) from error


def temporary_name(name: str, process: str) -> str:
    """What a file is called while a process writes it."""
    return f".{name}.{process}.tmp"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by a file with this content; a reader sees the old one or the new one."""
    temporary = path.with_name(temporary_name(path.name, str(os.getpid())))
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


def sample_file(path: Path) -> str:
    """SHA-256 of a file's first and last chunk and of ``SAMPLES`` in between at equal distances, in hex.

    It finds a file that was cut, swapped, or lost in large parts, at the same price whatever its length.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        last = max(0, os.fstat(file.fileno()).st_size - SAMPLE)
        for number in range(SAMPLES + 2):
            file.seek(last * number // (SAMPLES + 1))
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()


@contextmanager
def exclusive_lock(path: Path, *, subject: str) -> Iterator[None]:
    """Hold a lock file for the block; the system lets go of it when the process dies, however it dies.

    Raises CollectionBusyError at once if another process holds it, and DataPathError.
    """
    with disk_errors(path):
        file = path.open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CollectionBusyError(
                f"another indexer is working on the collection {subject!r}: wait for it to finish", subject=subject
            ) from error
        yield
