"""The plain ground of a product photo: whether two aligned pictures show the same thing on grounds of another colour.

Levels of one are mapped to those of the other before they are compared, and a ground is one level: on it alone such a
map hides what it should not. So what lies on the ground says how tones and colours were changed, and what that makes
of the ground is compared with the other picture's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.fingerprint import Bytes

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

_EVEN_TOLERANCE = 4
"""Grey levels by which a ground may vary within 3 × 3 pixels."""
_MAX_SPREAD = 6.0
"""Standard deviation of a plain ground's levels: a sky or a wall has more."""
_MIN_SHARE = 0.1
"""Share of what both show that a ground is at least."""
_MIN_RIM_SHARE = 0.5
"""Share of the pixels along the edge of what both show that a ground is at least."""
_MIN_CONTENT_SHARE, _MIN_CONTENT_SPREAD = 0.02, 8.0
"""Share of what both show, and standard deviation in grey levels, of what must lie on a ground."""
_MIN_CONTENT_PIXELS = 300
_MIN_SHIFT = 8.0
"""Distance in CIELAB from which two grounds are of another colour: JPEG shifts one by up to half as much."""
_LIGHTNESS = 100 / 255
"""Units of CIELAB's lightness, as good as, of a grey level."""
_WHITE, _BLACK = 250, 5
_NEUTRAL_TOLERANCE = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Channel:
    """One channel of both pictures: levels (n,) on the ground and of what lies on it."""

    first_ground: Floats
    second_ground: Floats
    first_content: Floats
    second_content: Floats

    def shift(self, *predict: Callable[[Floats, Floats, Floats], Floats | None]) -> float:
        """The median distance of the second ground from the nearest of what is predicted of the first's."""
        predictions = [make(self.first_content, self.second_content, self.first_ground) for make in predict]
        return min(
            abs(float(np.median(self.second_ground - prediction)))
            for prediction in predictions
            if prediction is not None
        )


def changed_ground(first: Bytes, second: Bytes, compared: Mask) -> Mask | None:
    """The plain ground (h, w) of two aligned pictures if its colour differs, else None.

    Both are (h, w, 3) uint8: grey, and a and b of CIELAB plus 128. ``compared`` (h, w) is what both show.
    """
    ground = _plain_ground(first, compared) & _plain_ground(second, compared)
    content = compared & ~cv2.dilate(ground.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    count = int(compared.sum())
    if ground.sum() < _MIN_SHARE * count or content.sum() < max(_MIN_CONTENT_PIXELS, _MIN_CONTENT_SHARE * count):
        return None
    if min(float(picture[..., 0][content].std()) for picture in (first, second)) < _MIN_CONTENT_SPREAD:
        return None
    grey, *colours = (
        _Channel(
            *(
                picture[..., channel][mask].astype(np.float32)
                for mask in (ground, content)
                for picture in (first, second)
            )
        )
        for channel in range(3)
    )
    shifts = [
        _LIGHTNESS * grey.shift(_by_line, _by_gamma, _by_clipping),
        *(colour.shift(_by_line, _by_neutrality) for colour in colours),
    ]
    return ground if float(np.hypot.reduce(shifts)) >= _MIN_SHIFT else None


def _plain_ground(picture: Bytes, compared: Mask) -> Mask:
    """The even area of a picture that lies along the edge of what both show, if it is of one colour; else nothing."""
    square = np.ones((3, 3), np.uint8)
    grey = picture[..., 0]
    even = (cv2.subtract(cv2.dilate(grey, square), cv2.erode(grey, square)) <= _EVEN_TOLERANCE) & compared
    _, labels = cv2.connectedComponents(even.astype(np.uint8), connectivity=4)
    rim = compared & ~cv2.erode(
        compared.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)
    ).astype(bool)
    counts = np.bincount(labels[rim & even], minlength=2)
    ground: Mask = labels == counts.argmax()
    nothing: Mask = np.zeros_like(ground)
    if counts.max() < _MIN_RIM_SHARE * rim.sum():
        return nothing
    return nothing if float(grey[ground].std()) > _MAX_SPREAD else ground


def _by_line(first: Floats, second: Floats, ground: Floats) -> Floats:
    """By contrast and brightness, or saturation and tint: a line through the levels, each of the same weight."""
    levels = np.rint(first).astype(np.int64)
    counts = np.bincount(levels, minlength=256)
    known = np.flatnonzero(counts >= max(5, 1e-3 * len(first)))
    means = np.bincount(levels, weights=second, minlength=256)[known] / counts[known]
    is_unclipped = (means > _BLACK) & (means < _WHITE)
    known, means = known[is_unclipped], means[is_unclipped]
    if len(known) < 2:
        return ground + float(np.median(second - first))
    slope, offset = np.polyfit(known, means, 1)
    prediction: Floats = np.clip(slope * ground + offset, 0, 255)
    return prediction


def _by_gamma(first: Floats, second: Floats, ground: Floats) -> Floats | None:
    """By a power of the level."""
    usable = (np.minimum(first, second) > _BLACK) & (np.maximum(first, second) < _WHITE)
    if not usable.any():
        return None
    gamma = float(np.median(np.log(second[usable] / 255) / np.log(first[usable] / 255)))
    prediction: Floats = 255 * (ground / 255) ** gamma
    return prediction


def _by_clipping(first: Floats, second: Floats, ground: Floats) -> Floats | None:
    """White stays white and black black under any curve."""
    del first, second
    level = float(np.median(ground))
    return ground if level >= _WHITE or level <= _BLACK else None


def _by_neutrality(first: Floats, second: Floats, ground: Floats) -> Floats | None:
    """What has no colour gets none."""
    del first, second
    return ground if abs(float(np.median(ground)) - 128) <= _NEUTRAL_TOLERANCE else None
