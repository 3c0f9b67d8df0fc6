"""Any of Pillow's modes to 8-bit RGB, by one rule each.

- Transparency of every kind (alpha channel, premultiplied alpha, a palette's alpha, a transparent key colour) is
  composited over white: product cut-outs have a white background, and black would dominate the picture.
- CMYK goes through the embedded ICC profile to sRGB if there is one, since the plain formula is visibly wrong;
  without a profile, the plain formula. RGB and grey profiles are ignored on purpose: for finding similar pictures
  the difference is small, and almost every RGB picture is sRGB or close to it.
- 16-bit samples keep their high byte (``value >> 8``), as Pillow does for 16-bit colour, so that a grey and a colour
  copy agree; 12-bit TIFF keeps its high eight bits.
- Numbers without a display range (32-bit integers, floats): floats within [0, 1] are taken as black to white,
  anything else is stretched from its minimum to its maximum; what is not finite is black.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Pixels = npt.NDArray[np.uint8]

_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF 6.0
_WHITE_IS_ZERO, _UNSIGNED_INTEGER = 0, 1
_WITH_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La", "P"}


def to_rgb(image: Image.Image, png_depth: int = 8) -> Pixels:
    """Pixels of the loaded ``image``: uint8 of shape (height, width, 3), contiguous and writable.

    ``png_depth`` is the bits a sample that a PNG's header gives; the scale of its transparent key depends on it.
    """
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _grey_to_rgb(_numbers_to_bytes(image), _key_colour_mask(image))
    _rescale_key_colour(image, png_depth)
    if mode in _WITH_ALPHA or "transparency" in image.info:
        image = _composite_over_white(image)
    elif mode == "CMYK":
        image = _from_cmyk(image)
    elif mode != "RGB":
        image = image.convert("RGB")
    return np.array(image, dtype=np.uint8)


def _composite_over_white(image: Image.Image) -> Image.Image:
    alpha_may_be_unused = image.format in ("TGA", "BMP")
    if image.mode in ("La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode != "RGBA":
        image = image.convert("RGBA")
    alpha = image.getchannel("A")
    lowest, highest = alpha.getextrema()
    rgb = image.convert("RGB")
    if lowest == 255 or (highest == 0 and alpha_may_be_unused):
        return rgb  # writers of TGA and BMP often leave the fourth byte of opaque pixels at 0
    background = Image.new("RGB", image.size, (255, 255, 255))
    background.paste(rgb, mask=alpha)
    return background


def _rescale_key_colour(image: Image.Image, depth: int) -> None:
    """Scale the transparent key colour of a PNG to the unpacked samples; Pillow leaves it at the file's bit depth."""
    key: Any = image.info.get("transparency")
    if image.mode == "L" and isinstance(key, int) and depth < 8:
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)
    elif image.mode == "RGB" and isinstance(key, tuple) and depth == 16:
        image.info["transparency"] = tuple(sample >> 8 for sample in key)


def _from_cmyk(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if source.profile.xcolor_space.strip() == "CMYK":
                target = ImageCms.createProfile("sRGB")
                srgb = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
                if srgb is not None:
                    return srgb
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return image.convert("RGB")  # an unusable profile must not make the picture unreadable
    return image.convert("RGB")


def _numbers_to_bytes(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        bits = _tag(image, _BITS, 16)
        shift = bits - 8 if 8 < bits < 16 else 8
        grey: Pixels = np.minimum(values >> shift, 255).astype(np.uint8)
        return np.subtract(255, grey, dtype=np.uint8) if _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO else grey
    numbers = np.asarray(image)
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return _as_bytes(np.clip(numbers, 0, 65535) >> 8)
    if image.mode == "I" and _tag(image, _SAMPLE_FORMAT, 1) == _UNSIGNED_INTEGER and _tag(image, _BITS, 0) == 32:
        numbers = numbers.view(np.uint32)  # Pillow stores unsigned samples, bit for bit, in a signed mode
    return _stretch_to_bytes(numbers.astype(np.float32, copy=False))


def _stretch_to_bytes(values: npt.NDArray[np.float32]) -> Pixels:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[finite].min()), float(values[finite].max())
    if low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    scale = 255.0 / (high - low) if high > low else 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # the largest floats may overflow before they are clipped
        levels = (np.where(finite, values, np.float32(low)) - np.float32(low)) * np.float32(scale)
    return _as_bytes(np.clip(np.rint(levels), 0, 255))


def _as_bytes(values: npt.NDArray[Any]) -> Pixels:
    return np.asarray(values, dtype=np.uint8) if values.dtype == np.uint8 else values.astype(np.uint8)


def _tag(image: Image.Image, number: int, default: int) -> int:
    """First value of a TIFF tag; ``default`` where the picture is no TIFF or lacks the tag."""
    value: Any = getattr(image, "tag_v2", {}).get(number, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _key_colour_mask(image: Image.Image) -> npt.NDArray[np.bool_] | None:
    key = image.info.get("transparency")
    return np.asarray(image) == key if isinstance(key, int) else None


def _grey_to_rgb(values: Pixels, transparent: npt.NDArray[np.bool_] | None) -> Pixels:
    if transparent is not None:
        values = np.where(transparent, np.uint8(255), values)
    return np.repeat(values[:, :, None], 3, axis=2)
