"""Fourteen changes of a picture, as the world and its shops make them; each repeats exactly from its seed.

The first eight are those of torchvision's transforms, at strengths in common use there; what comes to lie outside is
black there and here.

    change            what is drawn from the seed
    horizontal flip   nothing
    rotation          10° to the left or to the right, about the centre
    resized crop      50 to 100 % of the area, sides in a proportion of 3:4 to 4:3 to what they were, at the old size
    brightness        all values times 0.5 to 1.5
    affine            turned by up to 10°, moved by up to a tenth, 0.9 to 1.1 times as large, sheared by up to 10°
    hue               all hues moved on by up to 0.3 of the circle, either way
    saturation        the distance from grey times 0.5 to 1.5
    perspective       each corner moved inwards by up to a quarter of the side (torchvision's distortion of 0.5)
    JPEG              nothing; quality 20
    blur              nothing; a Gaussian whose deviation is 1.5 % of the shorter side
    grey              nothing; luminance 0.299 R + 0.587 G + 0.114 B
    border            one colour all around, 8 to 15 % of the shorter side wide
    banner            a band with a word, 15 to 25 % of the height, over the top or the bottom
    background        the plain ground around the product becomes another colour, or goes from one to another
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from indexer.robustness.background import replace_ground
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
    """What a change is a change of."""

    COLOUR = "colour"
    PACKAGING = "packaging"
    VIEW = "view"
    ROTATION = "rotation"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class Change:
    """One change, by name; ``make`` takes the picture and a generator made from the seed."""

    name: str
    group: Group
    make: Callable[[RGB, Random], RGB | None]

    def apply(self, picture: RGB, seed: int) -> RGB | None:
        """``picture``, upright (h, w, 3) uint8 RGB, changed; None where the change does not apply to it.

        The same picture and seed (0 or above) give the same pixels. The picture itself stays as it is.
        """
        return self.make(picture, np.random.default_rng(seed))


def _flip(picture: RGB, _random: Random) -> RGB:
    return np.ascontiguousarray(picture[:, ::-1])


def _rotation(picture: RGB, random: Random) -> RGB:
    return _moved(picture, angle=TURN * _sign(random))


def _crop(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    area = random.uniform(*CROP_AREA)
    aspect = math.exp(random.uniform(-1, 1) * math.log(CROP_ASPECT))
    wide = max(1, min(width, round(width * math.sqrt(area * aspect))))
    high = max(1, min(height, round(height * math.sqrt(area / aspect))))
    left, top = (int(random.integers(0, room + 1)) for room in (width - wide, height - high))
    return _pixels(cv2.resize(picture[top : top + high, left : left + wide], (width, height)))


def _brightness(picture: RGB, random: Random) -> RGB:
    return _pixels(picture.astype(np.float32) * random.uniform(1 - JITTER, 1 + JITTER))


def _affine(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    return _moved(
        picture,
        angle=random.uniform(-TURN, TURN),
        shear=random.uniform(-SHEAR, SHEAR),
        scale=random.uniform(1 - ZOOM, 1 + ZOOM),
        shift=(width * random.uniform(-SHIFT, SHIFT), height * random.uniform(-SHIFT, SHIFT)),
    )


def _hue(picture: RGB, random: Random) -> RGB:
    circle = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL)
    circle[..., 0] += np.uint8(round(256 * random.uniform(-HUE, HUE)) % 256)  # wraps around, as hues do
    return _pixels(cv2.cvtColor(circle, cv2.COLOR_HSV2RGB_FULL))


def _saturation(picture: RGB, random: Random) -> RGB:
    grey = _luminance(picture)
    return _pixels(grey + (picture - grey) * random.uniform(1 - JITTER, 1 + JITTER))


def _perspective(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    # Corners are those of the area, not of the last pixels, so that even one pixel has four different ones.
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * random.uniform(0, DISTORTION / 2, (4, 2))
    moved = (corners + inwards * (width, height)).astype(np.float32)
    return _pixels(cv2.warpPerspective(picture, cv2.getPerspectiveTransform(corners, moved), (width, height)))


def _jpeg(picture: RGB, _random: Random) -> RGB:
    return decode(encode_jpeg(picture, JPEG_QUALITY)).pixels


def _blur(picture: RGB, _random: Random) -> RGB:
    return _pixels(cv2.GaussianBlur(picture, (0, 0), max(BLUR * min(picture.shape[:2]), 0.5)))


def _grey(picture: RGB, _random: Random) -> RGB:
    return _pixels(np.broadcast_to(_luminance(picture), picture.shape))


def _border(picture: RGB, random: Random) -> RGB:
    width = max(1, round(min(picture.shape[:2]) * random.uniform(*BORDER)))
    colour = random.integers(0, 256, 3).tolist()
    return _pixels(cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_CONSTANT, value=colour))


def _banner(picture: RGB, random: Random) -> RGB:
    height, width = picture.shape[:2]
    depth = max(1, round(height * random.uniform(*BANNER)))
    colour = random.integers(0, 256, 3)
    band = np.empty((depth, width, 3), dtype=np.uint8)
    band[:] = colour
    word = WORDS[random.integers(len(WORDS))]
    (wide, high), _ = cv2.getTextSize(word, FONT, 1.0, 2)
    scale = min(0.6 * depth / high, 0.9 * width / wide)
    ink = (0, 0, 0) if colour.mean() > 127 else (255, 255, 255)
    foot = (round((width - wide * scale) / 2), round((depth + high * scale) / 2))
    band = cv2.putText(band, word, foot, FONT, scale, ink, max(1, round(3 * scale)), cv2.LINE_AA)
    changed = picture.copy()
    if random.uniform() < 0.5:
        changed[:depth] = band
    else:
        changed[-depth:] = band
    return changed


def _moved(
    picture: RGB,
    *,
    angle: float,
    shear: float = 0.0,
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> RGB:
    """Sheared (degrees, along x), turned (degrees, clockwise) and scaled about the centre, then shifted (pixels)."""
    height, width = picture.shape[:2]
    turn, lean = math.radians(angle), math.tan(math.radians(shear))
    cos, sin = math.cos(turn), math.sin(turn)
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, lean], [0.0, 1.0]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre - linear @ centre + shift
    return _pixels(cv2.warpAffine(picture, np.column_stack([linear, offset]), (width, height)))


def _luminance(picture: RGB) -> npt.NDArray[np.float32]:
    """(h, w, 1), 0 to 255."""
    grey: npt.NDArray[np.float32] = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return grey[..., None]


def _sign(random: Random) -> int:
    return 1 if random.uniform() < 0.5 else -1


def _pixels(values: npt.NDArray[np.generic]) -> RGB:
    if values.dtype != np.uint8:
        values = np.rint(values).clip(0, 255)
    return np.ascontiguousarray(values, dtype=np.uint8)


CHANGES = (
    Change("horizontal flip", Group.ROTATION, _flip),
    Change("rotation", Group.ROTATION, _rotation),
    Change("resized crop", Group.VIEW, _crop),
    Change("brightness", Group.COLOUR, _brightness),
    Change("affine", Group.VIEW, _affine),
    Change("hue", Group.COLOUR, _hue),
    Change("saturation", Group.COLOUR, _saturation),
    Change("perspective", Group.VIEW, _perspective),
    Change("JPEG", Group.QUALITY, _jpeg),
    Change("blur", Group.QUALITY, _blur),
    Change("grey", Group.COLOUR, _grey),
    Change("border", Group.PACKAGING, _border),
    Change("banner", Group.PACKAGING, _banner),
    Change("background", Group.PACKAGING, replace_ground),
)
"""All of them, in the order of the tables."""
