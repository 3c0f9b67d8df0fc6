"""The body of a request, written to an upload while it arrives: never more than a mebibyte of it is in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from lookalike.options import MEBIBYTE
from service.completion import complete
from service.errors import BodyTooLargeError, UploadTimeoutError
from service.http.body import announced_bytes
from service.jobs.upload_store import UploadFile, UploadInfo


async def write_body(request: Request, upload: UploadInfo, *, timeout: float) -> None:
    """Append the body to an upload, whose lock the caller has; what has arrived stays, however this ends.

    ``timeout`` is in seconds without a byte. Raises BodyTooLargeError for more than the upload may still get,
    UploadTimeoutError, StorageInsufficientError, and ClientDisconnect.
    """
    remaining = upload.length - upload.offset
    if announced_bytes(request, default=0) > remaining:
        raise _too_long(upload)
    file = UploadFile(upload)
    pieces: list[bytes] = []
    size = byte_count = 0
    try:
        async for piece in _pieces(request, timeout):
            byte_count += len(piece)
            request.state.bytes_in = byte_count
            if byte_count > remaining:
                raise _too_long(upload)
            pieces.append(piece)
            size += len(piece)
            if size >= MEBIBYTE:
                # Given up before they are written: what a failed write has left of them must not be written again.
                batch, pieces, size = pieces, [], 0
                await complete(asyncio.to_thread(file.write, batch))
    finally:
        # A client that leaves has sent what it has sent.
        await complete(asyncio.to_thread(_write_last, file, pieces))


async def _pieces(request: Request, timeout: float) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(timeout):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise UploadTimeoutError(
                f"nothing arrived for {timeout:g} s: ask with HEAD how far the upload came, and go on from there"
            ) from error
        if piece is None:
            return
        yield piece


def _write_last(file: UploadFile, pieces: list[bytes]) -> None:
    try:
        file.write(pieces)
    finally:
        file.close()


def _too_long(upload: UploadInfo) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"the body is longer than the {upload.length - upload.offset} bytes that are left of this upload's "
        f"{upload.length}",
        subject="body",
    )
