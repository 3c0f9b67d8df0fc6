"""A picture becomes the square that the network was trained on, by each of the three rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from lookalike.encoder.base import RGB
from lookalike.encoder.preprocess import normalise, prepare
from lookalike.encoder.spec import EncoderSpec, Resize
from lookalike.errors import VectorsInvalidError
from lookalike.testing import TinyEncoder


def spec(resize: Resize, size: int = 40, crop_fraction: float = 1.0) -> EncoderSpec:
    return dataclasses.replace(
        TinyEncoder().spec, resize=resize, input_size=size, crop_fraction=crop_fraction, mean=(0.5, 0.25, 0.0)
    )


def plain(colour: tuple[int, int, int], height: int, width: int) -> RGB:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(40, 40), (1, 1), (7, 300), (300, 7), (41, 39)])
def test_a_plain_picture_keeps_its_colour_in_every_rule(resize: Resize, height: int, width: int) -> None:
    rule = spec(resize)
    prepared = prepare(plain((200, 100, 0), height, width), rule)
    assert prepared.shape == (40, 40, 3)
    assert prepared.dtype == np.uint8
    assert prepared[19, 19].tolist() == [200, 100, 0]


def test_the_network_is_given_numbers_around_zero() -> None:
    rule = spec("squash")
    batch = np.stack([plain((200, 100, 0), 40, 40), plain((1, 255, 7), 40, 40)])
    given = normalise(batch, rule)
    assert given.shape == (2, 3, 40, 40)
    assert given.dtype == np.float32
    for picture, colour in zip(given, ((200, 100, 0), (1, 255, 7)), strict=True):
        for channel, value, mean, std in zip(picture, colour, rule.mean, rule.std, strict=True):
            np.testing.assert_allclose(channel, np.full((40, 40), (value / 255 - mean) / std), atol=1e-5)


def test_squash_shows_the_whole_picture() -> None:
    picture = np.concatenate([plain((255, 0, 0), 20, 50), plain((0, 0, 255), 20, 50)], axis=1)
    prepared = prepare(picture, spec("squash"))
    np.testing.assert_array_equal(prepared[:, 0], plain((255, 0, 0), 40, 1)[:, 0])
    np.testing.assert_array_equal(prepared[:, -1], plain((0, 0, 255), 40, 1)[:, 0])


def test_crop_leaves_out_the_sides_of_a_wide_picture() -> None:
    picture = plain((255, 255, 255), 40, 120)
    picture[:, 40:80] = (0, 128, 0)
    np.testing.assert_array_equal(prepare(picture, spec("crop")), plain((0, 128, 0), 40, 40))


def test_crop_fraction_takes_that_part_of_the_shorter_side() -> None:
    picture = plain((255, 255, 255), 100, 100)
    picture[10:90, 10:90] = (10, 20, 30)
    np.testing.assert_array_equal(prepare(picture, spec("crop", crop_fraction=0.8)), plain((10, 20, 30), 40, 40))


def test_pad_keeps_the_sides_ratio_and_puts_the_mean_colour_around() -> None:
    prepared = prepare(plain((255, 0, 0), 30, 60), spec("pad"))
    np.testing.assert_array_equal(prepared[10:30], plain((255, 0, 0), 20, 40))
    border = plain((128, 64, 0), 10, 40)  # 0.5 * 255 = 127.5, 0.25 * 255 = 63.75
    np.testing.assert_array_equal(prepared[:10], border)
    np.testing.assert_array_equal(prepared[30:], border)


def test_an_extreme_ratio_needs_no_huge_memory() -> None:
    picture = plain((9, 9, 9), 1, 60_000)
    for resize in ("squash", "crop", "pad"):
        assert prepare(picture, spec(resize)).shape == (40, 40, 3)


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
