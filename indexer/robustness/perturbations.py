"""Fourteen perturbations of a picture, each deterministic for its seed.

The first eight correspond to torchvision's transforms at usual strengths; pixels from outside the picture are black,
as there.

    perturbation      drawn from the seed
    horizontal flip   nothing
    rotation          10° counter-clockwise or clockwise about the centre
    resized crop      50 to 100 % of the area, the aspect ratio times 3/4 to 4/3, resized to the original size
    brightness        all values times 0.5 to 1.5
    affine            rotation up to 10°, shift up to a tenth, scale 0.9 to 1.1, shear up to 10°
    hue               shift of up to 0.3 of the colour circle, either way
    saturation        the distance from grey times 0.5 to 1.5
    perspective       each corner moved inwards by up to a quarter of the side (torchvision's distortion of 0.5)
    JPEG              nothing; quality 20
    blur              nothing; a Gaussian whose deviation is 1.5 % of the shorter side
    grey              nothing; luminance 0.299 R + 0.587 G + 0.114 B
    border            a border of one colour, 8 to 15 % of the shorter side wide
    banner            a band with a word, 15 to 25 % of the height, at the top or the bottom
    background        a plain background is replaced by another colour or a gradient
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from indexer.robustness.background import replace_background
from lookalike.images import decode, encode_jpeg

RGB = npt.NDArray[np.uint8]
Random = np.random.Generator

TURN = 10.0
CROP_AREA = (0.5, 1.0)
CROP_ASPECT = 4 / 3
JITTER = 0.5
HUE = 0.3
SHIFT, ZOOM, SHEAR = 0.1, 0.1, 10.0
DISTORTION = 0.5
JPEG_QUALITY = 20
BLUR = 0.015
BORDER = (0.08, 0.15)
BANNER = (0.15, 0.25)
WORDS = ("SALE", "NEW", "-30%", "TOP OFFER")
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Group(StrEnum):
    """Kinds of perturbations."""

    COLOUR = "colour"
    PACKAGING = "packaging"
    VIEW = "view"
    ROTATION = "rotation"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A perturbation by name; ``make`` takes the picture and a generator with the seed."""

    name: str
    group: Group
    make: Callable[[RGB, Random], RGB | None]

    def apply(self, picture: RGB, seed: int) -> RGB | None:
        """Perturb ``picture``, upright (h, w, 3) uint8 RGB; None if the perturbation does not apply to it.

        The same picture and seed (0 or above) give the same pixels. ``picture`` is not modified.
        """
        return self.make(picture, np.random.default_rng(seed))


def _flip_horizontally(picture: RGB, _random: Random) -> RGB:
    return np.ascontiguousarray(picture[:, ::-1])


def _rotate(picture: RGB, random: Random) -> RGB:
    return _warp_affine(picture, angle=TURN * _draw_sign(random))


