"""The port `Source` and what it yields: an `Entry` to index, or a `Refused` one that becomes a rejected verdict.

Nothing is dropped silently, except what the rule of `is_clutter` names: files that no one means to index.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from lookalike.errors import KeyInvalidError, LookalikeError

Scalar = str | int | float | bool | None

MAX_KEY_LENGTH = 1024
MAX_KEY_BYTES = 2048
"""PostgreSQL's index over keys takes no longer ones."""

_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture to index.

    ``key`` is unique in the source: the relative POSIX path, or the manifest's own key. ``location`` is how the
    source finds the bytes again (a relative path, an archive member); the catalogue stores it.
    """

    key: str
    location: str
    title: str | None = None
    product_id: str | None = None
    metadata: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that cannot even be offered, and why; ``key`` is printable, escaped where it had to be."""

    key: str
    error: LookalikeError


class Source(Protocol):
    """A corpus that is read once, in a fixed order, and whose entries can be read again by location.

    ``kind`` is ``folder``, ``zip`` or ``manifest``; ``location`` is its absolute path as text.
    """

    kind: str
    location: str

    def entries(self) -> Iterator[Entry | Refused]:
        """Every entry, lazily, in the same order each time; errors of single entries are yielded, never raised."""

    def read(self, location: str, max_bytes: int) -> bytes:
        """The bytes of one entry; thread-safe. Never holds more than ``max_bytes`` and a little.

        Raises `ImageTooLargeError`, `EntryMissingError`, `EntryUnreadableError`, `EntryOutsideError`,
        `ArchiveError` or `ArchiveDamagedError`.
        """

    def close(self) -> None:
        """Give back open files; reading afterwards is an error."""


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name is skipped: hidden (a leading dot), or an operating system's own notes.

    These are Thumbs.db, desktop.ini and __MACOSX, in any case of letters; .DS_Store has its dot.
    """
    return name.startswith(".") or name.casefold() in _CLUTTER


def printable(text: str) -> str:
    """``text`` with everything that cannot be stored or shown (bytes that are not UTF-8, controls) escaped."""
    encoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one) == "Cc" else one for one in encoded
    )


def key_error(key: str) -> KeyInvalidError | None:
    """Why ``key`` cannot be a key, or ``None``; keys are 1 to 1024 characters (2048 bytes) of text without controls."""
    if key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY_LENGTH:
        return None  # as almost all are, and what is asked below costs more than to list the file
    return _what_is_wrong_with(key)


def _what_is_wrong_with(key: str) -> KeyInvalidError | None:
    shown = printable(key)
    if not key:
        return KeyInvalidError("an entry has an empty key; give it one", subject=shown)
    if any(0xD800 <= ord(one) <= 0xDFFF for one in key):
        return KeyInvalidError(f"the name {shown} is not UTF-8; rename the file", subject=shown)
    if len(key) > MAX_KEY_LENGTH:
        what = f"the key {shown[:60]}… has {len(key)} characters, more than {MAX_KEY_LENGTH}; shorten it"
        return KeyInvalidError(what, subject=shown)
    if len(key.encode()) > MAX_KEY_BYTES:
        what = f"the key {shown[:60]}… has more than {MAX_KEY_BYTES} bytes in UTF-8; shorten it"
        return KeyInvalidError(what, subject=shown)
    if any(unicodedata.category(one) == "Cc" for one in key):
        return KeyInvalidError(f"the key {shown} contains control characters; rename it", subject=shown)
    return None


def refused_key(key: str) -> str:
    """``key`` as a `Refused` entry shows it: printable and not longer than a key may be."""
    return printable(key)[:MAX_KEY_LENGTH]
