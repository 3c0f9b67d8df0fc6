"""The picture of a camera raw file: the largest preview in it, as LibRaw finds it; used in a decoder process alone.

Developing the raw samples would give a picture that nobody has seen, in seconds. The preview is what the camera and
every file manager show. A mere thumbnail is refused: it would be found by a copy of its size, not by the photo.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from lookalike.errors import RawWithoutPreviewError, UnsupportedFormatError
from lookalike.images.decode import decode
from lookalike.images.exif_orientation import apply_orientation, read_orientation, swaps_sides
from lookalike.images.formats import RAW
from lookalike.images.jpeg import read_ordinary_header
from lookalike.images.picture import Picture
from lookalike.options import ImageLimits

LEAST_SIDE = 480
"""Pixels that the shorter side of a preview must have, unless it is at least half as wide as the raw picture."""

_EXIF_ORIENTATION = {0: 1, 3: 3, 5: 8, 6: 6}
"""EXIF orientation for LibRaw's flip."""


def decode_raw(data: bytes, limits: ImageLimits, name: str, *, fit: int | None = None) -> Picture:
    """The largest preview in ``data``, upright.

    Raises `RawWithoutPreviewError` where there is none of use, `UnsupportedFormatError` where LibRaw does not know the
    file, and what `decode` raises of the preview.
    """
    try:
        import rawpy
    except ImportError as error:
        raise UnsupportedFormatError(
            f"{name} is a camera raw file, and the package rawpy is not installed here; save it as JPEG", subject=name
        ) from error
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            thumb, flip = raw.extract_thumb(), raw.sizes.flip
            raw_side = min(raw.sizes.width, raw.sizes.height)
    except (rawpy.LibRawError, ValueError, MemoryError) as error:
        raise _without_preview(name, f"no preview that can be read ({_text(error)})") from error
    if isinstance(thumb.data, bytes):
        if (
            read_ordinary_header(thumb.data) is None
        ):  # nothing but a JPEG: a raw file in a raw file would go on for ever
            raise _without_preview(name, "a preview that is no ordinary JPEG")
        picture = decode(thumb.data, limits=limits, name=name, fit=fit)
        pixels, (width, height) = picture.pixels, (picture.width, picture.height)
        is_turned = not _has_orientation(thumb.data)
    else:
        pixels = np.ascontiguousarray(thumb.data, np.uint8)
        (height, width), is_turned = pixels.shape[:2], True
    if min(width, height) < min(LEAST_SIDE, raw_side / 2):
        raise _without_preview(name, f"no preview larger than {width} × {height} pixels")
    orientation = _EXIF_ORIENTATION.get(flip, 1) if is_turned else 1
    if swaps_sides(orientation):
        width, height = height, width
    return Picture(apply_orientation(pixels, orientation), RAW, width, height)


def _has_orientation(jpeg: bytes) -> bool:
    """Whether the preview says by itself which way up it is, and `decode` has turned it."""
    with Image.open(io.BytesIO(jpeg)) as image:
        return read_orientation(image) != 1


def _without_preview(name: str, reason: str) -> RawWithoutPreviewError:
    return RawWithoutPreviewError(
        f"{name} is a camera raw file with {reason}; develop it and save it as JPEG", subject=name
    )


def _text(error: Exception) -> str:
    """LibRaw's message, which rawpy gives as bytes."""
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first) or type(error).__name__
