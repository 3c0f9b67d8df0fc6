"""Pictures mapped into the frames of others."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.alignment import Matrix
from lookalike.copies.fingerprint import Bytes


def warp(grey: Bytes, matrix: Matrix, size: tuple[int, int]) -> Bytes:
    """``grey`` mapped into a frame of ``size`` (width, height); blurred first if it shrinks, against aliasing."""
    shrink_factor = 1 / np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if shrink_factor > 1.05:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.5 * float(np.sqrt(shrink_factor**2 - 1))).astype(np.uint8, copy=False)
    warped = cv2.warpAffine(grey, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped.astype(np.uint8, copy=False)


def scale_between(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> Matrix:
    """From pixels of one size of a picture to pixels of another."""
    across, down = target.shape[1] / source.shape[1], target.shape[0] / source.shape[0]
    return np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5], [0, 0, 1.0]])
