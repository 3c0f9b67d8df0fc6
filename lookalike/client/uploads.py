"""A file on its way to the service, piece by piece, by the protocol tus."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lookalike.client.errors import ClientError, ConflictError, ConnectionFailedError, PictureError
from lookalike.client.pictures import require_bytes

PIECE_BYTES = 8 << 20
TUS_HEADERS = {"Tus-Resumable": "1.0.0"}
PIECE_TYPE = "application/offset+octet-stream"
_STATES = frozenset({"upload-offset-mismatch", "upload-locked"})
"""Codes of refusals after which the service is asked how much has arrived."""


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file that is open to be sent; ``length`` is in bytes."""

    name: str
    length: int
    file: BinaryIO

    def piece(self, offset: int) -> bytes:
        """The next bytes from a place on."""
        self.file.seek(offset)
        return self.file.read(PIECE_BYTES)

    def creation_headers(self) -> dict[str, str]:
        """What tus wants to know before the first piece."""
        name = base64.b64encode(self.name.encode()).decode()
        return {**TUS_HEADERS, "Upload-Length": str(self.length), "Upload-Metadata": f"filename {name}"}


@contextmanager
def open_upload(source: str | os.PathLike[str] | BinaryIO, filename: str | None) -> Iterator[UploadFile]:
    """Open a file by its path, or use an open one that is seekable. Raises PictureError."""
    if not isinstance(source, str | os.PathLike):
        name = filename or Path(str(getattr(source, "name", "upload.zip"))).name
        yield UploadFile(name, _length_of(source), source)
        return
    path = Path(source)
    try:
        file = path.open("rb")
    except OSError as error:
        raise PictureError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        yield UploadFile(filename or path.name, os.fstat(file.fileno()).st_size, file)


def _length_of(file: BinaryIO) -> int:
    try:
        length = file.seek(0, os.SEEK_END)
    except (AttributeError, OSError) as error:
        raise PictureError(
            "the file to upload must be seekable, so that it can go on after a lost connection, and this one is not: "
            "write the stream to a file and give its path"
        ) from error
    require_bytes(file.read(0))
    return length


def may_resume(error: ClientError) -> bool:
    """Whether a piece that was refused or lost may be sent again from where the service has got to."""
    return isinstance(error, ConnectionFailedError) or (isinstance(error, ConflictError) and error.code in _STATES)
