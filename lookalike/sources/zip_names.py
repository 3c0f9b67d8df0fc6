"""Names of members of a zip that do not say how they are encoded.

A zip marks names in UTF-8 by a flag; programs of the past wrote the code page of their system instead, and `zipfile`
reads these as code page 437. Here they are read by the UTF-8 name that some programs store beside them, else by the
encoding that the user names, else as UTF-8 if all of them are valid UTF-8, else as code page 437. Nothing is guessed: a
detector (charset-normalizer) took half of thirty short names for those of another language.
"""

from __future__ import annotations

import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence

_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075
FALLBACK = "cp437"
_MAX_NAMED = 60
"""Characters of a name that the remark shows."""


class ZipNames:
    """Readable names of a zip's members; ``remark`` tells of names that may be in another encoding, None if none is."""

    def __init__(self, members: Sequence[zipfile.ZipInfo], encoding: str | None) -> None:
        unmarked = [raw for member in members if (raw := _unmarked_name(member)) is not None]
        self._encoding = encoding or ("utf-8" if unmarked and all(map(_is_utf8, unmarked)) else FALLBACK)
        self.remark: str | None = None
        if encoding is None and self._encoding == FALLBACK:
            garbled = [name for raw in unmarked if _looks_garbled(name := raw.decode(FALLBACK))]
            if garbled:
                self.remark = (
                    f"{len(garbled)} names, such as {garbled[0][:_MAX_NAMED]!r}, do not say their encoding, and look "
                    "like another than code page 437: name it with --source-encoding, such as cp932 or gbk"
                )

    def name(self, member: zipfile.ZipInfo) -> str:
        """The member's name; bytes that are none in the encoding become surrogates, which no key may have."""
        raw = _unmarked_name(member)
        if raw is None:
            return _stored_name(member) or member.filename
        return raw.decode(self._encoding, "surrogateescape")


def _unmarked_name(member: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name that does not say its encoding; None for one that does, or that is ASCII."""
    if member.flag_bits & _UTF8_FLAG or member.orig_filename.isascii() or _stored_name(member) is not None:
        return None
    try:
        return member.orig_filename.encode(FALLBACK)
    except UnicodeEncodeError:  # not what zipfile made of such bytes
        return None


def _stored_name(member: zipfile.ZipInfo) -> str | None:
    """The name in UTF-8 that stands beside the other one, if it belongs to it."""
    extra = member.extra
    while len(extra) >= 4:
        tag, size = struct.unpack_from("<HH", extra)
        field = extra[4 : 4 + size]
        if tag == _UNICODE_PATH and size > 5 and field[0] == 1:
            (checksum,) = struct.unpack_from("<I", field, 1)
            try:
                raw = member.orig_filename.encode(FALLBACK)
                return field[5:].decode("utf-8") if zlib.crc32(raw) == checksum else None
            except UnicodeError:
                return None
        extra = extra[4 + size :]
    return None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _looks_garbled(name: str) -> bool:
    """Whether it has signs that names seldom have: lines of boxes, Greek letters of formulas, currencies, fractions."""
    return any(
        ord(letter) > 127 and not (unicodedata.category(letter) in ("Ll", "Lu") and "LATIN" in unicodedata.name(letter))
        for letter in name
    )
