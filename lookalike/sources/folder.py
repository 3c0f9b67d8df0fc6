"""A folder as a source: every file in it, at any depth, sorted by key; the content decides what is a picture.

- Hidden files and folders and the clutter of operating systems are skipped (see `base.is_clutter`).
- A link to a file is followed if the file lies inside the folder, otherwise refused. A link to a folder is never
  followed, so that loops cost nothing: inside, its files are offered where they are; outside, it is refused.
- Pipes, sockets and devices are refused without being opened; so is a folder that cannot be listed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lookalike.errors import EntryOutsideError, LookalikeError
from lookalike.sources.base import Entry, Refused, is_clutter, key_error, printable, refused_key
from lookalike.sources.files import inside, read_regular, unreadable


class FolderSource:
    """The port `Source` over a folder; keeps no file open."""

    kind = "folder"

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self.location = printable(str(self._root))

    def entries(self) -> Iterator[Entry | Refused]:
        """Files in the order of their keys, which are their paths below the folder, with ``/`` on every system."""
        pending = [("", self._listing(""))]
        while pending:
            prefix, listing = pending[-1]
            found = next(listing, None)
            if found is None:
                pending.pop()
            elif isinstance(found, Refused):
                yield found
            elif found.is_dir(follow_symlinks=False):
                below = f"{prefix}{found.name}/"
                pending.append((below, self._listing(below)))
            elif (offered := self._offer(found, prefix + found.name)) is not None:
                yield offered

    def read(self, location: str, max_bytes: int) -> bytes:
        """The bytes of the file ``location``, a path below the folder."""
        return read_regular(inside(self._root, location), max_bytes, printable(location))

    def close(self) -> None:
        """Nothing is held open."""

    def _listing(self, prefix: str) -> Iterator[os.DirEntry[str] | Refused]:
        """What the folder ``prefix`` holds, such that a walk in this order visits keys in sorted order."""
        try:
            with os.scandir(self._root / prefix) as found:
                kept = [entry for entry in found if not is_clutter(entry.name)]
        except OSError as error:
            yield Refused(refused_key(prefix), unreadable(printable(prefix) or self.location, error))
            return
        yield from sorted(kept, key=_sort_name)

    def _offer(self, found: os.DirEntry[str], key: str) -> Entry | Refused | None:
        if (invalid := key_error(key)) is not None:
            return Refused(refused_key(key), invalid)
        try:
            if found.is_symlink() and found.is_dir():
                return self._folder_link(found, key)
            if not found.is_file(follow_symlinks=False):  # no link above it: links to folders are not followed
                inside(self._root, key)
        except LookalikeError as error:
            return Refused(refused_key(key), error)
        except OSError as error:
            return Refused(refused_key(key), unreadable(key, error))
        return Entry(key=key, location=key)

    def _folder_link(self, found: os.DirEntry[str], key: str) -> Refused | None:
        target = os.path.realpath(found.path)
        if Path(target).is_relative_to(self._root):
            return None
        message = f"{key} is a link to a folder outside {self.location}; copy the folder into it, or index it by itself"
        return Refused(key, EntryOutsideError(message, subject=key))


def _sort_name(entry: os.DirEntry[str]) -> str:
    return entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
