"""How well two pictures agree once one is laid upon the other: in detail, window by window, in tone and in colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.alignment import Matrix
from lookalike.copies.fingerprint import Bytes, Fingerprint

Plane = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

WINDOW = 17
_SOFTNESS = 1.5
"""Standard deviation, in pixels, of the blur under which both are compared, so that sharpness does not count."""
_DETAIL = 4.0
"""Grey levels of standard deviation from which a window has detail."""
_NOISE = 4.0
_AGREES = 0.7
_AGREES_CLOSELY = 0.9
_CONTRADICTS = 0.4
_BLANK = 4
"""Grey levels by which a blank place may vary within 3 × 3 pixels."""
_STRIP = 5
"""Pixels across from which a blank place is one."""
_PRINT = 7
"""Pixels across up to which gaps in a patch belong to it."""
_OTHER_TONE = 24.0
"""Grey levels between two pictures, brought to one light, from which they differ."""
_LEAST = 0.1
_CHROMA = 10.0
"""Distance from grey in CIELAB (8 bits) from which a place has colour."""
_LEAST_COLOUR = 0.02


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares, 0 to 1, of what two laid-upon pictures have in common.

    ``shared`` of the picture that is covered more; ``detailed`` of the overlap has detail in both; of that detail,
    ``agrees`` and ``contradicts`` (the rest is doubtful); ``covered`` of the overlap is blank in one only, as under a
    banner; ``toned`` of the rest is darker or lighter in one; ``colour`` is the cosine of the colours, None without
    any; ``places`` is the number of windows side by side that would fill the detail.
    """

    shared: float
    detailed: float
    agrees: float
    closely: float
    contradicts: float
    covered: float
    toned: float
    colour: float | None
    places: float


def agreement(first: Fingerprint, second: Fingerprint, matrix: Matrix) -> Agreement | None:
    """How ``first``, mapped by ``matrix`` (3, 3), agrees with ``second``; None if it does next to nowhere."""
    if abs(np.linalg.det(matrix[:2, :2])) > 1:
        first, second, matrix = second, first, np.linalg.inv(matrix)  # the finer is brought to the coarser
    height, width = second.grey.shape
    reached = _laid(np.ones_like(first.grey), matrix, width, height)
    over = cv2.erode(reached, _square(5), borderType=cv2.BORDER_CONSTANT, borderValue=(1.0,)).astype(bool)
    one, other = _warped(first.grey, matrix, width, height), second.grey
    one_soft, other_soft = _soft(one), _soft(other)
    correlation, detail = _compared(one_soft, other_soft, over)
    agrees = detail & (correlation >= _AGREES)
    if agrees.sum() < _LEAST * over.sum() or agrees.sum() < WINDOW:
        return None
    differ = over & (np.abs(_toned(one_soft, other_soft, agrees) - other_soft) > _OTHER_TONE)
    used = over & ~_covered(_blank(one) | _blank(other), differ, over)
    correlation, detail = _compared(one_soft, other_soft, used)
    agrees = detail & (correlation >= _AGREES)
    count = max(1, int(detail.sum()))
    return Agreement(
        shared=max(_share(second.grey, reached), _share(first.grey, _laid_back(second.grey, matrix, first.grey))),
        detailed=float(detail.sum() / max(1, used.sum())),
        agrees=float(agrees.sum() / count),
        closely=float((detail & (correlation >= _AGREES_CLOSELY)).sum() / count),
        contradicts=float((detail & (correlation < _CONTRADICTS)).sum() / count),
        covered=1 - float(used.sum() / over.sum()),
        toned=float((differ & used).sum() / max(1, used.sum())),
        colour=_colours(first, second, matrix, used),
        places=count / WINDOW**2,
    )


def _square(side: int) -> Bytes:
    return np.ones((side, side), np.uint8)


def _warped(grey: Bytes, matrix: Matrix, width: int, height: int) -> Bytes:
    """``grey`` laid into a frame, blurred before it shrinks so that nothing aliases."""
    shrinking = 1 / np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if shrinking > 1.05:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.5 * float(np.sqrt(shrinking**2 - 1))).astype(np.uint8, copy=False)
    laid = cv2.warpAffine(grey, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return laid.astype(np.uint8, copy=False)


def _laid(mask: Bytes, matrix: Matrix, width: int, height: int) -> Bytes:
    """A mask mapped into a frame."""
    return cv2.warpAffine(mask, matrix[:2], (width, height), flags=cv2.INTER_NEAREST).astype(np.uint8, copy=False)


def _laid_back(frame: Bytes, matrix: Matrix, onto: Bytes) -> Bytes:
    """Which pixels of ``onto`` are mapped into the frame."""
    return _laid(np.ones_like(frame), np.linalg.inv(matrix), onto.shape[1], onto.shape[0])


def _share(grey: Bytes, reached: Bytes) -> float:
    """How much of a picture the other reaches; its blank places, such as borders, do not count if there is more."""
    filled = ~_blank(grey)
    counted = filled if filled.mean() > _LEAST else np.ones_like(filled)
    return float(reached[counted].mean())


def _soft(grey: Bytes) -> Plane:
    return cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _SOFTNESS).astype(np.float32, copy=False)


