"""The samples of a picture as its file has them: every channel, opacity and hidden colours included, at full depth.

Pillow keeps eight bits of colour samples of sixteen. Its unpackers for the two byte orders keep one byte each, so that
a second pass with the other order gives the low bytes.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from lookalike.images.bands import image_band, row_bands
from lookalike.images.colour import has_transparency, rescale_key_colour, split_alpha
from lookalike.images.grey_levels import NARROW_SHARE, grey_samples, has_white_zero, uint16_to_bytes
from lookalike.images.profiles import profile_tag
from lookalike.images.stored_profile import stored_profile

Samples = npt.NDArray[Any]

_NATIVE = "L" if sys.byteorder == "little" else "B"
_DEEP = re.compile(";16[LBN]")  # BGR;16 is five, six and five bits in two bytes
_SWAPPABLE = re.compile("(RGB|RGBA|CMYK);16[LBN]")
_COLOUR_MODES = ("RGB", "L", "CMYK")


class SamplesReducedError(Exception):
    """The decoder gives fewer bits than the file has."""


def deep_rawmode(image: ImageFile.ImageFile) -> str | None:
    """The unpacker of colour samples of 16 bits that the opened, not yet loaded ``image`` will use; None for others."""
    for tile in getattr(image, "tile", []):
        rawmode = tile[3][0] if isinstance(tile[3], tuple) and tile[3] else tile[3]
        if isinstance(rawmode, str) and _DEEP.search(rawmode) and not rawmode.startswith(("I;", "F;")):
            return rawmode
    return None


def has_low_bytes(rawmode: str) -> bool:
    """Whether Pillow can unpack the low bytes of what ``rawmode`` unpacks the high bytes of."""
    return _SWAPPABLE.fullmatch(rawmode) is not None


def use_other_bytes(image: ImageFile.ImageFile, rawmode: str) -> None:
    """Make the opened ``image`` load the low bytes of its samples; raises `SamplesReducedError` if Pillow cannot."""
    if not has_low_bytes(rawmode):
        raise SamplesReducedError
    order = _NATIVE if rawmode.endswith("N") else rawmode[-1]
    other = rawmode[:-1] + ("B" if order == "L" else "L")
    image.tile = [
        tile._replace(args=(other, *tile[3][1:]) if isinstance(tile[3], tuple) else other) for tile in image.tile
    ]


def loses_bits(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Whether Pillow will give fewer bits than the opened ``image`` has, or not all of its frames."""
    if image.format == "AVIF":
        start = data.find(b"av1C")
        return start > 0 and bool(data[start + 6] & 0x40)  # high_bitdepth of AV1-ISOBMFF's configuration
    if image.format == "JPEG2000":
        start = data.find(b"\xff\x4f\xff\x51")
        return len(image.getbands()) > 1 and start >= 0 and data[start + 42] & 0x7F > 7  # SIZ's depth less one
    if image.format == "PPM":
        return len(image.getbands()) > 1 and any(tile[0] == "ppm" for tile in image.tile)
    if image.format == "SGI":
        return deep_rawmode(image) is not None
    depth = max(int(image.info.get(key, 8)) for key in ("bit_depth", "bits_per_sample"))  # of HEIF, of JPEG XL
    return depth > 8 or (image.format == "JPEGXL" and bool(getattr(image, "is_animated", False)))


