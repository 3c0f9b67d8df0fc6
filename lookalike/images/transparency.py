"""Transparent pictures over a ground on which they can be seen.

The ground is white: product cut-outs have a white background, and black would dominate the picture. Where nearly all
that is drawn would vanish on white (a white logo, a chalk drawing), and less of it on black, the ground is black.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

VANISHING_SHARE = 0.9
"""Share of what is drawn, by opacity, that must vanish on white before the ground becomes black."""

_VISIBLE_LEVELS = 24
"""Grey levels by which a pixel must differ from its ground to be seen."""

_WHITE, _BLACK = 255, 0


def composite(rgb: Image.Image, alpha: Image.Image, ground: int) -> Image.Image:
    """``rgb`` (mode RGB, not premultiplied) over a grey ``ground``; ``alpha`` (mode L) is the opacity of each pixel."""
    background = Image.new("RGB", rgb.size, (ground, ground, ground))
    background.paste(rgb, mask=alpha)
    return background


def ground_level(rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]) -> int:
    """Grey level of the ground, 0 or 255, for pixels (h, w, 3) of the opacities (h, w)."""
    total = float(alpha.sum(dtype=np.float64))
    if total == 0:
        return _WHITE
    opacity = alpha.astype(np.float32) / 255
    on_white = float(alpha[opacity * (255 - rgb.min(axis=2)) < _VISIBLE_LEVELS].sum(dtype=np.float64))
    if on_white < VANISHING_SHARE * total:
        return _WHITE
    on_black = float(alpha[opacity * rgb.max(axis=2) < _VISIBLE_LEVELS].sum(dtype=np.float64))
    return _BLACK if on_black < on_white else _WHITE
