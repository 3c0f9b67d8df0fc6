"""The body of a request: read while it arrives, within limits, in memory, and parsed into fields, JSON or a picture.

No picture is written to a disk, and a refused body is read no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import unquote_to_bytes

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from service.errors import BodyTooLargeError, FieldInvalidError, FormInvalidError, MediaTypeError, UploadTimeoutError
from service.http.field_errors import field_problem, fields_error
from service.http.json_body import JsonReader
from service.http.multipart import BadFormError, MultipartReader, Part, decode_text, find_charset, parse_boundary

R_co = TypeVar("R_co", covariant=True)
MULTIPART_FORM, URLENCODED_FORM = "multipart/form-data", "application/x-www-form-urlencoded"
JSON, OCTET_STREAM = "application/json", "application/octet-stream"
TEXT_BYTES = 64 * 1024
"""What the text fields of a form may add to the bytes of its files."""
_MAX_LENGTH_DIGITS = 18
"""Digits of a Content-Length that are parsed: Python refuses to convert thousands."""


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file of a form, in memory; ``name`` is what the client calls it, ``field`` the form's field that it came in.

    ``field`` is empty for a file that came in no form, as that of an indexed item.
    """

    name: str
    pieces: list[bytes]
    field: str = ""

    @classmethod
    def of(cls, name: str, data: bytes) -> Self:
        """A file of one piece."""
        return cls(name, [data])

    def read(self) -> bytes:
        """The whole content. Joining the pieces of a large file takes tens of milliseconds: call it in a thread."""
        return b"".join(self.pieces)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(cls, cls_repr="a file")


Fields = list[tuple[str, Upload | str]]
BeginField = Callable[[str], None]


async def read_fields(request: Request, begin: BeginField, *, max_bytes: int, timeout: float) -> Fields:
    """The fields of a form in the order in which they were sent.

    ``begin`` is called with the name of each field before its value is read, and raises for one too many. Then, or as
    soon as the body is known to be larger than ``max_bytes``, it is refused before the rest has arrived.
    Raises MediaTypeError, BodyTooLargeError, UploadTimeoutError, FormInvalidError and what ``begin`` raises.
    """
    content_type = content_type_of(request.scope)
    if media_kind(content_type) == URLENCODED_FORM:
        limits = BodyLimits(min(max_bytes, TEXT_BYTES), timeout, is_text=True)
        return await _read_body(request, lambda: _UrlEncoded(begin), limits, "a form")
    if media_kind(content_type) != MULTIPART_FORM:
        raise MediaTypeError(
            f"the content type is {media_kind(content_type)[:80] or 'missing'}; send {MULTIPART_FORM}, as `curl -F "
            f"image=@cat.jpg` does, {JSON} with pictures in base64, a picture alone as image/jpeg or its own type, or "
            f"{URLENCODED_FORM} if there is no file",
            subject="content-type",
        )
    limits = BodyLimits(max_bytes, timeout)
    return await _read_body(request, lambda: _Multipart(parse_boundary(content_type), begin), limits, "a form")


async def read_json(request: Request, *, max_bytes: int, timeout: float) -> dict[str, Any]:
    """The object that a body is in JSON; texts of many bytes in it are LongText.

    Raises MediaTypeError, BodyTooLargeError, UploadTimeoutError and FormInvalidError.
    """
    reader = JsonReader(text_bytes=TEXT_BYTES)
    return await _read_body(request, lambda: reader, BodyLimits(max_bytes, timeout), "JSON")


async def read_picture(request: Request, *, max_bytes: int, timeout: float) -> list[bytes]:
    """The pieces of a body that is one picture; raises MediaTypeError, BodyTooLargeError and UploadTimeoutError."""
    return await _read_body(request, _Pieces, BodyLimits(max_bytes, timeout), "a picture")


def content_type_of(scope: Scope) -> str:
    """The header Content-Type of a request; empty if it has none."""
    return Headers(scope=scope).get("content-type", "")


