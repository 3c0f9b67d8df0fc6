"""Maps from one picture to another, if it is a copy: a few candidates, which ``agreement`` checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.copies.fingerprint import LONG_ASPECT, Bytes, Fingerprint, Points

Matrix = npt.NDArray[np.floating]

_ICON_SIDE = 24
_ICON_CORRELATION = 0.7
"""Least correlation of two icons for the map between their boxes to be a candidate."""
_NEAREST_RATIO = 0.82
"""Largest distance of a match over that of the next best (D. Lowe's ratio test)."""
_MAX_HAMMING = 72  # bits of 256
_MIN_POINTS = 6
_MAX_REPROJECTION_ERROR = 2.0
"""Pixels of the grey picture between a mapped point and its match."""
_RANSAC_ITERATIONS = 400

_MIN_PART_SIDE, _MAX_LENGTH = 16, 8192
"""Pixels of the grey picture that a part of a long one has at least each way, and of what is looked at at most."""
_MIN_PART_CORRELATION = 0.6

_MIN_TILT = 0.7
"""Degrees from which a picture is turned on purpose: keypoints of small pictures find 0.4."""
_SWAP = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_MIRROR = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
_QUARTER_TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """``matrix`` (3, 3) maps pixels of the first grey picture to pixels of the second."""

    matrix: Matrix

    @property
    def is_mirrored(self) -> bool:
        """Whether the second picture is mirrored."""
        return bool(np.linalg.det(self.matrix[:2, :2]) < 0)

    @property
    def turned_by(self) -> int:
        """Degrees, -180 to 180, by which the second picture is turned, after it was mirrored; rounded."""
        return round(self._angle)

    @property
    def is_tilted(self) -> bool:
        """Whether the second picture is turned, and by no quarter turn."""
        return abs((self._angle + 45) % 90 - 45) > _MIN_TILT

    @property
    def _angle(self) -> float:
        linear = self.matrix[:2, :2] @ (_MIRROR[:2, :2] if self.is_mirrored else np.eye(2))
        return float(np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])))

    @property
    def description(self) -> str:
        """Such as "mirrored", "turned by 90°", "as is"."""
        words = ["mirrored"] if self.is_mirrored else []
        if abs(self.turned_by) > 1:
            words.append(f"turned by {self.turned_by}°")
        return " and ".join(words) or "as is"


def propose_alignments(first: Fingerprint, second: Fingerprint) -> Iterator[Alignment]:
    """Candidates, the cheap ones first: frame to frame, content to content, then by keypoints, as is and mirrored.

    Of two pictures of which one is long, the shorter one is looked for along the other.
    """
    yield from _align_boxes(first, second)
    yield from _align_along(first.grey, second.grey)
    yield from _align_points(first, second)


def _align_boxes(first: Fingerprint, second: Fingerprint) -> Iterator[Alignment]:
    box_pairs = [(_full_box(first), _full_box(second))]
    if first.box != box_pairs[0][0] or second.box != box_pairs[0][1]:
        box_pairs.append((first.box, second.box))
    for first_box, second_box in box_pairs:
        icon, target_icon = _icon(first.grey, first_box), _icon(second.grey, second_box)
        if icon is None or target_icon is None:
            continue
        correlations = [
            (float((np.rot90(icon[:, ::-1] if mirror else icon, turns) * target_icon).sum()), -turns, -mirror)
            for mirror in (0, 1)
            for turns in range(4)
        ]
        correlation, turns, mirror = max(correlations)
        if correlation >= _ICON_CORRELATION:
            linear = np.linalg.matrix_power(_QUARTER_TURN, -turns) @ (_MIRROR if mirror else np.eye(3))
            matrix = _from_unit(second_box) @ linear @ np.linalg.inv(_from_unit(first_box))
            yield Alignment(matrix)