def own_samples(
    image: Image.Image, data: bytes, low: Image.Image | None = None, *, is_first: bool = True
) -> tuple[Samples, str]:
    """The samples of the loaded ``image`` (height, width, channels) and a tag of what they mean, empty for sRGB.

    ``low`` is the same picture with the low bytes of its samples; ``is_first`` is False for later frames. Equal
    pictures give equal samples in whatever format they are stored: grey is three equal channels, opacity that is full
    everywhere is left out, and samples of 16 bits that say no more than 8 are 8.
    """
    profile = stored_profile(image, data)
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _number_samples(image, profile)
    if low is not None:
        return _deep_samples(image, low, profile)
    if mode in ("CMYK", "LAB"):
        return np.asarray(image), mode + profile_tag(profile, mode)
    if is_first:  # the key colour stays with the image from frame to frame
        rescale_key_colour(image, data[24] if image.format == "PNG" else 8)
    alpha: Image.Image | None = None
    if has_transparency(image):
        image, alpha = split_alpha(image)
        alpha = None if alpha.getextrema() == (255, 255) else alpha
    tag = profile_tag(profile, image.mode if image.mode in _COLOUR_MODES else "RGB")
    colours = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return (colours if alpha is None else np.dstack([colours, np.asarray(alpha)])), tag


def uses_little_range(image: Image.Image) -> bool:
    """Whether the high bytes of a loaded ``image`` with colour samples of 16 bits leave next to nothing to see."""
    if image.mode not in ("RGB", "RGBA") or "transparency" in image.info:
        return False
    lowest, highest = 255, 0
    for rows in row_bands(image.height, image.width):
        band = np.asarray(image_band(image, rows))[:, :, :3]
        lowest, highest = min(lowest, int(band.min())), max(highest, int(band.max()))
        if highest - lowest >= 256 * NARROW_SHARE:
            return False
    return True


def stretch_colours(image: Image.Image, low: Image.Image) -> Image.Image:
    """``image``, with the low bytes of its samples in ``low``, its colours by the rule for 16 bits of grey."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    bands = list(row_bands(image.height, image.width))
    ranges = [(int(samples.min()), int(samples.max())) for samples in (_join(image, low, rows) for rows in bands)]
    window = min(lowest for lowest, _ in ranges), max(highest for _, highest in ranges)
    for rows in bands:
        pixels[rows] = uint16_to_bytes(_join(image, low, rows), window=window)
    stretched = Image.fromarray(pixels)
    if image.mode == "RGBA":
        stretched.putalpha(image.getchannel("A"))
    return stretched


def _join(high: Image.Image, low: Image.Image, rows: slice) -> npt.NDArray[np.uint16]:
    """These rows of RGB samples of 16 bits, from their high and their low bytes."""
    high_bytes, low_bytes = (np.asarray(image_band(part, rows))[:, :, :3] for part in (high, low))
    return np.asarray(high_bytes.astype(np.uint16) << 8 | low_bytes, np.uint16)


def _number_samples(image: Image.Image, profile: bytes | None) -> tuple[Samples, str]:
    values = grey_samples(image)
    if values.dtype != np.uint16:
        return values[:, :, None], f"numbers {values.dtype}"
    key = image.info.get("transparency")
    grey = 65535 - values if has_white_zero(image) else values
    channels = [grey] * 3
    if isinstance(key, int):
        channels.append(np.where(values == key, 0, 65535).astype(np.uint16))
    return _shorten(np.dstack(channels)), profile_tag(profile, "L")


def _deep_samples(image: Image.Image, low: Image.Image, profile: bytes | None) -> tuple[Samples, str]:
    if image.mode not in ("RGB", "RGBA", "CMYK") or low.mode != image.mode:
        raise SamplesReducedError
    samples = np.asarray(image).astype(np.uint16) << 8 | np.asarray(low)
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple):
        opaque = (samples != np.array(key, np.uint16)).any(axis=2)
        samples = np.dstack([samples, np.where(opaque, 65535, 0).astype(np.uint16)])
    if image.mode == "RGBA" and (samples[:, :, 3] == 65535).all():
        samples = samples[:, :, :3]
    space = "CMYK" if image.mode == "CMYK" else ""
    return _shorten(samples), space + profile_tag(profile, space or "RGB")


def _shorten(samples: npt.NDArray[np.uint16]) -> Samples:
    """Eight bits for samples of which both bytes are equal, as programs store eight bits in sixteen."""
    return (samples >> 8).astype(np.uint8) if np.array_equal(samples >> 8, samples & 255) else samples
