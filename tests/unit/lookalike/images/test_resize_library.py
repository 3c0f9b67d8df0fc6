"""Resizing gives the same bytes whatever does it: the compiled library, or any version of Pillow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike import compiled
from lookalike.images import describe_resize_library, resize, resize_library
from lookalike.images.resize_library import resize_bilinear
from lookalike.images.transforms import thumbnail

Pixels = npt.NDArray[np.uint8]
SIZES = [
    (208, 208, 144, 144),
    (500, 375, 144, 144),
    (375, 500, 144, 144),
    (1, 900, 32, 32),
    (900, 1, 32, 32),
    (64, 64, 300, 200),
    (17, 400, 40, 3),
    (3, 3, 1, 1),
]


def picture(width: int, height: int) -> Pixels:
    return np.random.default_rng(width + height).integers(0, 256, (height, width, 3), np.uint8)


def by_pillow(pixels: Pixels, width: int, height: int) -> Pixels:
    low = Image.fromarray(pixels).resize((pixels.shape[1], height), Image.Resampling.BILINEAR)
    return np.array(low.resize((width, height), Image.Resampling.BILINEAR))


@pytest.mark.parametrize(("width", "height", "to_width", "to_height"), SIZES)
def test_the_compiled_library_gives_what_pillow_gives_for_height_and_then_width(
    width: int, height: int, to_width: int, to_height: int
) -> None:
    pixels = picture(width, height)
    found = resize_bilinear(pixels, to_width, to_height)
    assert found is not None, describe_resize_library()
    np.testing.assert_array_equal(found, by_pillow(pixels, to_width, to_height))


def test_without_the_library_the_bytes_are_the_same_and_it_is_said_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert describe_resize_library().startswith("compiled")
    expected = [resize(picture(width, height), *size) for width, height, *size in SIZES]
    (tmp_path / "_resize.abi3.so").write_bytes(b"no library")
    for folder, why in ((tmp_path, "_resize.abi3.so"), (tmp_path / "empty", "was not compiled")):
        with monkeypatch.context() as patched:
            patched.setattr(compiled, "_FOLDER", folder)
            compiled.compiled_library.cache_clear()
            resize_library._library.cache_clear()
            assert describe_resize_library().startswith("Pillow (")
            assert why in describe_resize_library()
            for (width, height, *size), square in zip(SIZES, expected, strict=True):
                np.testing.assert_array_equal(resize(picture(width, height), *size), square)
        compiled.compiled_library.cache_clear()
        resize_library._library.cache_clear()
    assert describe_resize_library().startswith("compiled")


def test_a_part_of_a_picture_is_resized_as_if_it_were_cut_out() -> None:
    pixels = picture(300, 200)
    part = pixels[20:150:2, 250:10:-1]
    np.testing.assert_array_equal(resize(part, 32, 32), resize(np.ascontiguousarray(part), 32, 32))


def test_threads_do_not_disturb_each_other() -> None:
    pictures = [picture(90 + number, 80) for number in range(6)]
    alone = [resize(pixels, 33, 44) for pixels in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda number: resize(pictures[number % 6], 33, 44), range(120)))
    for number, pixels in enumerate(together):
        np.testing.assert_array_equal(pixels, alone[number % 6])


def test_a_read_only_picture_is_left_as_it_is() -> None:
    pixels = picture(50, 40)
    pixels.setflags(write=False)
    resize(pixels, 20, 20)
    assert thumbnail(pixels, 10).startswith(b"\xff\xd8")
    np.testing.assert_array_equal(pixels, picture(50, 40))
