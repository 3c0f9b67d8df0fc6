"""Files below a root folder: paths that stay inside it, and reads that neither block nor exceed the byte limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lookalike.errors import EntryMissingError, EntryOutsideError, EntryUnreadableError, ImageTooLargeError
from lookalike.sources.base import printable


def resolve_inside(root: Path, location: str) -> Path:
    """The real path of ``location`` below the resolved folder ``root``, links followed.

    Raises `EntryOutsideError` if it is not below ``root``, `EntryMissingError` if nothing is there, and
    `EntryUnreadableError` if the path cannot be followed or is no regular file.
    """
    if (plain_path := _without_links(root, location)) is not None:
        return plain_path
    name = printable(location)
    try:
        real_path = Path(os.path.realpath(root / location, strict=True))
        mode = real_path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if _is_lexically_outside(root, location):
            raise _outside_error(root, name) from error
        raise EntryMissingError(f"{name} is not there; restore the file or drop the entry", subject=name) from error
    except (OSError, ValueError) as error:
        raise unreadable_error(name, error) from error
    if not real_path.is_relative_to(root):
        raise _outside_error(root, name)
    if not stat.S_ISREG(mode):
        raise EntryUnreadableError(f"{name} is no regular file; only files can be indexed", subject=name)
    return real_path


def _without_links(root: Path, location: str) -> Path | None:
    """The path if no part of ``location`` is a link and it is a regular file: the common case, one lstat a part."""
    parts = location.split("/")
    if os.name != "posix" or any(part in ("", ".", "..") for part in parts):
        return None
    path, mode = str(root), 0
    try:
        for part in parts:
            path = f"{path}/{part}"
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                return None
    except (OSError, ValueError):
        return None
    return Path(path) if stat.S_ISREG(mode) else None


def read_regular(path: Path, max_bytes: int, name: str) -> bytes:
    """All bytes of the regular file ``path``, at most ``max_bytes``; ``name`` is its name in messages."""
    try:
        # Without O_NONBLOCK, a pipe that took the file's place since it was listed would hang the run.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise EntryUnreadableError(f"{name} is no regular file; only files can be indexed", subject=name)
            if status.st_size > max_bytes:
                raise too_large_error(name, max_bytes)
            data = file.read(status.st_size + 1)  # not max_bytes: Python would allocate all of them
            if len(data) > status.st_size:  # the file has grown
                data += file.read(max_bytes + 1 - len(data))
    except FileNotFoundError as error:
        raise EntryMissingError(f"{name} is not there; restore the file or drop the entry", subject=name) from error
    except OSError as error:
        raise unreadable_error(name, error) from error
    if len(data) > max_bytes:
        raise too_large_error(name, max_bytes)
    return data


def too_large_error(name: str, max_bytes: int) -> ImageTooLargeError:
    """The error for an entry with more bytes than allowed."""
    return ImageTooLargeError(
        f"{name} has more bytes than the limit of {max_bytes}; reduce its size or raise the limit", subject=name
    )


def unreadable_error(name: str, error: Exception) -> EntryUnreadableError:
    """The error for an entry that the operating system refuses to open or read."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return EntryUnreadableError(f"{name} cannot be read ({reason}); check its permissions", subject=name)


def _outside_error(root: Path, name: str) -> EntryOutsideError:
    return EntryOutsideError(
        f"{name} leads out of {printable(str(root))}: copy the file into it; the paths of a manifest are relative "
        "to its folder, or to the one that --images-root names",
        subject=name,
    )


def _is_lexically_outside(root: Path, location: str) -> bool:
    return not Path(os.path.normpath(root / location)).is_relative_to(root)