def media_kind(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_picture(content_type: str) -> bool:
    """Whether a body of this content type is one picture, and nothing else."""
    kind = media_kind(content_type)
    return kind.startswith("image/") or kind == OCTET_STREAM


def largest_body(request: Request, picture_bytes: int) -> int:
    """How many bytes the body of a request may have whose pictures may have so many."""
    if media_kind(content_type_of(request.scope)) == JSON:
        # 4/3 of them in base64; some clients escape its slashes or plus signs besides.
        picture_bytes = picture_bytes * 3 // 2
    return picture_bytes + TEXT_BYTES


def announced_bytes(request: Request, *, default: int) -> int:
    """The number of bytes in a request's Content-Length; ``default`` if it has none."""
    length = request.headers.get("content-length", "")
    return int(length[:_MAX_LENGTH_DIGITS]) if length.isdecimal() else default


def has_body(request: Request) -> bool:
    """Whether a request announces a body."""
    return announced_bytes(request, default=0) > 0 or "transfer-encoding" in request.headers


async def refuse_body(request: Request) -> None:
    """The dependency of a route that takes no body; raises FieldInvalidError if a request announces one.

    Nothing of the body is read: a client that announces bytes and sends none would have to be waited for.
    """
    if has_body(request):
        raise FieldInvalidError("this request takes no body: send it without one", subject="body")


def _check_encoding(request: Request, content_type: str) -> None:
    """Raise MediaTypeError for a body that is compressed, or whose text is said to be other than UTF-8."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise MediaTypeError(
            f"the body is sent with the content encoding {coding[:40]}; send it as it is, without the header "
            "Content-Encoding",
            subject="content-encoding",
        )
    charset = find_charset(content_type)
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise MediaTypeError(
            f"the text of the body is said to be in {charset[:40]}; send UTF-8", subject="content-type"
        )


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a body may be, and how many seconds it may take; ``is_text`` is for one without files."""

    max_bytes: int
    timeout: float
    is_text: bool = False

    def error(self) -> BodyTooLargeError:
        """The error for a body that is too large."""
        advice = (
            f"a form without files may have; send shorter values, or pictures as {MULTIPART_FORM}"
            if self.is_text
            else "this form may have; send smaller pictures"
        )
        return BodyTooLargeError(f"the body is larger than the {self.max_bytes} bytes that {advice}", subject="body")


class _Reader(Protocol[R_co]):
    """Takes a body piece by piece."""

    def write(self, piece: bytes) -> object:
        """Read the next piece; raises BadFormError."""

    def close(self) -> R_co:
        """What the body is; raises BadFormError."""


async def _read_body(request: Request, make_reader: Callable[[], _Reader[R_co]], limits: BodyLimits, kind: str) -> R_co:
    """What a reader makes of the body; ``kind`` is what it should be, for the error."""
    _check_encoding(request, content_type_of(request.scope))
    if announced_bytes(request, default=0) > limits.max_bytes:
        raise limits.error()
    try:
        reader = make_reader()
        async with asyncio.timeout(limits.timeout):
            byte_count = 0
            async for piece in request.stream():
                byte_count += len(piece)
                request.state.bytes_in = byte_count
                if byte_count > limits.max_bytes:
                    raise limits.error()
                reader.write(piece)
        return reader.close()
    except TimeoutError as error:
        raise UploadTimeoutError(f"the body did not arrive within {limits.timeout:g} s; send it again") from error
    except BadFormError as error:
        raise FormInvalidError(f"the body cannot be read as {kind}: {error}") from error


class _Multipart:
    """A body with files."""

    def __init__(self, boundary: bytes, begin: BeginField) -> None:
        self._reader = MultipartReader(boundary, begin, text_bytes=TEXT_BYTES)
        self.write = self._reader.write

    def close(self) -> Fields:
        return [(part.name, _value(part)) for part in self._reader.close()]


def _value(part: Part) -> Upload | str:
    if part.filename is not None:
        return Upload(part.filename or part.name, part.pieces, part.name)
    return _decode_value(part.name, b"".join(part.pieces))


def _decode_value(name: str, value: bytes) -> str:
    """A field's text; raises FieldInvalidError unless it is UTF-8: read in another encoding, a key would be another."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise fields_error([field_problem(name, "not-utf-8", "is not UTF-8; send its text in UTF-8")]) from error


class _UrlEncoded:
    """A body of text fields, which is short enough to be parsed once it is complete."""

    def __init__(self, begin: BeginField) -> None:
        self._begin = begin
        self._pieces: list[bytes] = []
        self.write = self._pieces.append

    def close(self) -> Fields:
        fields: Fields = []
        body = b"".join(self._pieces)
        if body.lstrip().startswith(
            (b"{", b"[")
        ):  # as no field's name does; `curl -d` says that all it sends are forms
            raise MediaTypeError(
                f"the content type is {URLENCODED_FORM}, but this looks like JSON: send Content-Type: {JSON}",
                subject="content-type",
            )
        for pair in filter(None, body.split(b"&")):
            encoded_name, _, value = pair.replace(b"+", b" ").partition(b"=")
            name = decode_text(unquote_to_bytes(encoded_name))
            self._begin(name)
            fields.append((name, _decode_value(name, unquote_to_bytes(value))))
        return fields


class _Pieces:
    """A body as it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.write = self._pieces.append

    def close(self) -> list[bytes]:
        return self._pieces
