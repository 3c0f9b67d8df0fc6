"""How well two aligned pictures agree: in detail, window by window, in tone and in colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.alignment import Matrix
from lookalike.copies.fingerprint import Bytes, Fingerprint
from lookalike.copies.masks import Mask, local_range, square
from lookalike.copies.warping import scale_between, warp

Plane = npt.NDArray[np.floating]

WINDOW = 17
"""Side, in pixels, of the window in which correlations are computed."""
_BLUR_SIGMA = 1.5
"""Standard deviation, in pixels, of the blur of both before they are compared, so that sharpness does not count."""
_MIN_DETAIL_SPREAD = 4.0
"""Grey levels of standard deviation from which a window has detail."""
_NOISE_VARIANCE = 4.0
"""Squared grey levels added to each variance in a correlation, so that noise does not correlate."""
_AGREEING_CORRELATION = 0.7
_CLOSE_CORRELATION = 0.9
_CONTRADICTING_CORRELATION = 0.4
"""Correlations of a window: from the first on it agrees, from the second on closely; below the third it contradicts.
The shares of such windows that make a copy are in `verdict`."""
_BLANK_TOLERANCE = 4
"""Grey levels by which a blank area may vary within 3 × 3 pixels."""
_MIN_BLANK_SIDE = 5
"""Least width, in pixels, of a blank area."""
_MAX_GAP = 7
"""Width, in pixels, of the gaps in a patch that are closed."""
_TONE_DIFFERENCE = 24.0
"""Grey levels from which two pictures differ, after their tones were matched."""
_RIM = 7
"""Pixels across the line between a border and the picture that decide whether the border's colour goes on."""
_BESIDE = 15
"""Side, in pixels, of the square around a pixel of that rim in which the border's level is taken."""
_GROUND_TOLERANCE, _MAX_GROUND_SHARE = 12.0, 0.5
"""Grey levels within which it goes on, and the share of that line from which it is the picture's own ground."""
_MIN_OVERLAP_SHARE = 0.1
_MIN_CHROMA = 10.0
"""Distance from grey in CIELAB (8 bits) from which a pixel has colour."""
_MIN_COLOURED_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two aligned pictures have in common, as shares from 0 to 1.

    ``covered`` is the share of either picture that the other shows, ``borders`` that of its frame which is blank and
    lies beyond the other, ``grounds`` the same where a ground of one colour goes on there. ``detail_share`` of the
    overlap has detail in both; of that detail, ``agreeing``, ``closely_agreeing`` and ``contradicting`` are shares (the
    rest is undecided). ``occluded`` of the overlap is blank in one only, as under a banner; ``tone_changed`` of the
    rest is darker or lighter in one. ``colour_cosine`` is that of the colours, None without any; ``windows`` is the
    number of non-overlapping windows with the area of the detail.
    """

    covered: tuple[float, float]
    borders: tuple[float, float]
    grounds: tuple[float, float]
    detail_share: float
    agreeing: float
    closely_agreeing: float
    contradicting: float
    occluded: float
    tone_changed: float
    colour_cosine: float | None
    windows: float


def measure_agreement(first: Fingerprint, second: Fingerprint, matrix: Matrix) -> Agreement | None:
    """How ``first``, mapped by ``matrix`` (3, 3), agrees with ``second``; None if hardly anywhere."""
    if abs(np.linalg.det(matrix[:2, :2])) > 1:  # the finer one is scaled down
        agreement = _measure_finer(second, first, np.linalg.inv(matrix))
        if agreement is None:
            return None
        return replace(
            agreement,
            covered=agreement.covered[::-1],
            borders=agreement.borders[::-1],
            grounds=agreement.grounds[::-1],
        )
    return _measure_finer(first, second, matrix)


def _measure_finer(first: Fingerprint, second: Fingerprint, matrix: Matrix) -> Agreement | None:
    """``measure_agreement`` in the frame of the second, which has no more pixels for the same thing than the first."""
    height, width = second.grey.shape
    reached_mask = _warp_mask(np.ones_like(first.grey), matrix, width, height)
    reached_by_second = _reached_pixels(second.grey, matrix, first.grey)
    overlap = cv2.erode(reached_mask, square(5), borderType=cv2.BORDER_CONSTANT, borderValue=(1.0,)).astype(bool)
    first_grey, second_grey = warp(first.grey, matrix, (width, height)), second.grey
    first_blurred, second_blurred = _blur(first_grey), _blur(second_grey)
    correlation, has_detail = _correlate(first_blurred, second_blurred, overlap)
    is_agreeing = has_detail & (correlation >= _AGREEING_CORRELATION)
    if is_agreeing.sum() < _MIN_OVERLAP_SHARE * overlap.sum() or is_agreeing.sum() < WINDOW:
        return None
    tone_differs = overlap & (
        np.abs(_match_tone(first_blurred, second_blurred, is_agreeing) - second_blurred) > _TONE_DIFFERENCE
    )
    visible = overlap & ~_occluded_mask(_blank_mask(first_grey) | _blank_mask(second_grey), tone_differs, overlap)
    correlation, has_detail = _correlate(first_blurred, second_blurred, visible)
    is_agreeing = has_detail & (correlation >= _AGREEING_CORRELATION)
    count = max(1, int(has_detail.sum()))
    first_empty, second_empty = _empty_mask(first.grey), _empty_mask(second.grey)
    first_beyond = _empty_beyond(first.grey, first_empty, reached_by_second)
    second_beyond = _empty_beyond(second.grey, second_empty, reached_mask)
    return Agreement(
        covered=(_reached_share(first_empty, reached_by_second), _reached_share(second_empty, reached_mask)),
        borders=(first_beyond.border, second_beyond.border),
        grounds=(first_beyond.ground, second_beyond.ground),
        detail_share=float(has_detail.sum() / max(1, visible.sum())),
        agreeing=float(is_agreeing.sum() / count),
        closely_agreeing=float((has_detail & (correlation >= _CLOSE_CORRELATION)).sum() / count),
        contradicting=float((has_detail & (correlation < _CONTRADICTING_CORRELATION)).sum() / count),
        occluded=1 - float(visible.sum() / overlap.sum()),
        tone_changed=float((tone_differs & visible).sum() / max(1, visible.sum())),
        colour_cosine=_colour_cosine(first, second, matrix, visible),
        windows=count / WINDOW**2,
    )


def _warp_mask(mask: Bytes, matrix: Matrix, width: int, height: int) -> Bytes:
    """A mask mapped into a frame."""
    return cv2.warpAffine(mask, matrix[:2], (width, height), flags=cv2.INTER_NEAREST).astype(np.uint8, copy=False)


def _reached_pixels(frame: Bytes, matrix: Matrix, target: Bytes) -> Bytes:
    """A mask of the pixels of ``target`` that are mapped into the frame."""
    return _warp_mask(np.ones_like(frame), np.linalg.inv(matrix), target.shape[1], target.shape[0])


def _reached_share(empty: Mask, reached_mask: Bytes) -> float:
    """The share of a picture that the other covers; ``empty`` areas (borders) count only if there is little else.

    The line along which a border ends is of neither.
    """
    reached_mask = cv2.dilate(reached_mask, square(3)).astype(np.uint8, copy=False)
    textured = ~empty
    counted_pixels = textured if textured.mean() > _MIN_OVERLAP_SHARE else np.ones_like(textured)
    return float(reached_mask[counted_pixels].mean())


@dataclass(frozen=True, slots=True)
class _EmptyBeyond:
    """Shares of a picture's frame that are blank and lie beyond the other: a border, or a ground that goes on."""

    border: float = 0.0
    ground: float = 0.0


