"""Grey samples of more than eight bits to bytes: by their tags, their whole range, or the range that they use.

1. A TIFF's tags SMinSampleValue and SMaxSampleValue, where they say a range, are black and white.
2. Unsigned samples of 9 to 16 bits keep their high eight bits, so that a picture looks like its eight-bit copy and a
   grey one like a colour one. Where they use less than a `NARROW_SHARE` of their range, it would show next to nothing:
   then the lowest is black and the highest white. Numbers of 12 bits in samples of 16 are such a case.
3. Floats within [0, 1] are black to white, unless they use as little of it. Other floats, and integers of 32 bits, go
   from their minimum to their maximum; what is not finite is black.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.images.bands import read_array, row_bands

Pixels = npt.NDArray[np.uint8]

NARROW_SHARE = 1 / 16
"""Share of their range below which samples are stretched: at most 16 of the 256 levels would be left."""

_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT, _LOWEST, _HIGHEST = 258, 262, 339, 340, 341  # tags of TIFF 6.0
_WHITE_IS_ZERO, _UNSIGNED_INTEGER = 0, 1


def grey_to_bytes(image: Image.Image) -> Pixels:
    """The loaded ``image`` of mode I, I;16 or F: (height, width) uint8, black 0."""
    values = grey_samples(image)
    if (window := _tagged_window(image)) is not None:
        grey = _stretch(values, *window)
    elif values.dtype == np.uint16:
        grey = uint16_to_bytes(values, _tag(image, _BITS, 16))
    else:
        grey = _numbers_to_bytes(values)
    return np.subtract(255, grey, dtype=np.uint8) if has_white_zero(image) else grey


def grey_samples(image: Image.Image) -> npt.NDArray[Any]:
    """The samples (height, width) as the file has them: uint16, uint32, int32 or float32."""
    values = read_array(image)
    if image.mode.startswith("I;16"):
        return np.asarray(values, np.uint16)
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return np.asarray(np.clip(values, 0, 65535), np.uint16)
    if image.mode == "I" and _tag(image, _SAMPLE_FORMAT, 1) == _UNSIGNED_INTEGER and _tag(image, _BITS, 0) == 32:
        return values.view(np.uint32)  # Pillow stores unsigned samples, bit for bit, in a signed mode
    return values


def has_white_zero(image: Image.Image) -> bool:
    """Whether a TIFF says that 0 is white, and Pillow has left the samples as they are."""
    return image.mode.startswith("I;16") and _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO


def uint16_to_bytes(values: npt.NDArray[np.uint16], bits: int = 16, *, window: tuple[int, int] | None = None) -> Pixels:
    """Samples of ``bits`` significant bits, of any shape: their high eight bits, or stretched if they use too few.

    ``window`` is the range that the picture uses, of which ``values`` may be a part; without it that of ``values``.
    """
    bits = bits if 8 < bits < 16 else 16
    low, high = window or (int(values.min()), int(values.max()))
    if low < high < (1 << bits) and high - low < NARROW_SHARE * (1 << bits):
        return _stretch(values, low, high)
    grey = np.empty(values.shape, np.uint8)
    for rows in row_bands(*values.shape[:2]):
        grey[rows] = np.minimum(values[rows] >> (bits - 8), 255)
    return grey


def _numbers_to_bytes(values: npt.NDArray[Any]) -> Pixels:
    ranges = [
        (float(band[finite].min()), float(band[finite].max()))
        for band in (values[rows] for rows in row_bands(*values.shape))
        if (finite := np.isfinite(band)).any()
    ]
    if not ranges:
        return np.zeros(values.shape, np.uint8)
    low, high = min(lowest for lowest, _ in ranges), max(highest for _, highest in ranges)
    is_unit = low >= 0.0 and high <= 1.0
    if is_unit and (high - low >= NARROW_SHARE or high == low):
        low, high = 0.0, 1.0
    return _stretch(values, low, high)


def _stretch(values: npt.NDArray[Any], low: float, high: float) -> Pixels:
    """``low`` and what is not finite to 0, ``high`` to 255."""
    scale = 255.0 / (high - low) if high > low else 0.0
    stretched = np.empty(values.shape, np.uint8)
    for rows in row_bands(*values.shape[:2]):
        numbers = values[rows].astype(np.float32)
        numbers[~np.isfinite(numbers)] = low
        with np.errstate(over="ignore", invalid="ignore"):  # the largest floats may overflow before they are clipped
            levels = (numbers - np.float32(low)) * np.float32(scale)
        stretched[rows] = np.clip(np.rint(levels), 0, 255)
    return stretched


def _tagged_window(image: Image.Image) -> tuple[float, float] | None:
    low, high = _tag(image, _LOWEST, None), _tag(image, _HIGHEST, None)
    if low is None or high is None or not np.isfinite((low, high)).all() or not low < high:
        return None
    return float(low), float(high)


def _tag(image: Image.Image, number: int, default: Any) -> Any:
    """First value of a TIFF tag; ``default`` where the picture is no TIFF or lacks the tag."""
    value: Any = getattr(image, "tag_v2", {}).get(number, default)
    if isinstance(value, tuple):
        value = value[0] if value else default
    return value if isinstance(value, int | float) else default
