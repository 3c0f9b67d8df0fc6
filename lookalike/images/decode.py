"""`decode`: the one way from a file's bytes to pixels, for indexing and for queries alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ImageFile

from lookalike.errors import ImageEmptyError, ImageError, ImageTooLargeError
from lookalike.images.colour import to_rgb
from lookalike.images.exif_orientation import apply_orientation, read_orientation, swaps_sides
from lookalike.images.guards import DECODER_READS, ignore_pillow_warnings, silence_libraries
from lookalike.images.jpeg import OrdinaryHeader, decode_ordinary, read_ordinary_header, scale_for
from lookalike.images.open_header import check_header_sizes, check_size, open_header
from lookalike.images.pillow_errors import FOREIGN_ERRORS, to_image_error
from lookalike.options import ImageLimits


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: ``pixels`` is uint8 of shape (h, w, 3), RGB, upright; ``width`` and ``height`` are the file's.

    The shape of ``pixels`` is smaller only if `decode` was given ``fit``. ``format`` is the name of the file's format,
    such as ``JPEG``.
    """

    pixels: npt.NDArray[np.uint8]
    format: str
    width: int
    height: int

    @property
    def is_full_resolution(self) -> bool:
        """Whether ``pixels`` has every pixel of the file."""
        return self.pixels.shape[:2] == (self.height, self.width)


def decode(
    data: bytes,
    *,
    limits: ImageLimits = ImageLimits(),  # noqa: B008
    name: str = "picture",
    fit: int | None = None,
) -> Picture:
    """Decode the first frame of ``data`` to upright RGB; ``name`` is the picture's name in messages. Thread-safe.

    With ``fit`` (pixels) a JPEG is decoded at the smallest of 1, 1/2, 1/4, 1/8 of its size that leaves the shorter side
    at least ``fit``; other formats, and smaller pictures, are decoded in full. Which files are refused, and why, does
    not depend on it.

    Raises `ImageEmptyError`, `ImageTooLargeError` (bytes), `TooManyPixelsError` (header, before any pixel is
    allocated), `UnsupportedFormatError`, `ImageTruncatedError` or `ImageCorruptError`, and nothing else, whatever the
    bytes.
    """
    if not data:
        raise ImageEmptyError(f"{name} is empty (0 bytes); fetch the file again", subject=name)
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(
            f"{name} has {len(data)} bytes, more than the limit of {limits.max_bytes}; "
            "reduce its size or raise the limit",
            subject=name,
        )
    header = read_ordinary_header(data)
    if header is not None and not header.has_metadata:
        check_header_sizes("JPEG", data, limits.max_pixels, name)
        pixels = decode_ordinary(data, header, scale_for(header.width, header.height, fit))
        if pixels is not None:
            return Picture(pixels, "JPEG", header.width, header.height)
    return _decode_by_pillow(data, limits, name, header, fit)


def _decode_by_pillow(
    data: bytes, limits: ImageLimits, name: str, header: OrdinaryHeader | None, fit: int | None
) -> Picture:
    """By Pillow; if ``header`` says that the file is an ordinary JPEG, Pillow reads only its orientation."""
    silence_libraries()
    with ignore_pillow_warnings():
        image, reader = open_header(data, limits, name)
        format_name, size = image.format or "unnamed", image.size
        scale = 1 if header is None else scale_for(*size, fit)  # lossless JPEG, for one, has no other scale
        try:
            # An ordinary JPEG without metadata has been tried by `decode`.
            pixels = decode_ordinary(data, header, scale) if header and header.has_metadata else None
            if pixels is None:
                reader.allowance = DECODER_READS
                _load_first_frame(image, scale)
                check_size(image, limits.max_pixels, name)
                pixels = to_rgb(image, data[24] if format_name == "PNG" else 8)
                size = image.size if scale == 1 else size  # loading may give another size than the header
            orientation = read_orientation(image)
        except ImageError:
            raise
        except FOREIGN_ERRORS as error:
            raise to_image_error(error, data, reader, format_name, name) from error
    width, height = reversed(size) if swaps_sides(orientation) else size
    return Picture(apply_orientation(pixels, orientation), format_name, width, height)


def _load_first_frame(image: ImageFile.ImageFile, scale: int) -> None:
    """Decode the first frame of an animation, the first page of a TIFF, the merged image of a PSD.

    Pillow opens a file at that frame, and nothing here seeks another: one file is one picture in the collection, and
    the first frame is what viewers show without playing it. A JPEG is decoded at 1 / ``scale`` of its size.
    """
    if scale > 1:
        width, height = image.size
        image.draft(None, (width // scale, height // scale))
    image.load()
