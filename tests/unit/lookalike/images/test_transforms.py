"""Resizing, thumbnails, digests and encoding of decoded pixels."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lookalike.images import decode, digest_pixels, encode_jpeg, encode_png, resize, thumbnail


def checker(side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    grey = (np.indices((side, side)).sum(axis=0) % 2 * 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def test_shrinking_a_checkerboard_gives_grey_and_not_stripes() -> None:
    small = resize(checker(64), 8, 8)
    assert small.shape == (8, 8, 3)
    assert np.abs(small[1:-1, 1:-1].astype(int) - 127).max() <= 3


def test_resizing_to_the_same_size_changes_nothing() -> None:
    np.testing.assert_array_equal(resize(checker(9), 9, 9), checker(9))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(100, 50, (32, 16)), (50, 100, (16, 32)), (10, 20, (10, 20)), (1, 1000, (1, 32))],
)
def test_a_thumbnail_fits_and_is_never_enlarged(height: int, width: int, expected: tuple[int, int]) -> None:
    picture = decode(thumbnail(np.full((height, width, 3), 90, np.uint8), 32))
    assert (picture.height, picture.width) == expected
    assert picture.format == "JPEG"
    assert np.abs(picture.pixels.astype(int) - 90).max() <= 2


def test_the_digest_is_of_shape_and_bytes() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert digest_pixels(pixels) == hashlib.sha256(b"2,4,3:" + bytes(range(24))).hexdigest()
    assert digest_pixels(pixels) != digest_pixels(pixels.reshape(4, 2, 3))
    assert digest_pixels(pixels[:, ::-1]) == digest_pixels(np.ascontiguousarray(pixels[:, ::-1]))


def test_png_keeps_pixels_and_jpeg_quality_decides_the_size() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encode_png(pixels)).pixels, pixels)
    assert len(encode_jpeg(pixels, 95)) > len(encode_jpeg(pixels, 30))
