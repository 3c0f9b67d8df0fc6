"""What covers the edge of a picture and is no part of it: a banner laid over it, blank corners of a turned picture."""

from __future__ import annotations

import cv2
import numpy as np

from lookalike.copies.fingerprint import Bytes
from lookalike.copies.masks import Mask, grow, local_range, rows_and_columns

_FLAT_TOLERANCE = 12
"""Grey levels by which a banner's ground may vary: what JPEG does to it beside a picture."""
_EVEN_TOLERANCE, _MIN_EVEN_SHARE = 4, 0.8
"""Grey levels within which so much of the ground is even: a sky or a wall is not."""
_SAME_GROUND = 24
"""Grey levels within which the other picture has the same ground, and so no banner lies on it."""
_MIN_FLAT_SHARE = 0.12
"""Share of each row of a banner that is ground: the rest is the text on it."""
_RIM_SHARE, _BEYOND_SHARE = 0.9, 0.6
"""Share of ground of a row at the inner rim of a banner, and the most of a row beyond it."""
_RIM_SHARE_OF_SIDE = 0.015
"""Depth of the rim, and of what is looked at beyond it, as a share of the side."""
_MIN_DEPTH, _MAX_DEPTH = 0.02, 0.5
"""Depth of a banner as a share of the side."""
_SEAM = 4
"""Rows beyond a banner that JPEG and scaling mix with it."""
_BLANK_TOLERANCE = 4
"""Grey levels by which a blank area may vary within 3 × 3 pixels."""
_MIN_CORNER_BLANK, _MAX_SHOWN_BLANK = 0.8, 0.6
"""Share of a corner that is blank where a turned picture does not reach, and the most of it where it does: the ground
of a banner is blank as well, but for the text on it."""


def banner_masks(first: Bytes, second: Bytes, overlap: Mask) -> tuple[Mask, Mask]:
    """Where the first of two aligned pictures (h, w) has a banner along an edge of their ``overlap``, and the second.

    Where both have a banner, what is on it is a difference of the pictures themselves.
    """
    covered = np.zeros(second.shape, bool), np.zeros(second.shape, bool)
    if not overlap.any():
        return covered
    top, bottom, left, right = rows_and_columns(overlap)
    frames = [grey[top:bottom, left:right] for grey in (first, second)]
    for turns in range(4):
        turned = [np.rot90(frame, turns) for frame in frames]
        depths = [banner_depth(frame) for frame in turned]
        if (depths[0] > 0) != (depths[1] > 0) and abs(_ground(turned[0]) - _ground(turned[1])) > _SAME_GROUND:
            which = 0 if depths[0] > 0 else 1
            np.rot90(covered[which][top:bottom, left:right], turns)[: depths[which] + _SEAM] = True
    return covered


def banner_depth(grey: Bytes) -> int:
    """How many rows at the top of a picture are a banner: a flat ground with text, which ends at a straight line."""
    height = len(grey)
    rim = _rim(grey)
    deepest = int(_MAX_DEPTH * height)
    if height < 4 * rim or not _is_even(grey[1 : 1 + rim]):
        return 0
    distances = np.abs(grey[: deepest + rim].astype(np.int16) - _ground(grey))
    flat_shares = (distances <= _FLAT_TOLERANCE).mean(axis=1)
    even_shares = (distances <= _EVEN_TOLERANCE).mean(axis=1)
    is_ground = flat_shares >= _MIN_FLAT_SHARE
    is_ground[:2] = True  # the first rows may be blurred with what is beyond the edge
    depth = len(is_ground) if is_ground.all() else int(is_ground.argmin())
    for end in range(min(depth, deepest), max(rim, round(_MIN_DEPTH * height)) - 1, -1):
        beyond = flat_shares[end : end + rim]
        if flat_shares[end - rim : end].max() >= _RIM_SHARE and len(beyond) and beyond.min() <= _BEYOND_SHARE:
            is_even = even_shares[:end].sum() >= _MIN_EVEN_SHARE * flat_shares[:end].sum()
            return end if is_even else 0
    return 0


def _is_even(rows: Bytes) -> bool:
    """Whether the first rows may be the ground of a banner: most pictures are told from it by these alone."""
    distances = np.abs(rows.astype(np.int16) - np.int16(np.median(rows)))
    return float((distances <= _EVEN_TOLERANCE).mean()) >= _MIN_FLAT_SHARE


def _rim(grey: Bytes) -> int:
    return max(2, round(_RIM_SHARE_OF_SIDE * len(grey)))


def _ground(grey: Bytes) -> int:
    """The level along the top of a picture."""
    return int(np.median(grey[1 : 1 + _rim(grey)]))


def corner_mask(first: Bytes, second: Bytes, differs: Mask, overlap: Mask) -> Mask:
    """Patches of ``differs`` in a corner of the ``overlap`` that are blank in one of two aligned pictures (h, w)."""
    covered = np.zeros(second.shape, bool)
    if not differs.any():
        return covered
    top, bottom, left, right = rows_and_columns(overlap)
    closed = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    _, labels = cv2.connectedComponents(closed.astype(np.uint8), connectivity=8)
    rim = max(2, round(_RIM_SHARE_OF_SIDE * max(differs.shape)))
    frame = labels[top:bottom, left:right]
    corners = (frame[:rim, :rim], frame[:rim, -rim:], frame[-rim:, :rim], frame[-rim:, -rim:])
    for label in {int(label) for corner in corners for label in np.unique(corner)} - {0}:
        patch = labels == label
        blank = [float((local_range(grey, 3)[patch] <= _BLANK_TOLERANCE).mean()) for grey in (first, second)]
        if max(blank) >= _MIN_CORNER_BLANK and min(blank) < _MAX_SHOWN_BLANK:
            covered |= grow(patch, 9)
    return covered
