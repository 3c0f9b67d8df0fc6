"""Where one picture would lie on another if it were its copy: a few guesses, to be confirmed by ``agreement``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.fingerprint import Bytes, Fingerprint, Points

Matrix = npt.NDArray[np.floating]

_ICON = 24
_ICON_CORRELATION = 0.7
_RATIO = 0.82
"""A point is taken for another if the next best is at least so much further away (D. Lowe's ratio test)."""
_MOST_BITS = 72
_FEWEST_POINTS = 6
_REACH = 2.0
"""Pixels of the grey pictures by which a point may miss its place."""
_TRIES = 400

_MIRROR = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
_QUARTER_TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """``matrix`` (3, 3) maps pixels of the first grey picture to pixels of the second; ``how`` says it in words."""

    matrix: Matrix
    how: str


def alignments(first: Fingerprint, second: Fingerprint) -> Iterator[Alignment]:
    """Guesses, the cheap ones first: frame on frame, content on content, then by keypoints, as is and mirrored."""
    yield from _boxes(first, second)
    yield from _by_points(first, second)


def _boxes(first: Fingerprint, second: Fingerprint) -> Iterator[Alignment]:
    frames = [(_frame(first), _frame(second))]
    if first.box != frames[0][0] or second.box != frames[0][1]:
        frames.append((first.box, second.box))
    for one, other in frames:
        icon, onto = _icon(first.grey, one), _icon(second.grey, other)
        if icon is None or onto is None:
            continue
        scored = [
            (float((np.rot90(icon[:, ::-1] if mirror else icon, turns) * onto).sum()), -turns, -mirror)
            for mirror in (0, 1)
            for turns in range(4)
        ]
        correlation, turns, mirror = max(scored)
        if correlation >= _ICON_CORRELATION:
            turned = np.linalg.matrix_power(_QUARTER_TURN, -turns) @ (_MIRROR if mirror else np.eye(3))
            matrix = _from_unit(other) @ turned @ np.linalg.inv(_from_unit(one))
            yield Alignment(matrix, _in_words(matrix))


def _frame(fingerprint: Fingerprint) -> tuple[float, float, float, float]:
    return 0.0, 0.0, float(fingerprint.grey.shape[1]), float(fingerprint.grey.shape[0])


def _icon(grey: Bytes, box: tuple[float, float, float, float]) -> npt.NDArray[np.float32] | None:
    """The box's content at 24 × 24, less its mean, of length 1; None if it is flat."""
    x0, y0, x1, y1 = (int(edge) for edge in box)
    icon = cv2.resize(grey[y0:y1, x0:x1], (_ICON, _ICON), interpolation=cv2.INTER_AREA).astype(np.float32)
    icon -= icon.mean()
    length = float(np.linalg.norm(icon))
    return None if length < _ICON else icon / np.float32(length)


def _from_unit(box: tuple[float, float, float, float]) -> Matrix:
    """From the unit square to a box of pixels, whose centres are whole numbers."""
    x0, y0, x1, y1 = box
    return np.array([[x1 - x0, 0, x0 - 0.5], [0, y1 - y0, y0 - 0.5], [0, 0, 1.0]])


def _by_points(first: Fingerprint, second: Fingerprint) -> Iterator[Alignment]:
    if min(len(first.points), len(second.points)) < _FEWEST_POINTS:
        return
    bits, count = _signs(first.descriptors), len(second.points)
    alike = bits @ _signs(np.concatenate([second.descriptors, second.mirrored])).T
    for distances in ((256 - alike[:, :count]) / 2, (256 - alike[:, count:]) / 2):
        here, there = _matched(distances)
        if len(here) < _FEWEST_POINTS:
            continue
        matrix = _fitted(first.points[here], second.points[there])
        if matrix is not None:
            yield Alignment(matrix, _in_words(matrix))


def _signs(descriptors: Bytes) -> npt.NDArray[np.float32]:
    """Bits as -1 and 1: the inner product of two rows of 256 is 256 less twice their Hamming distance."""
    return np.unpackbits(descriptors, axis=1).astype(np.float32) * 2 - 1


def _matched(distances: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and their columns where the nearest is much nearer than the next nearest."""
    rows = np.arange(len(distances))
    nearest = distances.argmin(axis=1)
    best = distances[rows, nearest].copy()
    distances[rows, nearest] = np.inf
    kept = (best <= _MOST_BITS) & (best < _RATIO * distances.min(axis=1))
    return rows[kept], nearest[kept]


def _fitted(here: Points, there: Points) -> Matrix | None:
    """The affine map that most pairs of points agree on, or None. OpenCV's RANSAC draws from a seed of its own."""
    matrix, agreed = cv2.estimateAffine2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=_REACH, maxIters=_TRIES, confidence=0.995, refineIters=10
    )
    if matrix is None or int(agreed.sum()) < _FEWEST_POINTS or not np.isfinite(matrix).all():
        return None
    whole = np.vstack([matrix, [0.0, 0.0, 1.0]])
    return whole if _is_sane(whole) else None


def _is_sane(matrix: Matrix) -> bool:
    """Whether a picture editor makes such a map: turned at one scale, or stretched along the picture's own edges."""
    linear = matrix[:2, :2]
    longest, shortest = np.linalg.svd(linear, compute_uv=False)
    if shortest < 0.2 or longest > 5:
        return False
    if longest / shortest < 1.06:
        return True
    parts = np.abs(linear)
    straight, crossed = parts[0, 0] + parts[1, 1], parts[0, 1] + parts[1, 0]
    return bool(longest / shortest < 2.5 and min(straight, crossed) < 0.08 * (straight + crossed))


def _in_words(matrix: Matrix) -> str:
    """Like "mirrored", "turned by 90°", "as is"."""
    mirrored = np.linalg.det(matrix[:2, :2]) < 0
    linear = matrix[:2, :2] @ (_MIRROR[:2, :2] if mirrored else np.eye(2))
    degrees = round(float(np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))))
    words = ["mirrored"] if mirrored else []
    if abs(degrees) > 1:
        words.append(f"turned by {degrees}°")
    return " and ".join(words) or "as is"
