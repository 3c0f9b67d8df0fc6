"""One thing before another wall, on another paper or table is no plain copy; one picture in other tones is."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from lookalike.copies import CopyVerdict, check_copy, compute_fingerprint
from lookalike.images import decode, encode_jpeg

RGB = npt.NDArray[np.uint8]
WHITE = (250, 250, 250)


def product(ground: tuple[int, ...], *, falls_off: float = 0.0) -> RGB:
    """A patterned mug, drawn on a ground that is darker by a share towards the lower right."""
    height, width = 420, 520
    shade = 1 - falls_off * np.add.outer(np.arange(height) / height, np.arange(width) / width)[..., None] / 2
    picture = np.rint(np.full((height, width, 3), ground) * shade).astype(np.uint8)
    cv2.ellipse(picture, (370, 200), (60, 75), 0, -90, 90, (150, 60, 40), 22, cv2.LINE_AA)
    cv2.rectangle(picture, (150, 80), (370, 340), (190, 90, 50), -1)
    random = np.random.default_rng(3)
    for _ in range(60):
        x, y = int(random.integers(165, 355)), int(random.integers(95, 325))
        colour = tuple(int(value) for value in random.integers(20, 240, 3))
        cv2.circle(picture, (x, y), int(random.integers(4, 14)), colour, -1, cv2.LINE_AA)
    return picture


def compare(first: RGB, second: RGB, quality: int = 85) -> CopyVerdict:
    saved = (decode(encode_jpeg(picture, quality)).pixels for picture in (first, second))
    return check_copy(*map(compute_fingerprint, saved))


@pytest.mark.parametrize(
    "other",
    [product((205, 222, 240)), product((232, 214, 196), falls_off=0.1), product((222, 222, 224), falls_off=0.1)],
    ids=["light blue", "beige, not even", "a light grey wall"],
)
def test_a_product_on_another_ground_is_no_plain_copy(other: RGB) -> None:
    verdict = compare(product(WHITE), other)
    assert verdict.is_copy, verdict.why
    assert verdict.differs_at


@pytest.mark.parametrize(("shift", "is_copy"), [(12, True), (20, False)])
def test_a_product_in_another_colour_is_no_plain_copy(shift: int, *, is_copy: bool) -> None:
    picture = product(WHITE)
    hue, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL))
    merged = cv2.merge([(hue + np.uint8(shift)).astype(np.uint8), saturation, value])
    verdict = compare(picture, np.asarray(cv2.cvtColor(merged, cv2.COLOR_HSV2RGB_FULL), np.uint8))
    assert verdict.is_copy == is_copy
    assert verdict.differs_at if is_copy else "colours differ" in verdict.why


TONES: dict[str, Callable[[RGB], npt.NDArray[np.floating]]] = {
    "darker": lambda picture: picture * 0.8,
    "lighter, until white": lambda picture: picture * 1.2,
    "less contrast": lambda picture: picture * 0.7 + 38,
    "gamma": lambda picture: 255 * (picture / 255) ** 1.3,
    "warmer": lambda picture: picture * np.array([1.0, 0.97, 0.9]),
    "grey": lambda picture: np.repeat((picture @ np.array([0.299, 0.587, 0.114]))[..., None], 3, axis=2),
}


@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("ground", [WHITE, (205, 222, 240)], ids=["white", "blue"])
def test_a_product_in_other_tones_is_a_plain_copy(tone: str, ground: tuple[int, ...]) -> None:
    picture = product(ground, falls_off=0.05)
    verdict = compare(picture, np.clip(TONES[tone](picture), 0, 255).astype(np.uint8))
    assert verdict.is_copy
    assert not verdict.differs_at
