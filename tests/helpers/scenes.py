"""Drawn pictures that have what photographs have: detail at all sizes, shapes and colours; and versions of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

from lookalike.testing import make_picture

Pixels = npt.NDArray[np.uint8]


def draw_scene(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """A picture of ``size`` (width, height): shapes under a texture whose power falls with the squared frequency."""
    width, height = size
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1.0
    phases = np.exp(2j * np.pi * random.random(frequency.shape))
    texture = np.fft.irfft2(phases / frequency, s=(height, width))
    texture *= 40 / texture.std()
    pixels = 0.6 * make_picture(seed, size) + 50 + texture[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def bordered(image: Image.Image) -> Image.Image:
    """With a white border of a twelfth."""
    return ImageOps.expand(image, max(image.size) // 12, "white")


def cropped(image: Image.Image) -> Image.Image:
    """Less a tenth at each edge."""
    width, height = image.size
    return image.crop((width // 10, height // 10, width - width // 10, height - height // 10))


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Of other width and height."""
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def blurred(image: Image.Image) -> Image.Image:
    """Without fine detail."""
    return image.filter(ImageFilter.GaussianBlur(2))


def jpeg(image: Image.Image, quality: int = 90, exif: Image.Exif | None = None) -> bytes:
    """As a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, **({} if exif is None else {"exif": exif}))
    return file.getvalue()


def png(image: Image.Image) -> bytes:
    """As a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below ``folder`` and return it."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