def _toned(one: Plane, other: Plane, agrees: Mask) -> Plane:
    """``one`` in the light of ``other``: brighter, darker, flatter or harder, as where they agree."""
    x, y = one[agrees], other[agrees]
    spread = float(x.std())
    slope = min(4.0, max(0.25, float(y.std()) / spread)) if spread > 0 else 1.0
    toned: Plane = np.clip((one - x.mean()) * slope + y.mean(), 0, 255)
    return toned


def _covered(blank: Mask, differ: Mask, over: Mask) -> Mask:
    """Where something lies over one of the two: a banner, a border, an empty corner.

    That is a patch of another tone at the edge of the overlap, of which at least a quarter is blank in either: so what
    is written on a banner goes with it, and an object of another colour does not pass for one.
    """
    joined = cv2.morphologyEx(differ.astype(np.uint8), cv2.MORPH_CLOSE, _square(_PRINT))
    _, patches = cv2.connectedComponents(joined.astype(np.uint8), connectivity=4)
    flat = patches.ravel()
    sizes = np.bincount(flat)
    blanks = np.bincount(flat, weights=(blank & differ).ravel(), minlength=len(sizes))
    inner = cv2.erode(over.astype(np.uint8), _square(5), borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)) > 0
    chosen = (blanks >= sizes / 4) & (sizes >= _STRIP**2)
    chosen &= np.isin(np.arange(len(sizes)), patches[~inner])
    chosen[0] = False
    return cv2.dilate(chosen[patches].astype(np.uint8), _square(5)).astype(bool)


def _blank(grey: Bytes) -> Mask:
    """Where the picture is one colour over at least ``_STRIP`` pixels each way."""
    even = ((cv2.dilate(grey, _square(3)) - cv2.erode(grey, _square(3))) <= _BLANK).astype(np.uint8)
    return cv2.morphologyEx(even, cv2.MORPH_OPEN, _square(_STRIP)).astype(bool)


def _mean(plane: Plane) -> Plane:
    laid = cv2.boxFilter(plane, -1, (WINDOW, WINDOW), normalize=True, borderType=cv2.BORDER_CONSTANT)
    return laid.astype(np.float32, copy=False)


def _compared(one: Plane, other: Plane, used: Mask) -> tuple[Plane, Mask]:
    """Correlation in the window around each pixel, and where both have detail."""
    weight = used.astype(np.float32)
    share = np.maximum(_mean(weight), 1e-3)
    x, y = one * weight, other * weight
    mean_x, mean_y = _mean(x) / share, _mean(y) / share
    spread_x = np.maximum(_mean(x * one) / share - mean_x * mean_x, 0)
    spread_y = np.maximum(_mean(y * other) / share - mean_y * mean_y, 0)
    together = _mean(x * other) / share - mean_x * mean_y
    correlation = together / np.sqrt((spread_x + _NOISE) * (spread_y + _NOISE))
    detail = (spread_x > _DETAIL**2) & (spread_y > _DETAIL**2) & (share > 0.3) & used
    return correlation, detail


def _colours(first: Fingerprint, second: Fingerprint, matrix: Matrix, used: Mask) -> float | None:
    """Cosine of the colours' distances from grey where both have colour, or None if that is next to nowhere."""
    height, width = second.colour.shape[:2]
    inner, outer = _scaling(first), _scaling(second)
    laid = cv2.warpAffine(first.colour.astype(np.float32), (outer @ matrix @ np.linalg.inv(inner))[:2], (width, height))
    kept = cv2.resize(used.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.9
    if not kept.any():
        return None
    one, other = laid[kept], second.colour[kept].astype(np.float32)
    # Only where both have colour: too much light takes it away, and a copy in grey has none.
    vivid = (np.linalg.norm(one, axis=1) > _CHROMA) & (np.linalg.norm(other, axis=1) > _CHROMA)
    if vivid.mean() < _LEAST_COLOUR:
        return None
    one, other = one[vivid], other[vivid]
    return float((one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum()))


def _scaling(fingerprint: Fingerprint) -> Matrix:
    """From pixels of the grey picture to pixels of the colours."""
    across = fingerprint.colour.shape[1] / fingerprint.grey.shape[1]
    down = fingerprint.colour.shape[0] / fingerprint.grey.shape[0]
    return np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5], [0, 0, 1.0]])
