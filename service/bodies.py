"""The body of a form: read while it arrives, within limits, in memory, and taken apart into its fields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import BodyTooLargeError, FormInvalidError, MediaTypeError, UploadTimeoutError

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
        async with asyncio.timeout(timeout):
            return await _parsed(request, kind, _limited(request, max_bytes))
    except TimeoutError as error:
        raise UploadTimeoutError(f"the body did not arrive within {timeout:g} s; send it again") from error
    except MultiPartException as error:
        raise FormInvalidError(f"the body is no form that can be read: {error.message.rstrip('.')}") from error


class _InMemoryParser(MultiPartParser):
    """Keeps every file in memory, which the body's limit bounds: nothing of a user's picture touches a disk."""

    spool_max_size = 1 << 40
    ended = False

    def on_end(self) -> None:
        """The last boundary has come."""
        self.ended = True

    def close(self) -> None:
        """Close the files; by itself the parser does that only where it has failed."""
        for file in self._files_to_close_on_error:
            file.close()


async def _parsed(request: Request, kind: str, stream: AsyncGenerator[bytes]) -> Fields:
    if kind == URLENCODED:
        plain = FormParser(request.headers, stream, max_fields=_MOST_FIELDS, max_part_size=TEXT_BYTES)
        return await _read(await plain.parse())
    parser = _InMemoryParser(
        _without_charset(request), stream, max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=TEXT_BYTES
    )
    try:
        data = await parser.parse()
        if not parser.ended:
            raise MultiPartException("it ends before its last boundary")
        return await _read(data)
    finally:
        parser.close()


def _without_charset(request: Request) -> Headers:
    """The content type with its boundary alone: names and texts are UTF-8, whatever codec a client would choose."""
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if boundary is None:
        raise MultiPartException("its content type names no boundary")
    quoted = boundary.replace(b"\\", b"\\\\").replace(b'"', b'\\"').decode("latin-1")
    return Headers({"content-type": f'{MULTIPART}; boundary="{quoted}"'})


async def _read(data: FormData) -> Fields:
    return [
        (name, Upload(value.filename or name, await value.read()) if isinstance(value, UploadFile) else value)
        for name, value in data.multi_items()
    ]


async def _limited(request: Request, max_bytes: int) -> AsyncGenerator[bytes]:
    arrived = 0
    async for chunk in request.stream():
        arrived += len(chunk)
        if arrived > max_bytes:
            raise _too_large(max_bytes)
        yield chunk
        await asyncio.sleep(0)  # others come in between two pieces of a body that is slow to take apart
    request.state.bytes_in = arrived


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"the body has more than the {max_bytes} bytes that this form may have; send smaller pictures", subject="body"
    )
