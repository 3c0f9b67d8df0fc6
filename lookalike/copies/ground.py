"""The ground of a photo: whether two aligned pictures show one thing before another wall, paper or table.

Each level of one is mapped to the other's before details are compared, and a plain ground is one level: just there such
a map hides what it should not. So what both show in detail says how tones and colours were changed as a whole, and what
that makes of the rest is compared with the rest of the other picture.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.fingerprint import Bytes
from lookalike.copies.level_matching import level_medians
from lookalike.copies.masks import Mask, grow, has_detail, square

Floats = npt.NDArray[np.floating]
Levels = npt.NDArray[np.int64]

_MIN_DETAIL_PIXELS = 300
_MIN_DISTANCE = 10.0
"""Distance in CIELAB, approximately, from which two grounds differ: that of strong JPEG is rarely larger."""
_MIN_SHARE = 0.03
"""Share of what both show, in one piece, that must differ."""
_LIGHTNESS_PER_LEVEL = 100 / 255
"""CIELAB's lightness of a grey level, approximately."""
_MIN_LEVEL_SHARE = 2e-4
"""Share of the detail that a level needs for its counterpart to count."""
_BLACK, _WHITE = 5, 250
"""Grey levels at and beyond which a curve of tones may have been cut off."""
_GREY_TOLERANCE = 3
"""Levels from 128 within which a, or b, is that of grey."""
_MIN_COLOUR_SPREAD, _MIN_COLOUR_CORRELATION, _GREY_SPREAD = 4.0, 0.5, 1.0
"""Standard deviation, in levels, from which a plane of colour must correlate with the other picture's, how much, and
below which it has no colour."""

Prediction = Callable[[Levels, Levels, Floats], Floats]
"""What becomes of a plane (h, w), from levels (n,) and their medians (n,) in the other picture; NaN: nothing."""


def changed_ground(first: Bytes, second: Bytes, compared: Mask) -> Mask | None:
    """The largest area (h, w) of another ground in two aligned pictures; None if there is none, or too little detail.

    Both are (h, w, 3) uint8: grey, and a and b of CIELAB plus 128. ``compared`` (h, w) is what both show.
    """
    greys = [np.ascontiguousarray(picture[..., 0]) for picture in (first, second)]
    detail = grow(has_detail(greys[0]) & has_detail(greys[1]) & compared, 5) & compared
    if detail.sum() < _MIN_DETAIL_PIXELS:
        return None
    lightness = _LIGHTNESS_PER_LEVEL * _distance(greys[0], greys[1], detail, _by_line, _by_gamma, _by_cut_off)
    squares = lightness**2
    # What overexposure has made white has lost its colour.
    is_overexposed = (np.maximum(*greys) >= _WHITE) & (lightness < _MIN_DISTANCE / 2)
    for channel in (1, 2):
        planes = first[..., channel], second[..., channel]
        if are_coloured_alike(planes[0][detail], planes[1][detail]):
            squares += ~is_overexposed * _distance(*planes, detail, _by_line, _by_greyness) ** 2
    distances = cv2.blur(np.sqrt(squares), (5, 5))
    differs = ((distances >= _MIN_DISTANCE) & compared & ~detail).astype(np.uint8)
    solid = cv2.morphologyEx(differs, cv2.MORPH_OPEN, square(5)).astype(np.uint8, copy=False)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(solid)
    sizes = boxes[1:, cv2.CC_STAT_AREA]
    if not len(sizes) or sizes.max() < _MIN_SHARE * compared.sum():
        return None
    return np.asarray(labels == 1 + sizes.argmax())


def are_coloured_alike(first: Bytes, second: Bytes) -> bool:
    """Whether levels (n,) of one plane of colour can be compared: not those of a picture and its grey or toned copy."""
    deviations = [levels - levels.mean(dtype=np.float32) for levels in (first, second)]
    spreads = [float(deviation.std()) for deviation in deviations]
    if max(spreads) < _MIN_COLOUR_SPREAD:
        return min(spreads) >= _GREY_SPREAD
    covariance = float((deviations[0] * deviations[1]).mean())
    return covariance >= _MIN_COLOUR_CORRELATION * max(1.0, spreads[0] * spreads[1])


def _distance(first: Bytes, second: Bytes, detail: Mask, *predictions: Prediction) -> Floats:
    """By how many levels (h, w) the second plane is off the nearest of what is predicted of the first."""
    levels, medians = level_medians(first, second, detail, _MIN_LEVEL_SHARE)
    plane = first.astype(np.float32)
    distances = [np.abs(second - predict(levels, medians, plane)) for predict in predictions]
    return np.asarray(np.fmin.reduce(distances))


def _by_line(levels: Levels, medians: Levels, plane: Floats) -> Floats:
    """Contrast and brightness, or saturation and tint: the median of the slopes between levels (Theil and Sen)."""
    is_unclipped = (medians > _BLACK) & (medians < _WHITE)
    levels, medians = levels[is_unclipped], medians[is_unclipped]
    if len(levels) == 0:
        return plane
    rows, columns = np.triu_indices(len(levels), 1)
    steps = levels[columns] - levels[rows]
    is_far = steps >= max(3, int(np.ptp(levels)) // 8)
    slopes = (medians[columns] - medians[rows])[is_far] / steps[is_far]
    slope = float(np.median(slopes)) if len(levels) > 5 and len(slopes) else 1.0
    offset = float(np.median(medians - slope * levels))
    return np.asarray(np.clip(slope * plane + offset, 0, 255))


def _by_gamma(levels: Levels, medians: Levels, plane: Floats) -> Floats:
    """A power of the level."""
    is_unclipped = (np.minimum(levels, medians) > _BLACK) & (np.maximum(levels, medians) < _WHITE)
    if not is_unclipped.any():
        return np.full_like(plane, np.nan)
    gamma = float(np.median(np.log(medians[is_unclipped] / 255) / np.log(levels[is_unclipped] / 255)))
    return np.asarray(255 * (plane / 255) ** gamma)


def _by_cut_off(levels: Levels, medians: Levels, plane: Floats) -> Floats:
    """White stays white and black stays black."""
    del levels, medians
    return np.where((plane >= _WHITE) | (plane <= _BLACK), plane, np.nan)


def _by_greyness(levels: Levels, medians: Levels, plane: Floats) -> Floats:
    """What is grey stays grey."""
    del levels, medians
    return np.where(np.abs(plane - 128) <= _GREY_TOLERANCE, plane, np.nan)
