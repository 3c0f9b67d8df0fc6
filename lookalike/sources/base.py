"""The port `Source` and what it yields: an `Entry` to index, or a `RefusedEntry`, which the report calls rejected.

No file is left out without a word: a source counts those that its `Exclusions` leave out.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from lookalike.errors import KeyInvalidError, LookalikeError
from lookalike.sources.exclusions import Exclusions

Scalar = str | int | float | bool | None
Value = Scalar | list[str | int | float | bool]
"""A value of a table: what JSON can say, without objects."""

MAX_KEY_LENGTH = 1024
MAX_KEY_BYTES = 2048
"""The longest key that PostgreSQL can index."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture to index.

    ``key`` is unique in the source: the relative POSIX path, or the manifest's own key. ``location`` is what
    ``Source.read`` takes (a relative path, an archive member); the catalogue stores it. ``remark`` says what of its row
    is left out.
    """

    key: str
    location: str
    title: str | None = None
    product_id: str | None = None
    metadata: dict[str, Value] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry that cannot be read, and why; ``key`` is printable, escaped where necessary.

    A line of a table that is malformed says nothing of its picture, least of all that it is gone: ``item_key`` is the
    key of that picture, as far as the line shows it, and ``is_identified`` is false where it may be another one's.
    """

    key: str
    error: LookalikeError
    item_key: str | None = None
    is_identified: bool = True


class Source(Protocol):
    """A set of pictures: listed in a fixed order, and read by location.

    ``kind`` is ``folder``, ``zip`` or ``manifest``; ``location`` is its absolute path as text. ``exclusions``
    decides which files are left out; ``excluded`` counts them by pattern, as far as the last pass of ``entries`` came.
    """

    kind: str
    location: str

    @property
    def excluded(self) -> Counter[str]:
        """How many files were left out, by pattern."""

    @property
    def exclusions(self) -> Exclusions:
        """Raises `PatternInvalidError` and what reading the ignore file raises."""

    @property
    def remarks(self) -> list[str]:
        """What the user should know about the source as a whole, a sentence each."""

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """Every entry, lazily, in the same order each time; errors of single entries are yielded, never raised."""

    def read(self, location: str, max_bytes: int) -> bytes:
        """The bytes of one entry; thread-safe. Memory use is bounded by ``max_bytes`` and a small buffer.

        Raises `ImageTooLargeError`, `EntryMissingError`, `EntryUnreadableError`, `EntryOutsideError`,
        `ArchiveUnsafeError` or `ArchiveDamagedError`.
        """

    def close(self) -> None:
        """Close open files; reading afterwards is an error."""


def printable(text: str) -> str:
    """``text`` with bytes that are not UTF-8 and control characters escaped, as text to store and to print."""
    escaped = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        character.encode("unicode_escape").decode() if _is_control(character) else character for character in escaped
    )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def key_error(key: str) -> KeyInvalidError | None:
    """Why ``key`` cannot be a key, or ``None``; keys are 1 to 1024 characters (2048 bytes) of text without controls."""
    if key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY_LENGTH:
        return None  # almost every key; the checks below cost more than listing the file
    return _diagnose_key(key)


def _diagnose_key(key: str) -> KeyInvalidError | None:
    key_name = printable(key)
    if not key:
        return KeyInvalidError("an entry has an empty key; give it one", subject=key_name)
    if any(0xD800 <= ord(character) <= 0xDFFF for character in key):
        return KeyInvalidError(f"the name {key_name} is not UTF-8; rename the file", subject=key_name)
    if len(key) > MAX_KEY_LENGTH:
        message = f"the key {key_name[:60]}… has {len(key)} characters, more than {MAX_KEY_LENGTH}; shorten it"
        return KeyInvalidError(message, subject=key_name)
    if len(key.encode()) > MAX_KEY_BYTES:
        message = f"the key {key_name[:60]}… has more than {MAX_KEY_BYTES} bytes in UTF-8; shorten it"
        return KeyInvalidError(message, subject=key_name)
    if any(_is_control(character) for character in key):
        return KeyInvalidError(f"the key {key_name} contains control characters; rename it", subject=key_name)
    return None


def refused_key(key: str) -> str:
    """``key`` as a `RefusedEntry` entry shows it: printable and not longer than a key may be."""
    return printable(key)[:MAX_KEY_LENGTH]
