"""The pixel fingerprint of a picture: a small grey picture, its colours, and keypoints with their descriptors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

SIDE = 128
"""Longest side, in pixels, of the grey picture that two pictures are compared in."""

DETAIL_SIDE = 1024
"""Most pixels of the longest side of the grey picture in which differences are looked for."""

LONG_ASPECT = 8 / 3
"""Longer by shorter side from which a picture is long, as the screenshot of a whole page: its sides grow with it."""
_MOST_TIMES, _MOST_TIMES_DETAIL = 24.0, 6.0
"""How many times the usual sides a long picture has at most, and its detail."""

_COLOUR_SIDE = 32
_KEYPOINTS = 400
_PLAIN_SPREAD = 2.0
"""Standard deviation, in grey levels and in steps of CIELAB's a and b, below which a picture is plain."""
_MARGIN = 16
"""Pixels at the edge of each pyramid level in which the detector finds nothing."""
_BACKGROUND_TOLERANCE = 12
"""Grey levels by which a uniform background may vary: what JPEG and soft shadows do to it."""


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """The input of the check for copies: 40 kB a picture, and ``detail``; of a long one ``side_factor`` times as much.

    ``grey`` is (h, w) uint8 with the longest side ``SIDE``; ``detail`` is the same with at most ``DETAIL_SIDE``, never
    enlarged, and ``detail_colour`` (H, W, 2) uint8 its a and b of CIELAB plus 128, at half that size: up to 1.5 MB;
    ``colour`` is (h', w', 2) int8, the a and b of CIELAB, with the longest side 32. ``points`` is (n, 2) float32, in
    pixels of ``grey``; ``descriptors`` and ``mirrored_descriptors`` are (n, 32) uint8, of each point in the picture and
    in its mirror image. ``box`` is x0, y0, x1, y1 in pixels of ``grey``: the picture without a uniform border.
    """

    grey: Bytes
    detail: Bytes
    detail_colour: Bytes
    colour: npt.NDArray[np.int8]
    points: Points
    descriptors: Bytes
    mirrored_descriptors: Bytes
    box: tuple[float, float, float, float]

    @property
    def is_plain(self) -> bool:
        """Whether the picture is of one colour, as good as without detail."""
        return _has_no_spread(self.grey, self.colour)

    def squashed_grey(self, side: int) -> npt.NDArray[np.float32]:
        """The whole picture as ``side`` × ``side`` grey levels."""
        return cv2.resize(self.grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)

    def outline(self) -> Fingerprint:
        """The same without ``detail`` and its colours: enough to rule out that two pictures are copies."""
        return replace(self, detail=np.empty((0, 0), np.uint8), detail_colour=np.empty((0, 0, 2), np.uint8))

    @property
    def nbytes(self) -> int:
        """Bytes of all its arrays."""
        return sum(
            part.nbytes
            for part in (
                self.grey,
                self.detail,
                self.detail_colour,
                self.colour,
                self.points,
                self.descriptors,
                self.mirrored_descriptors,
            )
        )


def compute_fingerprint(rgb: Bytes) -> Fingerprint:
    """The fingerprint of an upright (h, w, 3) uint8 picture of any size; equal pixels give equal fingerprints."""
    rgb = np.ascontiguousarray(rgb)
    factor = side_factor(rgb.shape)
    detail_side = round(min(factor, _MOST_TIMES_DETAIL) * DETAIL_SIDE)
    detailed = _resize_to_side(rgb, min(detail_side, max(rgb.shape[:2])))
    small = _resize_to_side(rgb, 2 * round(factor * SIDE))
    detection_grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    grey, colour = _resize_to_side(detection_grey, round(factor * SIDE)), _coarse_colour(small)
    points, descriptors, mirrored = _detect_keypoints(detection_grey)
    scale = np.array([grey.shape[1] / detection_grey.shape[1], grey.shape[0] / detection_grey.shape[0]], np.float32)
    return Fingerprint(
        grey,
        cv2.cvtColor(detailed, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False),
        _detail_colour(detailed),
        colour,
        (points + 0.5) * scale - 0.5,
        descriptors,
        mirrored,
        _content_box(grey),
    )


