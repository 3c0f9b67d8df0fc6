"""Durable files: a crash leaves the old or the new one; SHA-256 of files, and locks between processes."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.errors import DataPathError, DiskFullError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""System errors that say that a file cannot grow: the disk is full, a quota is used up, or a file is too long."""

SAMPLE = 1 << 16
SAMPLES = 62


class LockedError(Exception):
    """Another process or thread holds a lock file."""


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system refuses while files below ``path`` are written into DiskFullError and DataPathError."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads the output has gone; the disk is well
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFullError(
                f"no room is left on the disk of {path}: free some and run the command again; "
                "what was published is intact",
                subject=str(path),
            ) from error
        raise DataPathError(
            f"{path} cannot be written ({error.strerror or error}): choose another folder, or mend this one",
            subject=str(path),
        ) from error


def disk_full_error(error: Exception) -> OSError | None:
    """The system's own error if it is one of ``NO_ROOM``; other libraries have it in their message only."""
    for code in NO_ROOM:
        message = os.strerror(code)
        if error.errno == code if isinstance(error, OSError) else message in str(error):
            return OSError(code, message)
    return None


def temporary_name(name: str, process: str) -> str:
    """What a file is called while a process writes it."""
    return f".{name}.{process}.tmp"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by a file with this content; a reader sees the old one or the new one. Raises OSError."""
    temporary = path.with_name(temporary_name(path.name, str(os.getpid())))
    try:
        write_synced(temporary, data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and bring it to the disk; raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_npy(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[npt.NDArray[np.generic]]
) -> None:
    """Write rows that come in blocks as one .npy array of ``shape`` and ``dtype``; raises OSError.

    ``numpy.save`` hides the reason of a failed write behind "n requested and m written", and a writable memory map ends
    the process when the disk is full.
    """
    kind = np.dtype(dtype)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype=kind).tobytes())


@contextmanager
def staged_folder(final: Path) -> Iterator[Path]:
    """A new folder beside ``final`` to be filled and renamed to it; removed after the block if it was not renamed.

    Its name is that of ``final`` behind a dot, a hyphen, and 32 hexadecimal digits. Raises OSError.
    """
    stage = final.with_name(f".{final.name}-{uuid.uuid4().hex}")
    try:
        stage.mkdir(parents=True)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


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
    """SHA-256 of a file's content, in hex; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
def exclusive_lock(path: Path, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file for the block; the system releases it when the process dies, however it dies.

    Makes the folder of the file if there is none. Raises LockedError if another process or thread still holds it after
    ``timeout_s``, and OSError where the file cannot be opened or the file system has no locks: a lock that would
    outlive its process is never used instead.
    """
    from filelock import FileLock, Timeout  # few commands need it, and it takes a while to import

    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout as error:
        raise LockedError(f"another process holds {path}") from error
    try:
        yield
    finally:
        lock.release()
