"""Noise is measured, and neither texture nor compression is taken for it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lookalike.duplicates.noise import measure_noise
from tests.helpers.scenes import Pixels, blurred, draw_scene, jpeg, scaled


def _pixels(file: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


@pytest.mark.parametrize("deviation", [5.0, 10.0, 20.0])
def test_white_noise_on_an_even_ground_has_its_standard_deviation(deviation: float) -> None:
    noise = np.random.default_rng(0).normal(0, deviation, (256, 256, 3))
    picture = np.clip(128 + noise, 0, 255).astype(np.uint8)
    # The quarter of the blocks that looks most even has a little less than the mean.
    assert 0.75 * deviation < measure_noise(picture) < 1.02 * deviation


@pytest.mark.parametrize("seed", range(4))
def test_texture_blur_and_compression_are_no_noise(seed: int) -> None:
    scene = draw_scene(seed, (480, 360))
    for version in (jpeg(scene, 95), jpeg(scene, 30), jpeg(blurred(scene)), jpeg(scaled(scene, 0.5))):
        assert measure_noise(_pixels(version)) < 0.5


def test_a_picture_smaller_than_a_block_has_none() -> None:
    assert measure_noise(np.zeros((15, 200, 3), np.uint8)) == 0.0
