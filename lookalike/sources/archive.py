"""A zip file as a source, read in place: nothing is unpacked to disk, so no member can write anywhere.

A member is refused if its path is absolute or has "..", if it is a link or a device, if it is encrypted, or if its
compression method cannot be stopped part-way (only stored and deflated members are read). Sizes in the archive are
not trusted: unpacking stops at the byte limit, whatever the header says. The archive as a whole is refused if its
members would unpack to far more than pictures ever do, or share their packed bytes, as those of a zip bomb do.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO

from lookalike.errors import (
    ArchiveDamagedError,
    ArchiveUnsafeError,
    EntryMissingError,
    EntryUnreadableError,
    KeyDuplicateError,
    LookalikeError,
)
from lookalike.options import SourceOptions
from lookalike.sources.base import Entry, RefusedEntry, key_error, printable, refused_key
from lookalike.sources.exclusions import IGNORE_FILE, MAX_IGNORE_FILE_BYTES, Exclusions, read_ignore_lines
from lookalike.sources.files import too_large_error, unreadable_error
from lookalike.sources.zip_names import ZipNames

MAX_ENTRIES = 2_000_000
MAX_DIRECTORY_BYTES = 256 << 20
"""Bytes of the central directory, which is in memory while the archive is open."""

MAX_NAME_LENGTH = 4096
MAX_RATIO = 100
"""How many times its own size an archive may unpack to, beyond `FREE_BYTES`: pictures are packed already, and even
uncompressed ones of products on white shrink to no less than a fiftieth."""
FREE_BYTES = 1 << 30

_CHUNK_BYTES = 1 << 16
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED_FLAG = 0x1
_DIRECTORY_ENTRY = b"PK\1\2"
_STOPPABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class ZipSource:
    """The port `Source` over one zip file; keys are member names as `ZipNames` reads them, in the order of the archive.

    The location of a member is its name as `zipfile` reads it, so that it stays the same whatever encoding is named.
    """

    kind = "zip"

    def __init__(self, path: Path, options: SourceOptions | None = None) -> None:
        self._path = path.resolve()
        self.location = printable(str(self._path))
        self.excluded: Counter[str] = Counter()
        self._options = options or SourceOptions()
        self._lock = threading.Lock()
        try:
            _check_directory_size(self._path, self.location)
            self._file = _DirectoryLimit(self._path)
            try:
                self._archive = zipfile.ZipFile(self._file)
            except BaseException:
                self._file.close()
                raise
        except _DirectoryTooLargeError as error:
            raise _too_many_members_error(self.location) from error
        except (zipfile.BadZipFile, UnicodeDecodeError, struct.error, EOFError, ValueError) as error:
            message = f"{self.location} is no intact zip file ({error}); pack or fetch it again"
            raise ArchiveDamagedError(message, subject=self.location) from error
        except OSError as error:
            raise unreadable_error(self.location, error) from error
        try:
            _check_members(self._archive.infolist(), self._path.stat().st_size, self.location)
        except BaseException:
            self.close()
            raise

    @property
    def remarks(self) -> list[str]:
        """What is odd about the names."""
        return [] if self._names.remark is None else [f"{self.location}: {self._names.remark}"]

    @cached_property
    def _names(self) -> ZipNames:
        return ZipNames(self._archive.infolist(), self._options.encoding)

    @cached_property  # who only reads by location does not need them
    def exclusions(self) -> Exclusions:
        """Those of the options, behind those of the ignore file."""
        return Exclusions(self._options, self._ignore_lines())

    def entries(self) -> Iterator[Entry | RefusedEntry]:
        """Members in the order of the archive; the second of two members of one name is refused."""
        self.excluded.clear()
        exclusions = self.exclusions
        keys: set[str] = set()
        names = self._names
        for member in self._archive.infolist():
            name = names.name(member).replace("\\", "/")
            parts = [part for part in name.split("/") if part not in ("", ".")]
            key = "/".join(parts)
            if member.is_dir() or name.endswith("/") or key == IGNORE_FILE:
                continue
            # A part ".." is refused below, and is no hidden name.
            if (pattern := exclusions.pattern_of("/".join(part for part in parts if part != ".."))) is not None:
                self.excluded[pattern] += 1
                continue
            error = self._member_error(member, name, parts) or key_error(key)
            if error is None and key in keys:
                message = f"{self.location} has two members called {key}; only one of them is used"
                error = KeyDuplicateError(message, subject=key)
            if error is not None:
                yield RefusedEntry(refused_key(key or name), error)
            else:
                keys.add(key)
                yield Entry(key=key, location=member.filename)

    def read(self, location: str, max_bytes: int) -> bytes:
        """The unpacked bytes of the member ``location``; stops as soon as there are more than ``max_bytes``."""
        member_name = printable(location)
        try:
            # zipfile counts its open members without a lock; reading has one inside.
            with self._lock:
                member = self._archive.open(location)
            try:
                return self._unpack(member, max_bytes, member_name)
            finally:
                with self._lock:
                    member.close()
        except KeyError as error:
            message = f"{member_name} is not in {self.location}; index the archive again"
            raise EntryMissingError(message, subject=member_name) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
            message = f"{member_name} in {self.location} is damaged ({error}); pack the archive again"
            raise ArchiveDamagedError(message, subject=member_name) from error
        except (NotImplementedError, RuntimeError) as error:
            raise EntryUnreadableError(
                f"{member_name} in {self.location} cannot be unpacked ({error}); pack it without encryption",
                subject=member_name,
            ) from error
        except (OSError, ValueError) as error:
            raise unreadable_error(member_name, error) from error

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()
        self._file.close()

    def _ignore_lines(self) -> list[str]:
        if IGNORE_FILE not in self._archive.NameToInfo:
            return []
        return read_ignore_lines(self.read(IGNORE_FILE, MAX_IGNORE_FILE_BYTES), f"{self.location}!/{IGNORE_FILE}")

    def _unpack(self, member: IO[bytes], max_bytes: int, member_name: str) -> bytes:
        chunks: list[bytes] = []
        byte_count = 0
        while chunk := member.read(_CHUNK_BYTES):
            byte_count += len(chunk)
            if byte_count > max_bytes:
                raise too_large_error(member_name, max_bytes)
            chunks.append(chunk)
        return b"".join(chunks)

    def _member_error(self, member: zipfile.ZipInfo, name: str, parts: list[str]) -> LookalikeError | None:
        member_name = printable(member.filename)
        if name.startswith("/") or _DRIVE.match(name) or ".." in parts:
            return ArchiveUnsafeError(
                f"the member {member_name} leads out of the archive; pack it again", subject=member_name
            )
        if len(name) > MAX_NAME_LENGTH:
            return ArchiveUnsafeError(
                f"the member {member_name[:60]}… has a name of {len(name)} characters; shorten it",
                subject=member_name[:60],
            )
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            return ArchiveUnsafeError(
                f"the member {member_name} is a link or device; pack the file itself", subject=member_name
            )
        if member.flag_bits & _ENCRYPTED_FLAG:
            return EntryUnreadableError(f"the member {member_name} is encrypted; pack it without", subject=member_name)
        if member.compress_type not in _STOPPABLE:
            return ArchiveUnsafeError(
                f"the member {member_name} is packed by a method whose size cannot be limited; pack it with deflate",
                subject=member_name,
            )
        return None


class _DirectoryTooLargeError(Exception):
    """The central directory that `zipfile` is about to read is too large."""


class _DirectoryLimit(io.FileIO):
    """The archive's file, which gives out no central directory that would take too much memory.

    `zipfile` finds the directory by rules of its own, and believes its announced size: it is read in one piece, while
    members are read in small ones.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """See io.FileIO."""
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise _DirectoryTooLargeError
        data = super().read(size)
        if size is not None and size > _CHUNK_BYTES and data.count(_DIRECTORY_ENTRY) > MAX_ENTRIES:
            raise _DirectoryTooLargeError
        return data

    def __del__(self) -> None:
        """Close the file with the last reference, as `zipfile` does with a file that it opened itself."""
        self.close()


