"""Pictures as callers have them, and as they are sent: a name and the bytes of a file."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lookalike.client.errors import PictureError

_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""Pillow's modes that a PNG keeps as they are."""
_RGB_SHAPE = "height, width, 3"


@runtime_checkable
class ReadableFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self) -> bytes:
        """The rest of it."""
        ...


@runtime_checkable
class PillowPicture(Protocol):
    """A ``PIL.Image.Image``; Pillow itself is not imported here."""

    @property
    def mode(self) -> str:
        """Pillow's name of its kind of pixels."""
        ...

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Write it to a file."""
        ...

    def getexif(self) -> Any:
        """What its file said of it, among that how it is to be turned."""
        ...


@runtime_checkable
class PixelArray(Protocol):
    """A numpy array of upright RGB pixels (height, width, 3), uint8; numpy itself is not imported here."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its size."""
        ...

    @property
    def dtype(self) -> Any:
        """The type of its numbers."""
        ...


Picture = str | os.PathLike[str] | bytes | ReadableFile | PillowPicture | PixelArray
"""A path, the bytes of a file, an open file, a Pillow image or an RGB array."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key of an indexed picture, where a path could be meant as well."""

    text: str


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture as it is sent; ``name`` is what answers call it."""

    name: str
    data: bytes


def picture_list(pictures: Picture | Sequence[Picture]) -> list[Picture]:
    """One picture, or several, as a list."""
    return list(pictures) if isinstance(pictures, list | tuple) else [pictures]  # type: ignore[list-item]


def read_once(pictures: Picture | Sequence[Picture] | None) -> list[Picture] | None:
    """Pictures as bytes, which can be sent again and again, as an open file cannot. Raises PictureError."""
    return None if pictures is None else [read_picture(picture).data for picture in picture_list(pictures)]


def read_picture(picture: Picture, name: str | None = None) -> PictureFile:
    """Read or write the bytes of a picture's file; ``name`` stands for the one that it has. Raises PictureError."""
    if isinstance(picture, bytes | bytearray | memoryview):
        return PictureFile(name or "picture", bytes(picture))
    if isinstance(picture, str | os.PathLike):
        path = Path(picture)
        return PictureFile(name or path.name, _read_file(path, could_be_key=isinstance(picture, str)))
    if isinstance(picture, PillowPicture):
        return PictureFile(name or "picture.png", _write_png(picture))
    if isinstance(picture, PixelArray):
        return PictureFile(name or "picture.png", _write_array(picture))
    if isinstance(picture, ReadableFile):
        return PictureFile(name or _file_name(picture), require_bytes(picture.read()))
    raise PictureError(
        "a picture must be a path, the bytes of a file, a file open for reading bytes, a Pillow image or an RGB array, "
        f"not {type(picture).__name__}"
    )


def _read_file(path: Path, *, could_be_key: bool) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        advice = f'; an indexed picture is key="{path}" in a search, and Key("{path}") in a comparison'
        raise PictureError(f"there is no file {path}{advice if could_be_key else ''}") from error
    except OSError as error:
        raise PictureError(f"{path} cannot be read: {error.strerror}") from error


def require_bytes(data: object) -> bytes:
    """What an open file gave, if it is bytes; raises PictureError for text."""
    if not isinstance(data, bytes):
        raise PictureError('the file gives text: open it for reading bytes, open(path, "rb")')
    return data


def _file_name(file: ReadableFile) -> str:
    name = getattr(file, "name", None)
    return Path(name).name if isinstance(name, str) else "picture"


def _write_png(picture: PillowPicture) -> bytes:
    if picture.mode not in _PNG_MODES:
        raise PictureError(
            f"an image of mode {picture.mode} cannot be sent as PNG without a change of its pixels: convert it, "
            'image.convert("RGB"), or give the path of its file'
        )
    file = io.BytesIO()
    # Pillow does not turn a photo as its file says; sent along, the service does.
    picture.save(file, "PNG", exif=picture.getexif(), compress_level=1)
    return file.getvalue()


def _write_array(pixels: PixelArray) -> bytes:
    if len(pixels.shape) != 3 or pixels.shape[2] != 3 or str(pixels.dtype) != "uint8":
        raise PictureError(f"an array must have the shape ({_RGB_SHAPE}) and dtype uint8, not {_description(pixels)}")
    from lookalike.images import encode_png  # numpy is there already, and this loads Pillow

    return encode_png(pixels)  # type: ignore[arg-type]  # what numpy's type is called is not known here


def _description(pixels: PixelArray) -> str:
    return f"{pixels.shape} and {pixels.dtype}"
