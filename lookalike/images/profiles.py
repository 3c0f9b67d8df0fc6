"""Colour profiles: pixels of any RGB, grey or CMYK space to sRGB; the only user of Pillow's ImageCms.

Phones take pictures in Display P3, cameras in Adobe RGB. Without their profile they look pale, and they are no copies
of what an editor makes of them for the web. A profile that changes no colour by more than `SRGB_LEVELS` is sRGB,
whatever it calls itself, and costs one look into a cache. So does the transform of every other profile: a folder of
photos has one or two of them.
"""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SRGB_LEVELS = 3
"""Grey levels by which a profile may differ from sRGB in any colour and still be left out."""

_MAX_PROFILE_BYTES = 8 << 20
_GRID = 9  # colours along each axis of the cube on which a profile is compared with sRGB
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """``image`` (mode RGB, L or CMYK) in sRGB, mode RGB; by the plain formula if ``profile`` is none or unusable."""
    transform = _transform(profile, image.mode)
    if transform is not None:
        mode, apply = transform
        source = image if image.mode == mode else image.convert(mode)
        try:
            return apply.apply(source)
        except _ERRORS:
            pass  # an unusable profile must not make the picture unreadable
    return image if image.mode == "RGB" else image.convert("RGB")


def changes_colours(profile: bytes | None, mode: str) -> bool:
    """Whether ``profile`` shows a picture of ``mode`` (RGB, L or CMYK) in other colours than without it."""
    return _transform(profile, mode) is not None


def profile_tag(profile: bytes | None, mode: str) -> str:
    """The space of a picture's samples: empty for sRGB, a digest of the profile for others."""
    if profile is None or not changes_colours(profile, mode):
        return ""
    return hashlib.sha256(profile).hexdigest()


def _transform(profile: bytes | None, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The mode that the transform takes and the transform; None if there is nothing to convert."""
    if not profile or len(profile) > _MAX_PROFILE_BYTES:
        return None
    return _build_transform(bytes(profile), mode)


@lru_cache(maxsize=64)
def _build_transform(profile: bytes, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        source_mode = _SPACES.get(source.profile.xcolor_space.strip())
        # A grey picture may have an RGB profile; any other mixture is a mistake.
        if source_mode is None or (source_mode != mode and (source_mode, mode) != ("RGB", "L")):
            return None
        intent = ImageCms.Intent.PERCEPTUAL if mode == "CMYK" else ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), source_mode, "RGB", intent)
        return None if source_mode != "CMYK" and _is_srgb(transform, source_mode) else (source_mode, transform)
    except _ERRORS:
        return None


def _is_srgb(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.linspace(0, 255, _GRID).astype(np.uint8)
    if mode == "L":
        cube = np.arange(256, dtype=np.uint8)[None, :]
        expected = np.repeat(cube[:, :, None], 3, axis=2)
    else:
        greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
        cube = expected = np.concatenate([greys, colours])[None]
    converted = np.asarray(transform.apply(Image.fromarray(cube)))
    return bool(np.abs(converted.astype(int) - expected).max() <= SRGB_LEVELS)
