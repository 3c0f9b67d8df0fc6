"""Small operations on decoded pixels: resize, thumbnail, digest, and encoding for tests and contact sheets."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.images.resize_library import resize_bilinear

Pixels = npt.NDArray[np.uint8]
THUMBNAIL_QUALITY = 85


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """``pixels`` (h, w, 3) at ``width`` × ``height``: bilinear, with a wider kernel when shrinking, against aliasing.

    First to the new height, then to the new width, rounded to bytes in between. The order decides the last grey level
    of some pixels, and it has changed between versions of Pillow, so both steps are separate calls. Raises MemoryError.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    output = resize_bilinear(pixels, width, height)
    return _resize_by_pillow(pixels, width, height) if output is None else output


def _resize_by_pillow(pixels: Pixels, width: int, height: int) -> Pixels:
    at_new_height = Image.fromarray(pixels).resize((pixels.shape[1], height), Image.Resampling.BILINEAR)
    return np.array(at_new_height.resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)


def thumbnail(pixels: Pixels, side: int) -> bytes:
    """JPEG (quality 85) of ``pixels`` (h, w, 3) fitted into ``side`` × ``side``: same aspect ratio, never enlarged."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    return encode_jpeg(resize(pixels, max(1, round(width * scale)), max(1, round(height * scale))), THUMBNAIL_QUALITY)


def digest_pixels(pixels: Pixels) -> str:
    """SHA-256, in hexadecimal, of the shape and the bytes of ``pixels``: equal exactly if the pixels are."""
    return _digest(",".join(str(length) for length in pixels.shape), pixels)


def digest_samples(samples: npt.NDArray[Any], tag: str) -> str:
    """The same of samples of any type and number of channels, and of what they mean; of RGB bytes `digest_pixels`."""
    if samples.dtype == np.uint8 and samples.ndim == 3 and samples.shape[2] == 3 and not tag:
        return digest_pixels(samples)
    return _digest(f"{tag} {samples.dtype.name} {samples.shape}", samples)


def _digest(prefix: str, array: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256(prefix.encode() + b":")
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def encode_png(pixels: Pixels) -> bytes:
    """``pixels`` (h, w, 3), uint8, as a PNG file."""
    return _encode(pixels, "PNG")


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """``pixels`` (h, w, 3), uint8, as a JPEG file of ``quality`` 1 to 95."""
    return _encode(pixels, "JPEG", quality=quality)


def _encode(pixels: Pixels, format_name: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **options)
    return file.getvalue()
