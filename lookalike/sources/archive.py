"""A zip file as a source, read in place: nothing is unpacked to disk, so no member can write anywhere.

A member is refused if its name climbs out or is absolute, if it is a link or a device, if it is encrypted, or if
it is packed by a method whose unpacking cannot be stopped part-way (only stored and deflated members are read).
Sizes in the archive are not trusted: unpacking stops at the byte limit, whatever the header says.
"""

from __future__ import annotations

import re
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lookalike.errors import (
    ArchiveDamagedError,
    ArchiveError,
    EntryMissingError,
    EntryUnreadableError,
    KeyDuplicateError,
    LookalikeError,
)
from lookalike.sources.base import Entry, Refused, is_clutter, key_error, printable, refused_key
from lookalike.sources.files import too_large, unreadable

MAX_ENTRIES = 2_000_000
MAX_DIRECTORY_BYTES = 256 << 20
"""Bytes of the table of contents, which is held in memory while the archive is open."""

MAX_NAME_LENGTH = 4096

_PIECE = 1 << 16
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED = 0x1
_STOPPABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class ZipSource:
    """The port `Source` over one zip file; keys are member names, in the order of the archive."""

    kind = "zip"

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self.location = printable(str(self._path))
        self._lock = threading.Lock()
        try:
            _check_announced(self._path, self.location)
            self._archive = zipfile.ZipFile(self._path)
        except (zipfile.BadZipFile, UnicodeDecodeError, struct.error, EOFError, ValueError) as error:
            message = f"{self.location} is no intact zip file ({error}); pack or fetch it again"
            raise ArchiveDamagedError(message, subject=self.location) from error
        except OSError as error:
            raise unreadable(self.location, error) from error
        if len(self._archive.infolist()) > MAX_ENTRIES:
            self._archive.close()
            raise _too_many(self.location)

    def entries(self) -> Iterator[Entry | Refused]:
        """Members in the order of the archive; the second of two members of one name is refused."""
        seen: set[str] = set()
        for member in self._archive.infolist():
            name = member.filename.replace("\\", "/")
            parts = [part for part in name.split("/") if part not in ("", ".")]
            if member.is_dir() or name.endswith("/") or any(is_clutter(part) for part in parts if part != ".."):
                continue
            key = "/".join(parts)
            error = self._objection(member, name, parts) or key_error(key)
            if error is None and key in seen:
                message = f"{self.location} has two members called {key}; only one of them is used"
                error = KeyDuplicateError(message, subject=key)
            if error is not None:
                yield Refused(refused_key(key or name), error)
            else:
                seen.add(key)
                yield Entry(key=key, location=member.filename)

    def read(self, location: str, max_bytes: int) -> bytes:
        """The unpacked bytes of the member ``location``; stops as soon as there are more than ``max_bytes``."""
        shown = printable(location)
        try:
            # Opening and closing count references without a lock of their own; reading has one inside.
            with self._lock:
                member = self._archive.open(location)
            try:
                return self._unpacked(member, max_bytes, shown)
            finally:
                with self._lock:
                    member.close()
        except KeyError as error:
            message = f"{shown} is not in {self.location}; index the archive again"
            raise EntryMissingError(message, subject=shown) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
            message = f"{shown} in {self.location} is damaged ({error}); pack the archive again"
            raise ArchiveDamagedError(message, subject=shown) from error
        except (NotImplementedError, RuntimeError) as error:
            raise EntryUnreadableError(
                f"{shown} in {self.location} cannot be unpacked ({error}); pack it without encryption", subject=shown
            ) from error
        except (OSError, ValueError) as error:
            raise unreadable(shown, error) from error

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()

    def _unpacked(self, member: IO[bytes], max_bytes: int, shown: str) -> bytes:
        pieces: list[bytes] = []
        held = 0
        while piece := member.read(_PIECE):
            held += len(piece)
            if held > max_bytes:
                raise too_large(shown, max_bytes)
            pieces.append(piece)
        return b"".join(pieces)

    def _objection(self, member: zipfile.ZipInfo, name: str, parts: list[str]) -> LookalikeError | None:
        shown = printable(member.filename)
        if name.startswith("/") or _DRIVE.match(name) or ".." in parts:
            return ArchiveError(f"the member {shown} leads out of the archive; pack it again", subject=shown)
        if len(name) > MAX_NAME_LENGTH:
            return ArchiveError(
                f"the member {shown[:60]}… has a name of {len(name)} characters; shorten it", subject=shown[:60]
            )
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            return ArchiveError(f"the member {shown} is a link or device; pack the file itself", subject=shown)
        if member.flag_bits & _ENCRYPTED:
            return EntryUnreadableError(f"the member {shown} is encrypted; pack it without", subject=shown)
        if member.compress_type not in _STOPPABLE:
            return ArchiveError(
                f"the member {shown} is packed by a method whose size cannot be limited; pack it with deflate",
                subject=shown,
            )
        return None


def _check_announced(path: Path, shown: str) -> None:
    """Refuse an archive whose table of contents is too large, before `zipfile` reads it all into memory."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 65_557))
        tail = file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0:
            raise zipfile.BadZipFile("it has no table of contents")
        count, size = struct.unpack_from("<HI", tail, at + 10)
        locator = tail.rfind(b"PK\6\7", 0, at)
        if locator >= 0 and (count == 0xFFFF or size == 0xFFFFFFFF):
            (offset,) = struct.unpack_from("<Q", tail, locator + 8)
            file.seek(min(offset, 1 << 62))
            count, size = struct.unpack_from("<QQ", file.read(56), 32)
    if count > MAX_ENTRIES or size > MAX_DIRECTORY_BYTES:
        raise _too_many(shown)


def _too_many(shown: str) -> ArchiveError:
    message = f"{shown} has more than {MAX_ENTRIES} members; split it into several archives"
    return ArchiveError(message, subject=shown)
