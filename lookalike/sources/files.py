"""Files below a root folder: finding them without leaving it, and reading them without hanging or overrunning."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lookalike.errors import EntryMissingError, EntryOutsideError, EntryUnreadableError, ImageTooLargeError
from lookalike.sources.base import printable


def inside(root: Path, location: str) -> Path:
    """The real path of ``location`` below the resolved folder ``root``, links followed.

    Raises `EntryOutsideError` if it is not below ``root``, `EntryMissingError` if nothing is there, and
    `EntryUnreadableError` if the path cannot be followed or is no regular file.
    """
    if (plain := _without_links(root, location)) is not None:
        return plain
    shown = printable(location)
    try:
        real = Path(os.path.realpath(root / location, strict=True))
        mode = real.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if _lexically_outside(root, location):
            raise _outside(root, shown) from error
        raise EntryMissingError(f"{shown} is not there; restore the file or drop the entry", subject=shown) from error
    except (OSError, ValueError) as error:
        raise unreadable(shown, error) from error
    if not real.is_relative_to(root):
        raise _outside(root, shown)
    if not stat.S_ISREG(mode):
        raise EntryUnreadableError(f"{shown} is no regular file; only files can be indexed", subject=shown)
    return real


def _without_links(root: Path, location: str) -> Path | None:
    """The path if no part of ``location`` is a link and it is a regular file: the common case, with a stat a part."""
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


def read_regular(path: Path, max_bytes: int, shown: str) -> bytes:
    """All bytes of the regular file ``path``, at most ``max_bytes``; messages call it ``shown``."""
    try:
        # Without O_NONBLOCK, a pipe that took the file's place since it was listed would hang the run.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise EntryUnreadableError(f"{shown} is no regular file; only files can be indexed", subject=shown)
            if found.st_size > max_bytes:
                raise too_large(shown, max_bytes)
            data = file.read(found.st_size + 1)  # not more at first: room for all that may come would be mapped
            if len(data) > found.st_size:  # it grows
                data += file.read(max_bytes + 1 - len(data))
    except FileNotFoundError as error:
        raise EntryMissingError(f"{shown} is not there; restore the file or drop the entry", subject=shown) from error
    except OSError as error:
        raise unreadable(shown, error) from error
    if len(data) > max_bytes:
        raise too_large(shown, max_bytes)
    return data


def too_large(shown: str, max_bytes: int) -> ImageTooLargeError:
    """The error for an entry with more bytes than allowed."""
    return ImageTooLargeError(
        f"{shown} has more bytes than the limit of {max_bytes}; reduce its size or raise the limit", subject=shown
    )


def unreadable(shown: str, error: Exception) -> EntryUnreadableError:
    """The error for an entry that the operating system will not hand over."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return EntryUnreadableError(f"{shown} cannot be read ({reason}); check its permissions", subject=shown)


def _outside(root: Path, shown: str) -> EntryOutsideError:
    return EntryOutsideError(f"{shown} leads out of {printable(str(root))}; copy the file into it", subject=shown)


def _lexically_outside(root: Path, location: str) -> bool:
    return not Path(os.path.normpath(root / location)).is_relative_to(root)