def _empty_beyond(grey: Bytes, empty: Mask, reached_mask: Bytes) -> _EmptyBeyond:
    """What of a picture's frame is ``empty``, and not covered by the other.

    A blank ground that goes on inside what both show, as around a cut-out product, is no border.
    """
    beyond = reached_mask == 0
    border = empty & beyond
    if not border.any():
        return _EmptyBeyond()
    rim = (cv2.dilate(beyond.astype(np.uint8), square(_RIM)) > 0) & ~beyond
    weights = border.astype(np.float32)
    nearby = cv2.boxFilter(weights, -1, (_BESIDE, _BESIDE))
    levels = cv2.boxFilter(weights * grey, -1, (_BESIDE, _BESIDE)) / np.maximum(nearby, 1e-6)
    rim &= nearby > 0
    goes_on = np.abs(grey[rim] - levels[rim]) <= _GROUND_TOLERANCE
    share = float(border.mean())
    if not (goes_on.size and goes_on.mean() > _MAX_GROUND_SHARE):
        return _EmptyBeyond(border=share)
    is_of_one_colour = np.ptp(np.percentile(grey[border], (2, 98))) <= _BLANK_TOLERANCE
    return _EmptyBeyond(ground=share if is_of_one_colour else 0.0)  # nobody frames a picture with its own shadows


def _blur(grey: Bytes) -> Plane:
    return cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR_SIGMA).astype(np.float32, copy=False)


def _match_tone(first: Plane, second: Plane, is_agreeing: Mask) -> Plane:
    """``first`` with the brightness and contrast of ``second``, fitted where they agree."""
    x, y = first[is_agreeing], second[is_agreeing]
    spread = float(x.std())
    slope = min(4.0, max(0.25, float(y.std()) / spread)) if spread > 0 else 1.0
    adjusted: Plane = np.clip((first - x.mean()) * slope + y.mean(), 0, 255)
    return adjusted


