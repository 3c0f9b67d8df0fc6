"""Colour profiles by name, and pictures in their spaces."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from lookalike.images.matrix_profile import SRGB_CURVE, SRGB_PRIMARIES, WHITE_D65, matrix_profile

Pixels = npt.NDArray[np.uint8]

D50 = (0.3457, 0.3585)
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SPACES = {
    "sRGB": (SRGB_PRIMARIES, WHITE_D65, SRGB_CURVE),
    "Display P3": (P3, WHITE_D65, SRGB_CURVE),
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), WHITE_D65, (563 / 256,)),
    "ProPhoto": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, (1.8,)),
}


@cache
def profile(name: str) -> bytes:
    """The bytes of an ICC profile."""
    made = matrix_profile(*SPACES[name])
    assert made is not None
    return made


def converted(pixels: Pixels, name: str) -> Image.Image:
    """The colours of sRGB ``pixels`` as numbers of a space, as an editor saves a copy in it."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile(name)))
    made = ImageCms.profileToProfile(
        Image.fromarray(pixels), ImageCms.createProfile("sRGB"), target, ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    assert made is not None
    return Image.fromarray(np.asarray(made))  # without the profile, which the caller may leave out
