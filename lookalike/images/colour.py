"""Any of Pillow's modes to 8-bit sRGB, by one rule each.

- Transparency of every kind (alpha channel, premultiplied alpha, a palette's alpha, a transparent key colour) is
  composited over a ground on which the picture can be seen, almost always white, see ``transparency``.
- RGB, grey and CMYK go through the profile of the file to sRGB, see ``profiles`` and ``stored_profile``. Without one,
  RGB is taken as sRGB, and CMYK converted by the plain formula.
- Grey samples of 16 bits, floats and 32-bit integers go by their range, see ``grey_levels``. Colour samples of 16 bits
  keep their high byte, or are stretched by the same rule, see ``samples``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.images.bands import image_band, row_bands
from lookalike.images.grey_levels import grey_to_bytes
from lookalike.images.profiles import to_srgb
from lookalike.images.transparency import composite, ground_level

Pixels = npt.NDArray[np.uint8]

_WITH_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La", "P"}
_GROUND_SAMPLES = 1 << 14


def to_rgb(image: Image.Image, png_depth: int = 8, profile: bytes | None = None) -> Pixels:
    """Pixels of the loaded ``image``: uint8 of shape (height, width, 3), contiguous and writable.

    ``png_depth`` is the bits a sample that a PNG's header gives; the scale of its transparent key depends on it.
    ``profile`` is the colour profile of the file.
    """
    alpha: Image.Image | None = None
    if image.mode.startswith("I") or image.mode == "F":
        alpha = _key_alpha(image)
        image = Image.fromarray(grey_to_bytes(image))
    else:
        rescale_key_colour(image, png_depth)
    has_alpha = alpha is not None or has_transparency(image)
    ground = _ground(image, alpha) if has_alpha else None
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows in row_bands(image.height, image.width):
        band = image_band(image, rows)
        band_alpha = None if alpha is None else image_band(alpha, rows)
        if has_alpha and band_alpha is None:
            band, band_alpha = split_alpha(band)
        elif band.mode not in ("RGB", "L", "CMYK"):
            band = band.convert("RGB")
        rgb = to_srgb(band, profile)
        pixels[rows] = np.asarray(rgb if band_alpha is None or ground is None else composite(rgb, band_alpha, ground))
    return pixels


def has_transparency(image: Image.Image) -> bool:
    """Whether ``image`` has an opacity that means something."""
    if image.mode not in _WITH_ALPHA and "transparency" not in image.info:
        return False
    if image.format in ("TGA", "BMP") and image.mode in ("RGBA", "LA"):
        # Writers of these often leave the fourth byte of opaque pixels at 0.
        return image.getchannel("A").getextrema() != (0, 0)
    return image.mode != "P" or "transparency" in image.info or image.palette is None or image.palette.mode != "RGB"


def _ground(image: Image.Image, alpha: Image.Image | None) -> int:
    """The ground's level by a sample of the pixels: it depends on shares, and some 16 000 of them give these."""
    step = max(1, math.isqrt(image.width * image.height // _GROUND_SAMPLES))
    if step > 1:
        size = (-(-image.width // step), -(-image.height // step))
        image = image.resize(size, Image.Resampling.NEAREST)
        alpha = None if alpha is None else alpha.resize(size, Image.Resampling.NEAREST)
    colours, opacity = (image, alpha) if alpha is not None else split_alpha(image)
    return ground_level(np.asarray(colours.convert("RGB")), np.asarray(opacity))


def _key_alpha(image: Image.Image) -> Image.Image | None:
    """The opacity of grey numbers, of which one value is transparent; None if there is none."""
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return None
    return Image.fromarray(np.where(np.asarray(image) == key, np.uint8(0), np.uint8(255)))


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The colours, mode RGB or L and not premultiplied, and the opacity, mode L."""
    is_grey = image.mode in ("L", "LA", "La")
    if image.mode in ("La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode not in ("RGBA", "LA"):
        image = image.convert("RGBA")
    return image.convert("L" if is_grey else "RGB"), image.getchannel("A")


def rescale_key_colour(image: Image.Image, depth: int) -> None:
    """Scale the transparent key colour of a PNG to the unpacked samples; Pillow leaves it at the file's bit depth."""
    key: Any = image.info.get("transparency")
    if image.mode == "L" and isinstance(key, int) and depth < 8:
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)
    elif image.mode == "RGB" and isinstance(key, tuple) and depth == 16:
        image.info["transparency"] = tuple(sample >> 8 for sample in key)
