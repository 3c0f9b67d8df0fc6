"""From bytes to a Pillow image whose header has been read and found affordable; no pixel is allocated yet.

The plugins are called one by one through Pillow's public registry instead of through ``Image.open``: that function
hides why a plugin refused, tries plugins that must not run (EPS), and has its own pixel limit in a global.
"""

from __future__ import annotations

import struct

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from lookalike.errors import TooManyPixelsError, UnsupportedFormatError
from lookalike.images import formats, headers
from lookalike.images.guards import CountedReader
from lookalike.images.pillow_errors import FOREIGN_ERRORS, verdict
from lookalike.options import ImageLimits

SLOW_PIXELS = 1 << 20
"""Pixel limit of what Pillow decodes in Python, one to four seconds a megapixel on one core: QOI, BLP, XPM, plain
and odd-maximum PPM, 16-bit DDS, packed FITS, run-length MSP."""

RUN_LENGTH_PIXELS = 8_000_000
"""The same for run-length BMP, which costs by the run and not by the pixel (reads bound it, see `guards`)."""

_FAST_IN_PYTHON = "SGI16"


def open_header(data: bytes, limits: ImageLimits, name: str) -> tuple[ImageFile.ImageFile, CountedReader]:
    """The opened image and the reader behind it; raises a leaf of `ImageError` that names ``name``."""
    known = formats.sniff(data)
    max_pixels = limits.max_pixels
    if known is None:
        return _attempt(data, max_pixels, name)
    if known == "JPEG2000":
        max_pixels = min(max_pixels, limits.max_jpeg2000_pixels)
    check_announced(known, data, max_pixels, name)
    reader = CountedReader(data)
    try:
        image = _open_as(known, reader)
    except FOREIGN_ERRORS as error:
        raise verdict(error, data, reader, known, name) from error
    check_size(image, max_pixels, name)
    return image, reader


def check_announced(known: str, data: bytes, max_pixels: int, name: str) -> None:
    """Raise a leaf of `ImageError` if the bytes, of the format ``known``, announce more work than allowed."""
    try:
        announced = headers.sizes(known, data)
    except headers.HeaderError as error:
        raise verdict(error, data, CountedReader(b""), known, name) from error
    for width, height in announced:
        _check(width, height, max_pixels, known, name)


def check_size(image: Image.Image, max_pixels: int, name: str) -> None:
    """Raise `TooManyPixelsError` if ``image`` has more pixels than its format may have."""
    what = image.format or "unnamed"
    for tile in getattr(image, "tile", []):
        codec = tile[0]
        if codec in Image.DECODERS and codec != _FAST_IN_PYTHON:
            max_pixels = min(max_pixels, RUN_LENGTH_PIXELS if codec == "bmp_rle" else SLOW_PIXELS)
            what = f"{image.format}, a variant that is slow to read"
    _check(image.width, image.height, max_pixels, what, name)


def _attempt(data: bytes, max_pixels: int, name: str) -> tuple[ImageFile.ImageFile, CountedReader]:
    foreign = formats.foreign(data[: formats.HEAD_BYTES])
    for candidate in () if foreign else formats.ATTEMPTED:
        reader = CountedReader(data)
        try:
            image = _open_as(candidate, reader)
        except FOREIGN_ERRORS:
            continue  # not this format: without a signature, a refusal is the answer to the question asked
        check_size(image, max_pixels, name)
        return image, reader
    what = f"is {foreign}, which is not read" if foreign else "is of no picture format that is read"
    raise UnsupportedFormatError(f"{name} {what}; save it as JPEG, PNG or WebP", subject=name)


def _open_as(format_name: str, reader: CountedReader) -> ImageFile.ImageFile:
    """The plugin's image; a JPEG followed by others (MPO) is the JPEG alone."""
    if format_name == "JPEG":
        return JpegImageFile(reader)
    Image.init()
    if format_name not in Image.OPEN:
        raise NotImplementedError("the installed Pillow does not read it")
    factory, accepts = Image.OPEN[format_name]
    if accepts is not None:
        prefix = reader.getvalue()[:16]
        try:
            accepted = accepts(prefix)
        except (IndexError, struct.error) as error:
            raise SyntaxError("the signature is cut short") from error
        if accepted is not True:
            raise SyntaxError(accepted or f"not a {format_name} file")
    return factory(reader, "")


def _check(width: int, height: int, max_pixels: int, what: str, name: str) -> None:
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"{name}: {width} × {height} pixels ({what}) are more than the limit of {max_pixels}; "
            "reduce its size or save it as JPEG",
            subject=name,
        )
