"""Banners along the edges of a picture: strips of one colour with text on them. Plain strips count as borders."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_TOLERANCE = 12
"""Levels by which JPEG changes a ground of one colour beside text; mostly the blue."""
_EDGE_SHARE, _TEXT_SHARE, _PICTURE_SHARE = 0.9, 0.25, 0.15
"""Shares of a line in the ground's colour: at least at either end of a strip, at least where there is text on it, and
at most just behind it: added strips end in a straight line, which horizons rarely are."""
_SOFT_LINES = 2
"""Lines in which resizing mixes the strip with the picture."""
_MIN_LINES = 4
_MAX_DEPTH = 0.4
"""Share of the picture that one strip takes at most."""


def strip_share(pixels: Pixels) -> float:
    """The share, 0 to 1, of an (h, w, 3) uint8 picture that lies in banners along its four edges."""
    height, width = pixels.shape[:2]
    levels = pixels.astype(np.int16)
    top, bottom = _strip_depth(levels), _strip_depth(levels[::-1])
    sideways = levels[top : height - bottom].transpose(1, 0, 2)
    left, right = _strip_depth(sideways), _strip_depth(sideways[::-1])
    rest: float = (height - top - bottom) * (width - left - right) / (height * width)
    return 1.0 - rest


def _strip_depth(lines: npt.NDArray[np.int16]) -> int:
    """How many lines, from the first on, are a banner; 0 without one."""
    ground = np.median(lines[0], axis=0)
    if (np.abs(lines[0] - ground).max(axis=1) <= _TOLERANCE).mean() < _EDGE_SHARE:
        return 0  # as in almost every picture, and cheap to see
    near_edge = lines[: int(_MAX_DEPTH * len(lines)) + _SOFT_LINES + 1]
    shares = (np.abs(near_edge - ground).max(axis=2) <= _TOLERANCE).mean(axis=1)
    behind = np.flatnonzero(shares < _TEXT_SHARE)
    depth = int(behind[0]) if len(behind) else len(near_edge)
    if not _MIN_LINES <= depth < len(near_edge) - _SOFT_LINES:
        return 0
    has_text = int((shares[:depth] < _EDGE_SHARE).sum()) > _SOFT_LINES
    ends_even = shares[max(0, depth - 1 - _SOFT_LINES) : depth].max() >= _EDGE_SHARE
    return depth if has_text and ends_even and shares[depth + _SOFT_LINES] <= _PICTURE_SHARE else 0