def _check_members(members: Sequence[zipfile.ZipInfo], archive_bytes: int, archive_name: str) -> None:
    """Raise `ArchiveUnsafeError` for an archive that is made to cost more than its pictures could be worth.

    What a member unpacks to is at most the size that the directory says: `zipfile` stops there.
    """
    if len(members) > MAX_ENTRIES:
        raise _too_many_members_error(archive_name)
    unpacked_bytes = sum(member.file_size for member in members)
    if unpacked_bytes > MAX_RATIO * archive_bytes + FREE_BYTES:
        raise ArchiveUnsafeError(
            f"{archive_name} has {archive_bytes} bytes and would unpack to {unpacked_bytes}, over {MAX_RATIO} times as "
            "many: pack pictures in their own formats",
            subject=archive_name,
        )
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise ArchiveUnsafeError(
                f"the member {printable(member.filename)[:60]} of {archive_name} shares its bytes with another one; "
                "pack it again",
                subject=archive_name,
            )
        end = member.header_offset + member.compress_size


def _check_directory_size(path: Path, archive_name: str) -> None:
    """Raise `ArchiveUnsafeError` if the central directory is too large, before `zipfile` reads it into memory."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 65_557))
        tail = file.read()
        end_record = tail.rfind(b"PK\5\6")
        if end_record < 0:
            raise zipfile.BadZipFile("it has no table of contents")
        count, size = struct.unpack_from("<HI", tail, end_record + 10)
        locator = tail.rfind(b"PK\6\7", 0, end_record)
        if locator >= 0 and (count == 0xFFFF or size == 0xFFFFFFFF):
            (offset,) = struct.unpack_from("<Q", tail, locator + 8)
            file.seek(min(offset, 1 << 62))
            count, size = struct.unpack_from("<QQ", file.read(56), 32)
    if count > MAX_ENTRIES or size > MAX_DIRECTORY_BYTES:
        raise _too_many_members_error(archive_name)


def _too_many_members_error(archive_name: str) -> ArchiveUnsafeError:
    message = f"{archive_name} has more than {MAX_ENTRIES} members; split it into several archives"
    return ArchiveUnsafeError(message, subject=archive_name)
