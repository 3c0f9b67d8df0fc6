"""A folder as a source: every file in it, at any depth, sorted by key; the content decides what is a picture.

- Files that `Exclusions` leaves out are counted, those in excluded folders too.
- A link to a file is followed if the file is inside the folder, otherwise refused. A link to a folder is never
  followed, so that loops do no harm: files of a folder inside are listed at their real place; a link that leads
  outside is refused.
- Pipes, sockets and devices are refused without being opened; so is a folder that cannot be listed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lookalike.errors import EntryOutsideError, LookalikeError
from lookalike.options import SourceOptions
from lookalike.sources.base import Entry, RefusedEntry, key_error, printable, refused_key
from lookalike.sources.exclusions import IGNORE_FILE, MAX_IGNORE_FILE_BYTES, Exclusions, read_ignore_lines
from lookalike.sources.files import read_regular, resolve_inside, unreadable_error


class FolderSource:
    """The port `Source` over a folder; no file is open between reads."""

    kind = "folder"

    def __init__(self, folder: Path, options: SourceOptions | None = None) -> None:
        self._root = folder.resolve()
        self.location = printable(str(self._root))
        self.excluded: Counter[str] = Counter()
        self._options = options or SourceOptions()

    @property
    def remarks(self) -> list[str]:
        """None."""
        return []

    @cached_property  # who only reads by location does not need them
    def exclusions(self) -> Exclusions:
        """Those of the options, behind those of the ignore file."""
        return Exclusions(self._options, self._ignore_lines())

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """Files in the order of their keys, which are their paths below the folder, with ``/`` on every system."""
        self.excluded.clear()
        _ = self.exclusions  # an ignore file that cannot be used ends the pass before its first entry
        open_folders = [("", self._list_folder(""))]
        while open_folders:
            prefix, listing = open_folders[-1]
            item = next(listing, None)
            if item is None:
                open_folders.pop()
            elif isinstance(item, RefusedEntry):
                yield item
            elif item.is_dir(follow_symlinks=False):
                subfolder = f"{prefix}{item.name}/"
                open_folders.append((subfolder, self._list_folder(subfolder)))
            elif self._is_left_out(prefix + item.name):
                continue
            elif (entry := self._to_entry(item, prefix + item.name)) is not None:
                yield entry

    def read(self, location: str, max_bytes: int) -> bytes:
        """The bytes of the file ``location``, a path below the folder."""
        return read_regular(resolve_inside(self._root, location), max_bytes, printable(location))

    def close(self) -> None:
        """Does nothing: no file is open between reads."""

    def _list_folder(self, prefix: str) -> Iterator[os.DirEntry[str] | RefusedEntry]:
        """Files and folders of the folder ``prefix``, in the order that visits keys in sorted order."""
        try:
            with os.scandir(self._root / prefix) as scan:
                entries = list(scan)
        except OSError as error:
            if prefix and self._is_left_out(f"{prefix}_"):  # as lost+found, which only root may list
                return
            yield RefusedEntry(refused_key(prefix), unreadable_error(printable(prefix) or self.location, error))
            return
        yield from sorted(entries, key=_sort_name)

    def _is_left_out(self, key: str) -> bool:
        """Whether the file is excluded; counts it if so. The ignore file is read, which is why it is not counted."""
        if key == IGNORE_FILE:
            return True
        pattern = self.exclusions.pattern_of(key)
        if pattern is not None:
            self.excluded[pattern] += 1
        return pattern is not None

    def _ignore_lines(self) -> list[str]:
        if not os.path.lexists(self._root / IGNORE_FILE):
            return []
        data = read_regular(resolve_inside(self._root, IGNORE_FILE), MAX_IGNORE_FILE_BYTES, IGNORE_FILE)
        return read_ignore_lines(data, f"{self.location}/{IGNORE_FILE}")

    def _to_entry(self, dir_entry: os.DirEntry[str], key: str) -> Entry | RefusedEntry | None:
        if (invalid_key := key_error(key)) is not None:
            return RefusedEntry(refused_key(key), invalid_key)
        try:
            if dir_entry.is_symlink() and dir_entry.is_dir():
                return self._check_folder_link(dir_entry, key)
            if not dir_entry.is_file(follow_symlinks=False):  # no link above it: links to folders are not followed
                resolve_inside(self._root, key)
        except LookalikeError as error:
            return RefusedEntry(refused_key(key), error)
        except OSError as error:
            return RefusedEntry(refused_key(key), unreadable_error(key, error))
        return Entry(key=key, location=key)

    def _check_folder_link(self, dir_entry: os.DirEntry[str], key: str) -> RefusedEntry | None:
        target = os.path.realpath(dir_entry.path)
        if Path(target).is_relative_to(self._root):
            return None
        message = f"{key} is a link to a folder outside {self.location}; copy the folder into it, or index it by itself"
        return RefusedEntry(key, EntryOutsideError(message, subject=key))


def _sort_name(entry: os.DirEntry[str]) -> str:
    return entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
