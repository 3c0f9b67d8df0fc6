"""Pictures as callers give them: a path, the bytes of a file, or an array of pixels; read, decoded and checked here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.encoder import preprocess
from lookalike.encoder.base import RGB
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EntryMissingError, EntryUnreadableError, ImageTooLargeError, VectorsInvalidError
from lookalike.images import decode
from lookalike.options import ImageLimits

Image = str | os.PathLike[str] | bytes | RGB
_KINDS = "a path, the bytes of a file, or an upright RGB array (height, width, 3) uint8"


@dataclass(frozen=True, slots=True, eq=False)
class OpenPicture:
    """The bytes of a picture's file, or what stands for them in an array, and the pixels that the encoder is given.

    ``whole`` says whether ``pixels`` are all pixels of the file; a large one is decoded smaller.
    """

    data: bytes
    pixels: RGB
    name: str
    whole: bool


def check_many(images: Iterable[Image]) -> Iterable[Image]:
    """``images`` if it is several pictures; raises VectorsInvalidError for one alone, which is iterable too."""
    if isinstance(images, str | os.PathLike | bytes | bytearray):
        description = "bytes" if isinstance(images, bytes | bytearray) else repr(os.fspath(images))
        raise VectorsInvalidError(
            f"pictures must be given as a list, not {description} alone: give [picture]", subject="images"
        )
    if isinstance(images, np.ndarray) and images.ndim < 4:
        raise VectorsInvalidError(
            f"pictures must be given as a list, not one array of the shape {images.shape}: give [picture]",
            subject="images",
        )
    if not isinstance(images, Iterable):
        raise VectorsInvalidError(
            f"pictures must be given as a list, not {type(images).__name__}: give [picture]", subject="images"
        )
    return images


def open_picture(image: Image, limits: ImageLimits, fit: int | None) -> OpenPicture:
    """Read and decode a picture; ``fit`` is the least that its shorter side must keep, None for all pixels.

    Raises VectorsInvalidError for what is no picture at all, EntryMissingError, EntryUnreadableError, and a leaf of
    ImageError that names the picture.
    """
    if isinstance(image, np.ndarray):
        preprocess.check_picture(image)
        return OpenPicture(repr(image.shape).encode() + image.tobytes(), image, "an array", whole=True)
    if isinstance(image, bytes):
        name, data = "picture", image
    else:
        path = _path(image)
        name, data = str(path), _read(path, limits.max_bytes)
    picture = decode(data, limits=limits, name=name, fit=fit)
    return OpenPicture(data, picture.pixels, name, picture.is_full_resolution)


def prepare(image: Image, spec: EncoderSpec, *, limits: ImageLimits | None = None) -> RGB:
    """The square (S, S, 3) uint8 that an encoder of this spec is given for a picture, S ``spec.input_size``.

    It is the input of an exported network: ``EncoderSpec.from_dict`` reads ``spec`` from the file OUT.json that
    ``export`` writes. Raises what ``open_picture`` raises.
    """
    return preprocess.prepare(open_picture(image, limits or ImageLimits(), spec.decode_side).pixels, spec)


def _path(image: str | os.PathLike[str]) -> Path:
    try:
        return Path(image)
    except TypeError as error:
        if isinstance(image, list | tuple):
            raise VectorsInvalidError(
                f"one picture is wanted here, not a {type(image).__name__} of {len(image)}: encode and search_many "
                "take several",
                subject="image",
            ) from error
        advice = "; give np.asarray(image.convert('RGB'))" if type(image).__module__.startswith("PIL") else ""
        raise VectorsInvalidError(
            f"a picture must be {_KINDS}, not {type(image).__name__}{advice}", subject="image"
        ) from error


def _read(path: Path, max_bytes: int) -> bytes:
    """A file's content, cut one byte above the limit; raises ImageTooLargeError with its size before it is read."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise ImageTooLargeError(
                    f"{path} has {size} bytes, more than the limit of {max_bytes}: save it as JPEG, or "
                    "with fewer pixels; a collection takes the --max-megabytes that it was indexed with, and "
                    "Encoder.load `limits`",
                    subject=str(path),
                )
            return file.read(max_bytes + 1)
    except IsADirectoryError as error:
        raise EntryUnreadableError(
            f"{path} is a folder, and a picture is wanted: name a file in it; `python -m indexer index` takes folders",
            subject=str(path),
        ) from error
    except FileNotFoundError as error:
        raise EntryMissingError(f"there is no file {path}", subject=str(path)) from error
    except OSError as error:
        raise EntryUnreadableError(f"{path} cannot be read: {error.strerror}", subject=str(path)) from error
