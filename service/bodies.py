"""The body of a form: read while it arrives, within limits, in memory, and taken apart into its fields."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from starlette.requests import Request

from service.errors import BodyTooLargeError, FormInvalidError, MediaTypeError, UploadTimeoutError
from service.multipart import BadFormError, boundary_of, decoded, parts

MULTIPART, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
TEXT_BYTES = 64 * 1024
"""What the text fields of a form may add to the bytes of its files."""
_MOST_FIELDS, _MOST_FILES = 32, 128


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file of a form, in memory; ``name`` is what the client calls it."""

    name: str
    data: bytes

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(cls, cls_repr="a file")


Fields = list[tuple[str, Upload | str]]


async def read_fields(request: Request, *, max_bytes: int, timeout: float) -> Fields:
    """The fields of a form in the order in which they were sent.

    The body is refused as soon as it is known to be larger than ``max_bytes``, before the rest of it has come. Raises
    MediaTypeError, BodyTooLargeError, UploadTimeoutError and FormInvalidError.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {MULTIPART, URLENCODED}:
        raise MediaTypeError(
            f"the body is {kind or 'of no content type'}; send {MULTIPART}, as `curl -F image=@cat.jpg` does, "
            f"or {URLENCODED} if there is no file",
            subject="content-type",
        )
    if kind == URLENCODED:
        max_bytes = min(max_bytes, TEXT_BYTES)
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    try:
        boundary = boundary_of(request.headers["content-type"]) if kind == MULTIPART else None
        async with asyncio.timeout(timeout):
            body = await _body(request, max_bytes)
        return _parsed(body, boundary)
    except TimeoutError as error:
        raise UploadTimeoutError(f"the body did not arrive within {timeout:g} s; send it again") from error
    except BadFormError as error:
        raise FormInvalidError(f"the body is no form that can be read: {error}") from error


async def _body(request: Request, max_bytes: int) -> bytes:
    """All of a body, in memory from first to last, which its limit bounds: nothing of a picture touches a disk."""
    pieces: list[bytes] = []
    arrived = 0
    async for piece in request.stream():
        arrived += len(piece)
        if arrived > max_bytes:
            raise _too_large(max_bytes)
        if piece:  # the last one is empty, and joining it would copy a body that came in one
            pieces.append(piece)
    request.state.bytes_in = arrived
    return b"".join(pieces)


def _parsed(body: bytes, boundary: bytes | None) -> Fields:
    """The fields of a body; without a boundary it is URL-encoded."""
    if boundary is not None:
        return _fields(body, boundary)
    try:
        return [*parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)]
    except ValueError as error:
        raise BadFormError(f"it has more than {_MOST_FIELDS} fields") from error


def _fields(body: bytes, boundary: bytes) -> Fields:
    fields: Fields = []
    files = 0
    for part in parts(body, boundary):
        if part.filename is not None:
            files += 1
            fields.append((part.name, Upload(part.filename or part.name, part.data)))
        elif len(part.data) > TEXT_BYTES:
            raise BadFormError(f"a field of text has more than {TEXT_BYTES // 1024} KB")
        else:
            fields.append((part.name, decoded(part.data)))
        if files > _MOST_FILES or len(fields) - files > _MOST_FIELDS:
            raise BadFormError(f"it has more than {_MOST_FILES} files or {_MOST_FIELDS} other fields")
    return fields


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"the body has more than the {max_bytes} bytes that this form may have; send smaller pictures", subject="body"
    )
