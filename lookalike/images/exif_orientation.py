"""The eight EXIF orientations (tag 0x0112 of the EXIF 2.3 specification), applied to pixels.

The tag says which edges of the scene the stored first row and first column are; each entry below is the transform
that puts row 0 at the top and column 0 at the left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.images.pillow_errors import FOREIGN_ERRORS

Pixels = npt.NDArray[np.uint8]
_ORIENTATION = 0x0112
_UPRIGHT_FORMATS = ("TIFF", "HEIF", "JPEGXL")


def read_orientation(image: Image.Image) -> int:
    """1 to 8 as the picture's metadata has it; 1 where the tag is missing, out of range, or cannot be parsed.

    Broken metadata is no error: the picture is shown as it is stored. Decoders of TIFF, HEIF and JPEG XL have already
    turned the pixels.
    """
    if image.format in _UPRIGHT_FORMATS:
        return 1
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except FOREIGN_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def swaps_sides(orientation: int) -> bool:
    """Whether the orientation exchanges width and height."""
    return orientation >= 5


def apply_orientation(pixels: Pixels, orientation: int) -> Pixels:
    """``pixels`` (height, width, 3) with row 0 at the top and column 0 at the left; contiguous."""
    if swaps_sides(orientation):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
