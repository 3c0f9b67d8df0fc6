"""Makes two aligned planes comparable: as sharp as each other, and with the same levels for the same things."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.fingerprint import Bytes
from lookalike.copies.masks import Mask

Floats = npt.NDArray[np.float32]

_SIGMAS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
"""Standard deviations, in pixels, of the blurs that are tried on the sharper plane."""
_PATCH, _PATCHES = 40, 16
"""Side, in pixels, of the patches whose sharpness is compared, and the most of them."""
_MIN_LEVEL_PIXELS, _MIN_LEVEL_SHARE = 20, 5e-4
"""Pixels, and share of all, that a level needs for its counterpart to be known."""


def match_sharpness(first: Bytes, second: Bytes, blocks: npt.NDArray[np.int64]) -> tuple[Bytes, Bytes]:
    """Both planes (h, w), the sharper blurred until their surroundings of ``blocks`` (n, 2), (x, y), are as sharp."""
    patches = _patches(first, blocks), _patches(second, blocks)
    if patches[0].size == 0:
        return first, second
    sharpness = _sharpness(patches[0]), _sharpness(patches[1])
    is_first_sharper = sharpness[0] >= sharpness[1]
    sharper, target = (patches[0], sharpness[1]) if is_first_sharper else (patches[1], sharpness[0])
    distances = {0.0: abs(max(sharpness) - target)}
    for sigma in _SIGMAS:
        blurred = cv2.GaussianBlur(sharper, (0, 0), sigma).astype(np.float32, copy=False)
        blurred_sharpness = _sharpness(blurred.reshape(sharper.shape))
        distances[sigma] = abs(blurred_sharpness - target)
        if blurred_sharpness < target:
            break
    sigma = min(distances, key=lambda candidate: distances[candidate])
    if sigma == 0:
        return first, second
    blurred_plane = cv2.GaussianBlur(first if is_first_sharper else second, (0, 0), sigma).astype(np.uint8, copy=False)
    return (blurred_plane, second) if is_first_sharper else (first, blurred_plane)


def level_medians(
    first: Bytes, second: Bytes, mask: Mask, min_share: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The levels (n,) of ``first`` within ``mask``, and the median (n,) of what ``second`` has in the places of each.

    Levels of fewer pixels than ``min_share`` of the mask are left out.
    """
    planes = [np.ascontiguousarray(first), np.ascontiguousarray(second)]
    counts = cv2.calcHist(planes, [0, 1], mask.astype(np.uint8), [256, 256], [0.0, 256.0, 0.0, 256.0])
    totals = counts.sum(axis=1)
    levels = np.flatnonzero(totals >= max(_MIN_LEVEL_PIXELS, min_share * totals.sum()))
    return levels, (counts.cumsum(axis=1) >= totals[:, None] / 2).argmax(axis=1)[levels]


def match_levels(first: Bytes, second: Bytes, mask: Mask) -> Bytes:
    """``first`` with each level replaced by the median of what ``second`` has in its places, within ``mask``."""
    levels, medians = level_medians(first, second, mask, _MIN_LEVEL_SHARE)
    if len(levels) < 2:
        return first
    table = np.interp(np.arange(256), levels, medians)
    low, high = int(levels[0]), int(levels[-1])
    table[:low] = medians[0] - (low - np.arange(low))
    table[high + 1 :] = medians[-1] + np.arange(1, 256 - high)
    return cv2.LUT(first, np.rint(table.clip(0, 255)).astype(np.uint8)).astype(np.uint8, copy=False)


def _patches(plane: Bytes, blocks: npt.NDArray[np.int64]) -> Floats:
    """The surroundings (side, side, n) of some of the blocks: OpenCV filters them as channels, in one call."""
    height, width = plane.shape
    half = min(_PATCH, height, width) // 2
    some_blocks = blocks[:: max(1, len(blocks) // _PATCHES)][:_PATCHES]
    centres = some_blocks.clip((half, half), (max(half, width - half), max(half, height - half)))
    patches = [plane[y - half : y + half, x - half : x + half] for x, y in centres.tolist()]
    return np.stack(patches, axis=2).astype(np.float32) if patches and half else np.empty((0, 0, 0), np.float32)


def _sharpness(patches: Floats) -> float:
    """Mean magnitude of the Laplacian over the standard deviation, of patches (side, side, n)."""
    laplacian = float(np.abs(cv2.Laplacian(patches, cv2.CV_32F)).mean())
    return laplacian / (float(patches.std(axis=(0, 1)).mean()) + 1e-3)