def _crop(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    area = random.uniform(*CROP_AREA)
    aspect = math.exp(random.uniform(-1, 1) * math.log(CROP_ASPECT))
    crop_width = max(1, min(width, round(width * math.sqrt(area * aspect))))
    crop_height = max(1, min(height, round(height * math.sqrt(area / aspect))))
    left, top = (int(random.integers(0, room + 1)) for room in (width - crop_width, height - crop_height))
    return _to_uint8(cv2.resize(picture[top : top + crop_height, left : left + crop_width], (width, height)))


def _change_brightness(picture: RGB, random: Random) -> RGB:
    return _to_uint8(picture.astype(np.float32) * random.uniform(1 - JITTER, 1 + JITTER))


def _apply_affine(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    return _warp_affine(
        picture,
        angle=random.uniform(-TURN, TURN),
        shear=random.uniform(-SHEAR, SHEAR),
        scale=random.uniform(1 - ZOOM, 1 + ZOOM),
        shift=(width * random.uniform(-SHIFT, SHIFT), height * random.uniform(-SHIFT, SHIFT)),
    )


def _shift_hue(picture: RGB, random: Random) -> RGB:
    circle = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL)
    circle[..., 0] += np.uint8(round(256 * random.uniform(-HUE, HUE)) % 256)  # wraps around, as hues do
    return _to_uint8(cv2.cvtColor(circle, cv2.COLOR_HSV2RGB_FULL))


def _change_saturation(picture: RGB, random: Random) -> RGB:
    grey = _luminance(picture)
    return _to_uint8(grey + (picture - grey) * random.uniform(1 - JITTER, 1 + JITTER))


def _change_perspective(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    # Corners of the area, not centres of the corner pixels, so that they differ even for a single pixel.
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    offsets = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * random.uniform(0, DISTORTION / 2, (4, 2))
    target_corners = (corners + offsets * (width, height)).astype(np.float32)
    return _to_uint8(
        cv2.warpPerspective(picture, cv2.getPerspectiveTransform(corners, target_corners), (width, height))
    )


def _compress_jpeg(picture: RGB, _random: Random) -> RGB:
    return decode(encode_jpeg(picture, JPEG_QUALITY)).pixels


def _blur(picture: RGB, _random: Random) -> RGB:
    return _to_uint8(cv2.GaussianBlur(picture, (0, 0), max(BLUR * min(picture.shape[:2]), 0.5)))


def _convert_to_grey(picture: RGB, _random: Random) -> RGB:
    return _to_uint8(np.broadcast_to(_luminance(picture), picture.shape))


def _add_border(picture: RGB, random: Random) -> RGB:
    width = max(1, round(min(picture.shape[:2]) * random.uniform(*BORDER)))
    colour = random.integers(0, 256, 3).tolist()
    return _to_uint8(cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_CONSTANT, value=colour))


def _add_banner(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    depth = max(1, round(height * random.uniform(*BANNER)))
    colour = random.integers(0, 256, 3)
    band = np.empty((depth, width, 3), dtype=np.uint8)
    band[:] = colour
    word = WORDS[random.integers(len(WORDS))]
    (text_width, text_height), _ = cv2.getTextSize(word, FONT, 1.0, 2)
    scale = min(0.6 * depth / text_height, 0.9 * width / text_width)
    ink = (0, 0, 0) if colour.mean() > 127 else (255, 255, 255)
    origin = (round((width - text_width * scale) / 2), round((depth + text_height * scale) / 2))
    band = cv2.putText(band, word, origin, FONT, scale, ink, max(1, round(3 * scale)), cv2.LINE_AA)
    result = picture.copy()
    if random.uniform() < 0.5:
        result[:depth] = band
    else:
        result[-depth:] = band
    return result


def _warp_affine(
    picture: RGB,
    *,
    angle: float,
    shear: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> RGB:
    """Shear (degrees, along x), rotate (degrees, clockwise) and scale about the centre, then shift (pixels)."""
    height, width = picture.shape[:2]
    turn, lean = math.radians(angle), math.tan(math.radians(shear))
    cos, sin = math.cos(turn), math.sin(turn)
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, lean], [0.0, 1.0]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - linear @ centre + shift
    return _to_uint8(cv2.warpAffine(picture, np.column_stack([linear, offset]), (width, height)))


def _luminance(picture: RGB) -> npt.NDArray[np.float32]:
    """(h, w, 1), 0 to 255."""
    grey: npt.NDArray[np.float32] = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return grey[..., None]


def _draw_sign(random: Random) -> int:
    return 1 if random.uniform() < 0.5 else -1


def _to_uint8(values: npt.NDArray[np.generic]) -> RGB:
    if values.dtype != np.uint8:
        values = np.rint(values).clip(0, 255)
    return np.ascontiguousarray(values, dtype=np.uint8)


PERTURBATIONS = (
    Perturbation("horizontal flip", Group.ROTATION, _flip_horizontally),
    Perturbation("rotation", Group.ROTATION, _rotate),
    Perturbation("resized crop", Group.VIEW, _crop),
    Perturbation("brightness", Group.COLOUR, _change_brightness),
    Perturbation("affine", Group.VIEW, _apply_affine),
    Perturbation("hue", Group.COLOUR, _shift_hue),
    Perturbation("saturation", Group.COLOUR, _change_saturation),
    Perturbation("perspective", Group.VIEW, _change_perspective),
    Perturbation("JPEG", Group.QUALITY, _compress_jpeg),
    Perturbation("blur", Group.QUALITY, _blur),
    Perturbation("grey", Group.COLOUR, _convert_to_grey),
    Perturbation("border", Group.PACKAGING, _add_border),
    Perturbation("banner", Group.PACKAGING, _add_banner),
    Perturbation("background", Group.PACKAGING, replace_background),
)
"""All perturbations, in the order of the tables."""
