"""A picture becomes the square that the network was trained on, by each of the three rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from lookalike.encoder.base import RGB
from lookalike.encoder.preprocess import prepare
from lookalike.encoder.spec import EncoderSpec, Resize
from lookalike.errors import VectorsInvalidError
from lookalike.testing import TinyEncoder


def spec(resize: Resize, size: int = 40, crop_fraction: float = 1.0) -> EncoderSpec:
    return dataclasses.replace(
        TinyEncoder().spec, resize=resize, input_size=size, crop_fraction=crop_fraction, mean=(0.5, 0.25, 0.0)
    )


def plain(colour: tuple[int, int, int], height: int, width: int) -> RGB:
    return np.full((height, width, 3), colour, np.uint8)


def expected(colour: tuple[int, int, int], rule: EncoderSpec) -> list[float]:
    return [(value / 255 - mean) / std for value, mean, std in zip(colour, rule.mean, rule.std, strict=True)]


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(40, 40), (1, 1), (7, 300), (300, 7), (41, 39)])
def test_a_plain_picture_keeps_its_colour_in_every_rule(resize: Resize, height: int, width: int) -> None:
    rule = spec(resize)
    prepared = prepare(plain((200, 100, 0), height, width), rule)
    assert prepared.shape == (3, 40, 40)
    assert prepared.dtype == np.float32
    centre = prepared[:, 19, 19]
    np.testing.assert_allclose(centre, expected((200, 100, 0), rule), atol=1e-5)


def test_squash_shows_the_whole_picture() -> None:
    picture = np.concatenate([plain((255, 0, 0), 20, 50), plain((0, 0, 255), 20, 50)], axis=1)
    prepared = prepare(picture, spec("squash"))
    red, blue = expected((255, 0, 0), spec("squash")), expected((0, 0, 255), spec("squash"))
    np.testing.assert_allclose(prepared[:, :, 0], np.tile(np.array(red)[:, None], 40), atol=1e-5)
    np.testing.assert_allclose(prepared[:, :, -1], np.tile(np.array(blue)[:, None], 40), atol=1e-5)


def test_crop_leaves_out_the_sides_of_a_wide_picture() -> None:
    picture = plain((255, 255, 255), 40, 120)
    picture[:, 40:80] = (0, 128, 0)
    rule = spec("crop")
    np.testing.assert_allclose(
        prepare(picture, rule), np.tile(np.array(expected((0, 128, 0), rule))[:, None, None], (40, 40)), atol=1e-5
    )


def test_crop_fraction_takes_that_part_of_the_shorter_side() -> None:
    picture = plain((255, 255, 255), 100, 100)
    picture[10:90, 10:90] = (10, 20, 30)
    rule = spec("crop", crop_fraction=0.8)
    np.testing.assert_allclose(
        prepare(picture, rule), np.tile(np.array(expected((10, 20, 30), rule))[:, None, None], (40, 40)), atol=1e-5
    )


def test_pad_keeps_the_sides_ratio_and_leaves_zeros_around() -> None:
    rule = spec("pad")
    prepared = prepare(plain((255, 0, 0), 30, 60), rule)
    band = np.tile(np.array(expected((255, 0, 0), rule))[:, None, None], (20, 40))
    np.testing.assert_allclose(prepared[:, 10:30], band, atol=1e-5)
    assert not prepared[:, :10].any()
    assert not prepared[:, 30:].any()


def test_an_extreme_ratio_needs_no_huge_memory() -> None:
    picture = plain((9, 9, 9), 1, 60_000)
    for resize in ("squash", "crop", "pad"):
        assert prepare(picture, spec(resize)).shape == (3, 40, 40)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        [[0, 0, 0]],
    ],
)
def test_what_is_no_picture_is_refused(picture: Any) -> None:
    with pytest.raises(VectorsInvalidError, match=r"^a picture must"):
        prepare(picture, spec("squash"))
