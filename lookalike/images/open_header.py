"""From bytes to a Pillow image whose header has been read and is within the limits; no pixel is allocated yet.

The plugins are called one by one through Pillow's public registry instead of through ``Image.open``: that function
hides why a plugin refused, tries plugins that must not run (EPS), and has its own pixel limit in a global.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile, jpeg_factory

from lookalike.errors import TooManyPixelsError, UnsupportedFormatError
from lookalike.images import formats, headers
from lookalike.images.guards import CountedReader
from lookalike.images.isolated_formats import open_isolated
from lookalike.images.pillow_errors import FOREIGN_ERRORS, to_image_error
from lookalike.options import ImageLimits

SLOW_PIXELS = 1 << 20
"""Pixel limit of what Pillow decodes in Python, one to four seconds a megapixel on one core: QOI, BLP, XPM, plain
and odd-maximum PPM, 16-bit DDS, packed FITS, run-length MSP."""

RUN_LENGTH_PIXELS = 8_000_000
"""The same for run-length BMP, whose cost grows with the runs, not the pixels (reads bound it, see `guards`)."""

_FAST_PYTHON_CODEC = "SGI16"


def open_header(data: bytes, limits: ImageLimits, name: str) -> tuple[ImageFile.ImageFile, CountedReader]:
    """The opened image and the reader behind it; raises a leaf of `ImageError` that names ``name``.

    Of a JPEG followed by others (MPO) it is the first alone.
    """
    return _open(data, limits, name, JpegImageFile)


def open_pages(data: bytes, limits: ImageLimits, name: str) -> tuple[ImageFile.ImageFile, CountedReader]:
    """`open_header`, with the pictures that follow in an MPO as further frames."""
    return _open(data, limits, name, jpeg_factory)


def _open(
    data: bytes, limits: ImageLimits, name: str, open_jpeg: Callable[[CountedReader], ImageFile.ImageFile]
) -> tuple[ImageFile.ImageFile, CountedReader]:
    format_name = formats.format_of(data)
    max_pixels = limits.max_pixels
    if format_name is None:
        return _try_weak_signatures(data, max_pixels, name)
    if format_name == "JPEG2000":
        max_pixels = min(max_pixels, limits.max_jpeg2000_pixels)
    check_header_sizes(format_name, data, max_pixels, name)
    reader = CountedReader(data)
    try:
        image = open_jpeg(reader) if format_name == "JPEG" else _open_as(format_name, reader)
    except FOREIGN_ERRORS as error:
        raise to_image_error(error, data, reader, format_name, name) from error
    check_size(image, max_pixels, name)
    return image, reader


def check_header_sizes(format_name: str, data: bytes, max_pixels: int, name: str) -> None:
    """Raise a leaf of `ImageError` if the header of ``data`` asks for more work than allowed."""
    try:
        sizes = headers.sizes(format_name, data)
    except headers.HeaderError as error:
        raise to_image_error(error, data, CountedReader(b""), format_name, name) from error
    for width, height in sizes:
        _check_pixels(width, height, max_pixels, format_name, name)


def check_size(image: Image.Image, max_pixels: int, name: str) -> None:
    """Raise `TooManyPixelsError` if ``image`` has more pixels than its format may have."""
    format_note = image.format or "unnamed"
    for tile in getattr(image, "tile", []):
        codec = tile[0]
        if codec in Image.DECODERS and codec != _FAST_PYTHON_CODEC:
            max_pixels = min(max_pixels, RUN_LENGTH_PIXELS if codec == "bmp_rle" else SLOW_PIXELS)
            format_note = f"{image.format}, a variant that is slow to read"
    _check_pixels(image.width, image.height, max_pixels, format_note, name)


def _try_weak_signatures(data: bytes, max_pixels: int, name: str) -> tuple[ImageFile.ImageFile, CountedReader]:
    unreadable = formats.unreadable_format(data[: formats.HEAD_BYTES])
    for candidate in () if unreadable else formats.WEAK_SIGNATURE_FORMATS:
        reader = CountedReader(data)
        try:
            image = _open_as(candidate, reader)
        except FOREIGN_ERRORS:
            continue  # not this format: without a signature, only the decoder can tell
        check_size(image, max_pixels, name)
        return image, reader
    reason = f"is {unreadable}, which is not read" if unreadable else "is of no picture format that is read"
    raise UnsupportedFormatError(f"{name} {reason}; {formats.remedy(unreadable)}", subject=name)


def _open_as(format_name: str, reader: CountedReader) -> ImageFile.ImageFile:
    """The plugin's image."""
    if format_name in formats.SCALED:
        return open_isolated(format_name, reader)
    Image.init()
    if format_name not in Image.OPEN:
        raise NotImplementedError("the installed Pillow does not read it")
    factory, accept = Image.OPEN[format_name]
    if accept is not None:
        prefix = reader.getvalue()[:16]
        try:
            is_accepted = accept(prefix)
        except (IndexError, struct.error) as error:
            raise SyntaxError("the signature is cut short") from error
        if is_accepted is not True:
            raise SyntaxError(is_accepted or f"not a {format_name} file")
    return factory(reader, "")


def _check_pixels(width: int, height: int, max_pixels: int, format_note: str, name: str) -> None:
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"{name}: {width} × {height} pixels ({format_note}) are more than the limit of {max_pixels}; "
            "reduce its size or save it as JPEG",
            subject=name,
        )