def _occluded_mask(blank: Mask, tone_differs: Mask, overlap: Mask) -> Mask:
    """Where something occludes one of the two: a banner, a border, an empty corner.

    That is a patch of another tone at the edge of the overlap, of which at least a quarter is blank in either: so a
    banner includes the text on it, and an object of another colour is no banner.
    """
    closed_mask = cv2.morphologyEx(tone_differs.astype(np.uint8), cv2.MORPH_CLOSE, square(_MAX_GAP))
    _, patches = cv2.connectedComponents(closed_mask.astype(np.uint8), connectivity=4)
    flat = patches.ravel()
    sizes = np.bincount(flat)
    blanks = np.bincount(flat, weights=(blank & tone_differs).ravel(), minlength=len(sizes))
    inner = cv2.erode(overlap.astype(np.uint8), square(5), borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)) > 0
    is_occluding = (blanks >= sizes / 4) & (sizes >= _MIN_BLANK_SIDE**2)
    is_occluding &= np.isin(np.arange(len(sizes)), patches[~inner])
    is_occluding[0] = False
    return cv2.dilate(is_occluding[patches].astype(np.uint8), square(5)).astype(bool)


def _blank_mask(grey: Bytes) -> Mask:
    """Where the picture is one colour over at least ``_MIN_BLANK_SIDE`` pixels each way."""
    is_even = (local_range(grey, 3) <= _BLANK_TOLERANCE).astype(np.uint8)
    return cv2.morphologyEx(is_even, cv2.MORPH_OPEN, square(_MIN_BLANK_SIDE)).astype(bool)


def _empty_mask(grey: Bytes) -> Mask:
    """Blank areas, and the lines of one colour along the edges."""
    return _blank_mask(grey) | _edge_mask(grey)


def _edge_mask(grey: Bytes) -> Mask:
    """The lines of one colour along the four edges: of a border that is too narrow for a blank area."""
    height, width = grey.shape
    top, bottom = _even_lines(grey), _even_lines(grey[::-1])
    rows = grey[top : height - bottom]
    left, right = _even_lines(rows.T), _even_lines(rows.T[::-1])
    mask = np.ones(grey.shape, bool)
    mask[top : height - bottom, left : width - right] = False
    return mask


def _even_lines(lines: Bytes) -> int:
    """How many lines, from the first on, have the colour of the first one; 0 if that is half of them or more."""
    if not lines.size or np.ptp(lines[0]) > _BLANK_TOLERANCE:
        return 0  # as in almost every picture
    is_even = np.ptp(lines, axis=1) <= _BLANK_TOLERANCE
    levels = np.median(lines, axis=1)
    differs = ~is_even | (np.abs(levels - levels[0]) > _BLANK_TOLERANCE)
    count = int(differs.argmax()) if differs.any() else len(lines)
    return count if 2 * count < len(lines) else 0


def _window_mean(plane: Plane) -> Plane:
    means = cv2.boxFilter(plane, -1, (WINDOW, WINDOW), normalize=True, borderType=cv2.BORDER_CONSTANT)
    return means.astype(np.float32, copy=False)


def _correlate(first: Plane, second: Plane, mask: Mask) -> tuple[Plane, Mask]:
    """Correlation in the window around each pixel, and where both have detail."""
    weight = mask.astype(np.float32)
    share = np.maximum(_window_mean(weight), 1e-3)
    x, y = first * weight, second * weight
    mean_x, mean_y = _window_mean(x) / share, _window_mean(y) / share
    spread_x = np.maximum(_window_mean(x * first) / share - mean_x * mean_x, 0)
    spread_y = np.maximum(_window_mean(y * second) / share - mean_y * mean_y, 0)
    covariance = _window_mean(x * second) / share - mean_x * mean_y
    correlation = covariance / np.sqrt((spread_x + _NOISE_VARIANCE) * (spread_y + _NOISE_VARIANCE))
    detail = (spread_x > _MIN_DETAIL_SPREAD**2) & (spread_y > _MIN_DETAIL_SPREAD**2) & (share > 0.3) & mask
    return correlation, detail


def _colour_cosine(first: Fingerprint, second: Fingerprint, matrix: Matrix, mask: Mask) -> float | None:
    """Cosine of the colours' distances from grey where both have colour, or None if hardly anywhere."""
    height, width = second.colour.shape[:2]
    first_scale, second_scale = (scale_between(picture.grey, picture.colour) for picture in (first, second))
    warped = cv2.warpAffine(
        first.colour.astype(np.float32), (second_scale @ matrix @ np.linalg.inv(first_scale))[:2], (width, height)
    )
    coarse_mask = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.9
    if not coarse_mask.any():
        return None
    first_colours, second_colours = warped[coarse_mask], second.colour[coarse_mask].astype(np.float32)
    # Only where both have colour: overexposed pixels have none, nor has a grey copy.
    vivid = (np.linalg.norm(first_colours, axis=1) > _MIN_CHROMA) & (
        np.linalg.norm(second_colours, axis=1) > _MIN_CHROMA
    )
    if vivid.mean() < _MIN_COLOURED_SHARE:
        return None
    first_colours, second_colours = first_colours[vivid], second_colours[vivid]
    return float(
        (first_colours * second_colours).sum()
        / np.sqrt((first_colours * first_colours).sum() * (second_colours * second_colours).sum())
    )
