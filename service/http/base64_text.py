"""Pictures in base64, decoded piece by piece: a long one does not keep other threads from working."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterable, Iterator

from service.http.json_body import LongText

_CHUNK = 64 * 1024
"""Bytes that are decoded at once, which takes 0.2 ms; in between another thread may work."""
_HEAD = 256
"""Bytes in which the head of a ``data:`` URL has to end."""
_LONGEST_ESCAPE = 6
_OTHER = re.compile(rb"[^A-Za-z0-9+/=]")
_EARLY_END = "= may stand at its end only"
_ADDRESSES = (b"http://", b"https://")


class NotBase64Error(ValueError):
    """A text is not base64; the message goes on after "is not base64: "."""


def decode_base64(text: LongText | str) -> list[bytes]:
    """The bytes of a text in base64 (RFC 4648, with its padding) or of a ``data:`` URL of it, in pieces.

    Raises NotBase64Error. Takes 10 ms for each megabyte: call it in a thread for long ones.
    """
    chunks = _chunks([text.encode("utf-8", "surrogatepass")] if isinstance(text, str) else text.take())
    if isinstance(text, LongText):
        chunks = _unescape(chunks)
    pieces: list[bytes] = []
    rest, is_padded = b"", False
    for chunk in _skip_head(chunks):
        encoded = rest + chunk
        end = len(encoded) - len(encoded) % 4
        rest = encoded[end:]
        if end:
            if is_padded:
                raise NotBase64Error(_EARLY_END)
            pieces.append(_decode(encoded[:end]))
            is_padded = encoded[end - 1 : end] == b"="
    if rest:
        _check_letters(rest)
        raise NotBase64Error("its length is no multiple of 4: send it whole, with the = at its end")
    return pieces


def _decode(encoded: bytes) -> bytes:
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error as error:
        _check_letters(encoded)
        raise NotBase64Error(_EARLY_END) from error


def _check_letters(encoded: bytes) -> None:
    """Raise NotBase64Error if there is a letter that base64 does not have."""
    other = _OTHER.search(encoded)
    if other is None:
        return
    letter = other[0].decode("latin-1")
    if letter in "\r\n":
        raise NotBase64Error("it has line breaks: send it as one line")
    if letter in "-_":
        raise NotBase64Error(f"it has the letter {letter} of base64url: send + and / in place of - and _")
    raise NotBase64Error(f"it has a {letter!r}" if letter.isascii() else "it has letters that are not ASCII")


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _CHUNK):
            yield piece[start : start + _CHUNK]


def _unescape(chunks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Without JSON's escapes: some clients write ``\/`` for every slash, or ``\u002B`` for every plus."""
    rest = b""
    for chunk in chunks:
        text = rest + chunk
        last = text.rfind(b"\\", max(0, len(text) - _LONGEST_ESCAPE + 1))
        is_open = last >= 0 and (last == len(text) - 1 or text[last + 1 : last + 2] == b"u")
        rest = text[last:] if is_open else b""
        text = text[:last] if is_open else text
        if text:
            yield _parse_escapes(text)
    if rest:
        yield _parse_escapes(rest)


def _parse_escapes(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    try:
        plain: str = json.loads(b'"' + text + b'"')
        return plain.encode("ascii")
    except ValueError as error:  # no escape, or a letter that is not ASCII
        raise NotBase64Error("it has a backslash") from error


def _skip_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Without the head of a ``data:`` URL."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD:
            break
    if head[:8].lower().startswith(_ADDRESSES):
        raise NotBase64Error("it is an address, and nothing is fetched here: send the picture itself")
    if head[:5].lower() == b"data:":
        description, comma, head = head.partition(b",")
        if not comma or len(description) > _HEAD or not description.lower().endswith(b";base64"):
            raise NotBase64Error("a data: URL has ;base64, before the picture")
    yield head
    yield from chunks
