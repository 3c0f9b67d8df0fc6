"""How alike two aligned copies look: whether one is lighter, darker, in other colours or stretched."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lookalike.copies.alignment import Matrix
from lookalike.copies.fingerprint import Fingerprint
from lookalike.copies.masks import local_range, shrink
from lookalike.copies.warping import scale_between, warp

_SMOOTHING = 9
"""Side, in pixels of the grey picture, over which tones are averaged, so that sharpness does not count."""
_PERCENTILE = 85.0
"""Percentile of the places by which a picture is judged: a product fills less than half of many."""
_MAX_TONE_SHIFT, _MAX_COLOUR_SHIFT = 9.0, 6.0
"""Grey levels, and distances in the plane of CIELAB's a and b, up to which two look the same."""
_MAX_STRETCH = 1.05
"""How many times wider or higher the one may be than the other at one size."""
_MIN_WINDOWS, _MAX_FLAT = 12.0, 0.75
"""Windows of detail from which, and share of flat places up to which, a picture is rich enough for its copies to be
certain: flags, signs and symbols are not."""
_FLAT_RANGE = 2
"""Grey levels within 3 × 3 pixels up to which a place is flat."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a visible change of a copy is measured by.

    ``tone_shift`` is by how many grey levels most of it is lighter or darker, ``colour_shift`` how far its colours are
    in the plane of CIELAB's a and b, ``stretch`` the ratio of the scales of width and height, at least 1, ``windows``
    the number of windows with detail that both show, ``flat`` the share of flat places in the flatter one's picture,
    and ``is_covered`` whether a banner or caption covers a part of one.
    """

    tone_shift: float
    colour_shift: float
    stretch: float
    windows: float
    flat: float
    is_covered: bool

    def change(self) -> str | None:
        """The change in words, None if they look the same."""
        changes = (
            (self.is_covered, "a banner or caption covers a part of one of them"),
            (self.colour_shift > _MAX_COLOUR_SHIFT, "it is in other colours"),
            (self.tone_shift > _MAX_TONE_SHIFT, "it is lighter or darker"),
            (self.stretch > _MAX_STRETCH, "one of them is stretched"),
            (self.windows < _MIN_WINDOWS or self.flat > _MAX_FLAT, "they are too plain to be sure"),
        )
        return next((words for holds, words in changes if holds), None)


def measure_shifts(first: Fingerprint, second: Fingerprint, matrix: Matrix) -> tuple[float, float]:
    """Shifts of tone, in grey levels, and of colour; ``matrix`` (3, 3) maps ``first.grey`` to ``second.grey``."""
    height, width = second.grey.shape
    reached = cv2.warpAffine(np.ones_like(first.grey), matrix[:2], (width, height), flags=cv2.INTER_NEAREST)
    inside = shrink(reached > 0, _SMOOTHING // 2)
    if not inside.any():
        return 0.0, 0.0
    window = (_SMOOTHING, _SMOOTHING)
    tones = [
        cv2.blur(grey.astype(np.float32), window) for grey in (warp(first.grey, matrix, (width, height)), second.grey)
    ]
    tone_shift = float(np.percentile(np.abs(tones[0] - tones[1])[inside], _PERCENTILE))
    side = second.colour.shape[1], second.colour.shape[0]
    to_colours = (
        scale_between(second.grey, second.colour) @ matrix @ np.linalg.inv(scale_between(first.grey, first.colour))
    )
    warped = cv2.warpAffine(first.colour.astype(np.float32), to_colours[:2], side, borderMode=cv2.BORDER_REPLICATE)
    distances = np.linalg.norm(cv2.blur(warped, (3, 3)) - cv2.blur(second.colour.astype(np.float32), (3, 3)), axis=2)
    coarse = cv2.resize(inside.astype(np.float32), side, interpolation=cv2.INTER_AREA) > 0.9
    return tone_shift, float(np.percentile(distances[coarse], _PERCENTILE)) if coarse.any() else 0.0


def flat_share(fingerprint: Fingerprint) -> float:
    """The share of a picture that is flat."""
    return float((local_range(fingerprint.grey, 3) <= _FLAT_RANGE).mean())


def stretch_of(matrix: Matrix) -> float:
    """The ratio of the two scales of a map (3, 3)."""
    longest, shortest = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    return float(longest / shortest)
