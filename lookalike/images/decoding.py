"""`decode`: the one way from a file's bytes to pixels, for indexing and for queries alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ImageFile

from lookalike.errors import ImageEmptyError, ImageError, ImageTooLargeError
from lookalike.images.colour import to_rgb
from lookalike.images.failures import FOREIGN_ERRORS, verdict
from lookalike.images.guards import DECODER_READS, CountedReader, muted, quiet_libraries
from lookalike.images.opening import check_size, open_header
from lookalike.images.upright import orientation, turned
from lookalike.options import ImageLimits


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: ``pixels`` is uint8 of shape (height, width, 3), RGB, upright; sizes are of these pixels.

    ``format`` is the name of the format the bytes were in, such as ``JPEG``.
    """

    pixels: npt.NDArray[np.uint8]
    format: str
    width: int
    height: int


def decode(data: bytes, *, limits: ImageLimits = ImageLimits(), name: str = "picture") -> Picture:  # noqa: B008
    """Decode the first frame of ``data`` to upright RGB; ``name`` is how messages call it. Thread-safe.

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
    quiet_libraries()
    with muted():
        image, reader = open_header(data, limits, name)
        format_name = image.format or "unnamed"
        try:
            return _load(image, reader, data, limits.max_pixels, name)
        except ImageError:
            raise
        except FOREIGN_ERRORS as error:
            raise verdict(error, data, reader, format_name, name) from error


def _load(image: ImageFile.ImageFile, reader: CountedReader, data: bytes, max_pixels: int, name: str) -> Picture:
    reader.allowance = DECODER_READS
    format_name = image.format or "unnamed"
    image.load()
    check_size(image, max_pixels, name)
    pixels = turned(to_rgb(image, data[24] if format_name == "PNG" else 8), orientation(image))
    return Picture(pixels, format_name, pixels.shape[1], pixels.shape[0])
