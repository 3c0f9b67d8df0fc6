"""Any of Pillow's modes to 8-bit sRGB, by one rule each.

- Transparency of every kind (alpha channel, premultiplied alpha, a palette's alpha, a transparent key colour) is
  composited over a ground on which the picture can be seen, almost always white, see ``transparency``.
- RGB, grey and CMYK go through the profile of the file to sRGB, see ``profiles`` and ``stored_profile``. Without one,
  RGB is taken as sRGB, and CMYK converted by the plain formula.
- Grey samples of 16 bits, floats and 32-bit integers go by their range, see ``grey_levels``. Colour samples of 16 bits
  keep their high byte, or are stretched by the same rule, see ``samples``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.images.grey_levels import grey_to_bytes
from lookalike.images.profiles import to_srgb
from lookalike.images.transparency import composite

Pixels = npt.NDArray[np.uint8]

_WITH_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La", "P"}


def to_rgb(image: Image.Image, png_depth: int = 8, profile: bytes | None = None) -> Pixels:
    """Pixels of the loaded ``image``: uint8 of shape (height, width, 3), contiguous and writable.

    ``png_depth`` is the bits a sample that a PNG's header gives; the scale of its transparent key depends on it.
    ``profile`` is the colour profile of the file.
    """
    mode = image.mode
    alpha: Image.Image | None = None
    if mode.startswith("I") or mode == "F":
        key = image.info.get("transparency")
        if isinstance(key, int):
            alpha = Image.fromarray(np.where(np.asarray(image) == key, np.uint8(0), np.uint8(255)))
        image = Image.fromarray(grey_to_bytes(image))
    else:
        rescale_key_colour(image, png_depth)
        if mode in _WITH_ALPHA or "transparency" in image.info:
            image, alpha = split_alpha(image)
        elif mode not in ("RGB", "L", "CMYK"):
            image = image.convert("RGB")
    rgb = to_srgb(image, profile)
    return np.array(rgb if alpha is None else composite(rgb, alpha), dtype=np.uint8)


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours, mode RGB or L and not premultiplied, and the opacity, mode L; None where every pixel is opaque."""
    alpha_may_be_unused = image.format in ("TGA", "BMP")
    is_grey = image.mode in ("L", "LA", "La")
    if image.mode in ("La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode not in ("RGBA", "LA"):
        image = image.convert("RGBA")
    alpha = image.getchannel("A")
    lowest, highest = alpha.getextrema()
    colours = image.convert("L" if is_grey else "RGB")
    if lowest == 255 or (highest == 0 and alpha_may_be_unused):
        return colours, None  # writers of TGA and BMP often leave the fourth byte of opaque pixels at 0
    return colours, alpha


def rescale_key_colour(image: Image.Image, depth: int) -> None:
    """Scale the transparent key colour of a PNG to the unpacked samples; Pillow leaves it at the file's bit depth."""
    key: Any = image.info.get("transparency")
    if image.mode == "L" and isinstance(key, int) and depth < 8:
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)
    elif image.mode == "RGB" and isinstance(key, tuple) and depth == 16:
        image.info["transparency"] = tuple(sample >> 8 for sample in key)
