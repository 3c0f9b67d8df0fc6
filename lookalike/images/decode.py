"""`decode`: the one way from a file's bytes to pixels, for indexing and for queries alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ImageFile

from lookalike.errors import ImageEmptyError, ImageError, ImageTooLargeError
from lookalike.images.colour import to_rgb
from lookalike.images.exif_orientation import orientation, turned
from lookalike.images.guards import DECODER_READS, CountedReader, muted, quiet_libraries
from lookalike.images.jpeg import Frame, decode_ordinary, ordinary, scale_for
from lookalike.images.open_header import check_announced, check_size, open_header
from lookalike.images.pillow_errors import FOREIGN_ERRORS, verdict
from lookalike.options import ImageLimits


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: ``pixels`` is uint8 of shape (h, w, 3), RGB, upright; ``width`` and ``height`` are the file's.

    They are the same unless `decode` was told to what the pixels need to ``fit``. ``format`` is the name of the format
    the bytes were in, such as ``JPEG``.
    """

    pixels: npt.NDArray[np.uint8]
    format: str
    width: int
    height: int

    @property
    def whole(self) -> bool:
        """Whether ``pixels`` has every pixel of the file."""
        return self.pixels.shape[:2] == (self.height, self.width)


def decode(
    data: bytes,
    *,
    limits: ImageLimits = ImageLimits(),  # noqa: B008
    name: str = "picture",
    fit: int | None = None,
) -> Picture:
    """Decode the first frame of ``data`` to upright RGB; ``name`` is how messages call it. Thread-safe.

    With ``fit`` (pixels) a JPEG is decoded at the smallest of 1, 1/2, 1/4, 1/8 of its size at which the shorter side
    keeps at least so many; other formats, and smaller pictures, come in full. The verdict does not depend on it.

    Raises `ImageEmptyError`, `ImageTooLargeError` (bytes), `TooManyPixelsError` (header, before any pixel is
    allocated), `UnsupportedFormatError`, `ImageTruncatedError` or `ImageCorruptError`. Only ever one of these,
    whatever the bytes.
    """
    if not data:
        raise ImageEmptyError(f"{name} is empty (0 bytes); fetch the file again", subject=name)
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(
            f"{name} has {len(data)} bytes, more than the limit of {limits.max_bytes}; "
            "reduce its size or raise the limit",
            subject=name,
        )
    frame = ordinary(data)
    if frame is not None and frame.bare:
        check_announced("JPEG", data, limits.max_pixels, name)
        pixels = decode_ordinary(data, frame, scale_for(frame.width, frame.height, fit))
        if pixels is not None:
            return Picture(pixels, "JPEG", frame.width, frame.height)
    return _decode_patiently(data, limits, name, frame, fit)


def _decode_patiently(data: bytes, limits: ImageLimits, name: str, frame: Frame | None, fit: int | None) -> Picture:
    """By Pillow, or by Pillow's reading of the header alone if ``frame`` says that the file is an ordinary JPEG."""
    quiet_libraries()
    with muted():
        image, reader = open_header(data, limits, name)
        format_name = image.format or "unnamed"
        try:
            return _load(image, reader, data, (frame, fit, limits.max_pixels), name)
        except ImageError:
            raise
        except FOREIGN_ERRORS as error:
            raise verdict(error, data, reader, format_name, name) from error


def _load(
    image: ImageFile.ImageFile,
    reader: CountedReader,
    data: bytes,
    how: tuple[Frame | None, int | None, int],
    name: str,
) -> Picture:
    frame, fit, max_pixels = how
    format_name = image.format or "unnamed"
    width, height = image.size
    scale = 1 if frame is None else scale_for(width, height, fit)  # lossless JPEG, for one, has no other scale
    pixels = None if frame is None or frame.bare else decode_ordinary(data, frame, scale)  # a bare one was tried
    if pixels is None:
        reader.allowance = DECODER_READS
        if scale > 1:
            image.draft(None, (width // scale, height // scale))
        image.load()
        check_size(image, max_pixels, name)
        pixels = to_rgb(image, data[24] if format_name == "PNG" else 8)
        if scale == 1:
            width, height = image.size  # loading may tell another size than the header
    value = orientation(image)
    if value >= 5:
        width, height = height, width
    return Picture(turned(pixels, value), format_name, width, height)