def _align_along(first: Bytes, second: Bytes) -> Iterator[Alignment]:
    """The map, without a turn, of a part of a long picture, of its whole width, to its place in it."""
    if max(max(grey.shape) / min(grey.shape) for grey in (first, second)) < LONG_ASPECT:
        return
    for is_tall in (True, False):
        # Both with the width of the first, or lying down with its height.
        pair = [first, second] if is_tall else [first.T, second.T]
        scale = pair[0].shape[1] / pair[1].shape[1]
        length = round(pair[1].shape[0] * scale)
        if min(length, *pair[0].shape) < _MIN_PART_SIDE or length > _MAX_LENGTH:
            continue
        other = cv2.resize(pair[1], (pair[0].shape[1], length), interpolation=cv2.INTER_AREA)
        longer, shorter = (pair[0], other) if len(pair[0]) >= length else (other, pair[0])
        correlations = cv2.matchTemplate(
            np.ascontiguousarray(longer), np.ascontiguousarray(shorter), cv2.TM_CCOEFF_NORMED
        )
        _, best, _, (_, offset) = cv2.minMaxLoc(correlations)
        if not _MIN_PART_CORRELATION <= best <= 1:  # of an even part it is none
            continue
        shift = -float(offset) if longer is pair[0] else float(offset)
        along = np.array([[1 / scale, 0, 0], [0, 1 / scale, shift / scale], [0, 0, 1.0]])
        yield Alignment(along if is_tall else _SWAP @ along @ _SWAP)


def _full_box(fingerprint: Fingerprint) -> tuple[float, float, float, float]:
    return 0.0, 0.0, float(fingerprint.grey.shape[1]), float(fingerprint.grey.shape[0])


def _icon(grey: Bytes, box: tuple[float, float, float, float]) -> npt.NDArray[np.float32] | None:
    """The box's content at 24 × 24, less its mean, of length 1; None if it is flat."""
    x0, y0, x1, y1 = (int(edge) for edge in box)
    icon = cv2.resize(grey[y0:y1, x0:x1], (_ICON_SIDE, _ICON_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    icon -= icon.mean()
    length = float(np.linalg.norm(icon))
    return None if length < _ICON_SIDE else icon / np.float32(length)


def _from_unit(box: tuple[float, float, float, float]) -> Matrix:
    """The map from the unit square to a box of pixels, whose centres have integer coordinates."""
    x0, y0, x1, y1 = box
    return np.array([[x1 - x0, 0, x0 - 0.5], [0, y1 - y0, y0 - 0.5], [0, 0, 1.0]])


def _align_points(first: Fingerprint, second: Fingerprint) -> Iterator[Alignment]:
    if min(len(first.points), len(second.points)) < _MIN_POINTS:
        return
    for descriptors in (second.descriptors, second.mirrored_descriptors):
        first_rows, second_rows = _match_points(first.descriptors, descriptors)
        if len(first_rows) < _MIN_POINTS:
            continue
        matrix = _fit_affine(first.points[first_rows], second.points[second_rows])
        if matrix is not None:
            yield Alignment(matrix)


def _match_points(first: Bytes, second: Bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of the first descriptors, and of the second's nearest, where that is much closer than the next nearest."""
    # Not as a matrix product of bits: the threads of its library wait actively, and a search has threads of its own.
    distances, nearest = cv2.batchDistance(first, second, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2)
    is_match = (distances[:, 0] <= _MAX_HAMMING) & (distances[:, 0] < _NEAREST_RATIO * distances[:, 1])
    return np.flatnonzero(is_match), nearest[is_match, 0].astype(np.int64)


def _fit_affine(first_points: Points, second_points: Points) -> Matrix | None:
    """The affine map that most pairs of points agree on, or None. OpenCV's RANSAC draws from a seed of its own."""
    matrix, inliers = cv2.estimateAffine2D(
        first_points,
        second_points,
        method=cv2.RANSAC,
        ransacReprojThreshold=_MAX_REPROJECTION_ERROR,
        maxIters=_RANSAC_ITERATIONS,
        confidence=0.995,
        refineIters=10,
    )
    if matrix is None or int(inliers.sum()) < _MIN_POINTS or not np.isfinite(matrix).all():
        return None
    full_matrix = np.vstack([matrix, [0.0, 0.0, 1.0]])
    return full_matrix if _is_plausible(full_matrix) else None


def _is_plausible(matrix: Matrix) -> bool:
    """Whether a picture editor makes such a map: a rotation at one scale, or a stretch along the picture's edges."""
    linear = matrix[:2, :2]
    longest, shortest = np.linalg.svd(linear, compute_uv=False)
    if shortest < 0.2 or longest > 5:
        return False
    if longest / shortest < 1.06:
        return True
    parts = np.abs(linear)
    diagonal, off_diagonal = parts[0, 0] + parts[1, 1], parts[0, 1] + parts[1, 0]
    return bool(longest / shortest < 2.5 and min(diagonal, off_diagonal) < 0.08 * (diagonal + off_diagonal))
