"""Areas of pictures: where there is detail, what is near and what is inside."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.fingerprint import Bytes

Mask = npt.NDArray[np.bool_]

_DETAIL_RANGE = 12
"""Levels between the darkest and the lightest of 5 × 5 pixels, from which there is detail."""


def local_range(plane: Bytes, side: int) -> Bytes:
    """Levels (h, w) between the darkest and the lightest of the ``side`` × ``side`` pixels around each."""
    neighbours = square(side)
    difference = cv2.subtract(cv2.dilate(plane, neighbours), cv2.erode(plane, neighbours))
    return difference.astype(np.uint8, copy=False)


def has_detail(plane: Bytes) -> Mask:
    """Where (h, w) a plane is not even."""
    return np.asarray(local_range(plane, 5) > _DETAIL_RANGE)


def grow(mask: Mask, side: int) -> Mask:
    """The mask and all that is within a square of ``side`` pixels around it."""
    return cv2.dilate(mask.astype(np.uint8), square(side)).astype(bool)


def shrink(mask: Mask, margin: int) -> Mask:
    """The mask without ``margin`` pixels at its edge and at the frame's."""
    return cv2.erode(
        mask.astype(np.uint8), square(2 * margin + 1), borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)
    ).astype(bool)


def square(side: int) -> Bytes:
    """A structuring element."""
    return np.ones((side, side), np.uint8)


def rows_and_columns(mask: Mask) -> tuple[int, int, int, int]:
    """First and last row (exclusive), first and last column (exclusive) of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
