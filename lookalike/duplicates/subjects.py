"""The pictures that are searched for duplicates: items of a collection, or of what it is compared with."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lookalike.catalogue.records import ItemDraft


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A picture: its ``item``, where it comes from, and how its bytes are read.

    ``number`` is its position among all subjects. ``path`` is absolute; ``owner`` names its collection or folder;
    ``is_reference`` says that it belongs to what the collection is compared with, and is never to be dropped. ``read``
    returns the bytes of the file, given the most that it may have.
    """

    number: int
    item: ItemDraft
    path: str
    owner: str
    is_reference: bool
    read: Callable[[str, int], bytes]

    @property
    def key(self) -> str:
        """Its key in its collection or folder."""
        return self.item.key

    @property
    def digest(self) -> str:
        """The SHA-256 of its file when it was indexed."""
        return self.item.content_digest

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.item.width * self.item.height


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What the system says of a file: ``identity`` is the same for hard links and for links to it.

    ``modified_at`` is in seconds since 1970.
    """

    identity: tuple[int, int]
    is_link: bool
    byte_size: int
    modified_at: float


def file_status(subject: Subject) -> FileStatus | None:
    """The status of a subject's file; None for a member of an archive, and for a file that is not there."""
    try:
        link, target = os.lstat(subject.path), Path(subject.path).stat()
    except OSError:
        return None
    return FileStatus((target.st_dev, target.st_ino), stat.S_ISLNK(link.st_mode), target.st_size, target.st_mtime)


def subjects_of(
    items: list[ItemDraft],
    path_of: Callable[[str], str],
    read: Callable[[str, int], bytes],
    *,
    owner: str,
    is_reference: bool = False,
    first_number: int = 0,
) -> list[Subject]:
    """The subjects of one collection or folder, numbered from ``first_number`` on; ``path_of`` is given locations."""
    return [
        Subject(number, item, path_of(item.location), owner, is_reference, read)
        for number, item in enumerate(items, start=first_number)
    ]


def changed_warning(subject: Subject) -> str:
    """The sentence on a file that has changed."""
    return f"warning: {subject.key} has changed since it was indexed and is left out; index the collection again"