def side_factor(shape: tuple[int, ...]) -> float:
    """How many times the usual sides a picture (height, width, ...) has: 1 unless it is long."""
    aspect = max(shape[:2]) / min(shape[:2])
    return max(1.0, min(aspect / LONG_ASPECT, _MOST_TIMES))


def is_plain_picture(rgb: Bytes) -> bool:
    """``Fingerprint.is_plain`` of an upright (h, w, 3) uint8 picture, in a fraction of the time of its fingerprint."""
    if _differs_by_region(rgb):
        return False
    small = _resize_to_side(np.ascontiguousarray(rgb), SIDE)
    return _has_no_spread(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False), _coarse_colour(small))


def _differs_by_region(rgb: Bytes) -> bool:
    """Whether samples of the green channel differ so much by region that the picture is not plain; nearly all do."""
    height, width = rgb.shape[0] // 64, rgb.shape[1] // 64
    if not height or not width:
        return False
    samples = rgb[::height, ::width, 1][:64, :64].reshape(8, 8, 8, 8)
    return float(samples.mean(axis=(1, 3)).std()) > 4 * _PLAIN_SPREAD


def _has_no_spread(grey: Bytes, colour: npt.NDArray[np.int8]) -> bool:
    colour_spread = float(colour.std(axis=(0, 1)).max())
    return float(grey.std()) < _PLAIN_SPREAD and colour_spread < _PLAIN_SPREAD


def _coarse_colour(small: Bytes) -> npt.NDArray[np.int8]:
    lab = cv2.cvtColor(_resize_to_side(small, round(side_factor(small.shape) * _COLOUR_SIDE)), cv2.COLOR_RGB2LAB)
    return (lab[..., 1:].astype(np.int16) - 128).astype(np.int8)


def _detail_colour(detailed: Bytes) -> Bytes:
    half = _resize_to_side(detailed, max(1, max(detailed.shape[:2]) // 2))
    return np.ascontiguousarray(cv2.cvtColor(half, cv2.COLOR_RGB2LAB)[..., 1:].astype(np.uint8, copy=False))


def _resize_to_side(picture: Bytes, side: int) -> Bytes:
    """The picture enlarged or reduced so that its longest side is ``side``."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return picture
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=interpolation).astype(np.uint8, copy=False)


def _detect_keypoints(grey: Bytes) -> tuple[Points, Bytes, Bytes]:
    """Corners over eight scales, (n, 2), with ORB's 256 bits for each, and the same of the mirror image."""
    no_keypoints = np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8), np.empty((0, 32), np.uint8)
    height, width = grey.shape
    if min(height, width) <= 2 * _MARGIN:
        return no_keypoints
    orb = cv2.ORB.create(nfeatures=_KEYPOINTS, scaleFactor=1.2, nlevels=8, edgeThreshold=_MARGIN, fastThreshold=7)
    keypoints, descriptors = orb.detectAndCompute(grey, None)
    if not keypoints:
        return no_keypoints
    # The bits of a mirrored pattern are no permutation of the bits, so descriptors are computed a second time.
    mirrored_keypoints = [
        cv2.KeyPoint(
            width - 1 - point.pt[0], point.pt[1], point.size, (180 - point.angle) % 360, 0, point.octave, index
        )
        for index, point in enumerate(keypoints)
    ]
    described_keypoints, mirrored_bits = orb.compute(cv2.flip(grey, 1), mirrored_keypoints)
    indices = [point.class_id for point in described_keypoints]
    if not indices:
        return no_keypoints
    points = np.array([keypoints[index].pt for index in indices], np.float32)
    bits, mirrored_descriptors = (part.astype(np.uint8, copy=False) for part in (descriptors[indices], mirrored_bits))
    return points[:_KEYPOINTS], bits[:_KEYPOINTS], mirrored_descriptors[:_KEYPOINTS]


def _content_box(grey: Bytes) -> tuple[float, float, float, float]:
    """The box around all that differs from the corners' colour; the full box if the corners differ."""
    height, width = grey.shape
    full_box = (0.0, 0.0, float(width), float(height))
    corners = grey[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
    if np.ptp(corners) > _BACKGROUND_TOLERANCE:
        return full_box
    differs = np.abs(grey.astype(np.int16) - np.int16(np.median(corners))) > _BACKGROUND_TOLERANCE
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return full_box
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
