"""A picture is what people see of it: its range, its colours, its shapes on whatever ground."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, TiffImagePlugin

from lookalike.images import decode
from lookalike.images.matrix_profile import matrix_profile
from tests.helpers.colour_profiles import P3, converted, profile
from tests.unit.lookalike.images.test_decode import cmyk_profile, png_chunk, raw_png, saved

Pixels = npt.NDArray[np.uint8]
WIDE_SPACES = ["Display P3", "Adobe RGB", "ProPhoto"]


def difference(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(int) - second).mean())


# --- grounds


def shape(draw_shape: str, fill: tuple[int, int, int, int], mode: str = "RGBA") -> Pixels:
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    if draw_shape == "disc":
        draw.ellipse((100, 100, 300, 300), fill=fill)
    else:
        draw.rectangle((150, 30, 250, 370), fill=fill)
    return decode(saved(image.convert(mode), "PNG")).pixels


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_white_shapes_on_a_transparent_ground_are_seen(mode: str) -> None:
    disc, bar = (shape(name, (255, 255, 255, 255), mode) for name in ("disc", "bar"))
    assert disc[200, 200].tolist() == bar[200, 200].tolist() == [255, 255, 255]
    assert disc[5, 5].tolist() == [0, 0, 0]
    assert difference(disc, bar) > 30


@pytest.mark.parametrize("colour", [(10, 10, 10), (200, 30, 30), (128, 128, 128), (240, 240, 120)])
def test_a_cut_out_of_any_other_colour_stands_on_white(colour: tuple[int, int, int]) -> None:
    pixels = shape("disc", (*colour, 255))
    assert pixels[5, 5].tolist() == [255, 255, 255]
    assert pixels[200, 200].tolist() == list(colour)


def test_a_white_product_with_its_shading_stands_on_white() -> None:
    rows, columns = np.mgrid[:300, :300]
    shade = np.clip(255 - (columns - 40) // 4, 0, 255).astype(np.uint8)
    alpha = ((columns - 150) ** 2 + (rows - 150) ** 2 < 120**2).astype(np.uint8) * 255
    cut_out = np.dstack([shade, shade, shade, alpha])
    assert decode(saved(Image.fromarray(cut_out), "WEBP", lossless=True)).pixels[2, 2].tolist() == [255, 255, 255]


def test_nothing_at_all_is_white() -> None:
    assert decode(saved(Image.new("RGBA", (40, 30), (9, 9, 9, 0)), "PNG")).pixels.min() == 255


# --- ranges


def ramp_and_disc(highest: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    rows, columns = np.mgrid[:60, :60]
    disc = ((columns - 30) ** 2 + (rows - 30) ** 2 < 400) * highest
    return (columns * highest // 59).astype(np.uint16), disc.astype(np.uint16)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
@pytest.mark.parametrize("highest", [200, 1023, 4095])
def test_16_bit_grey_of_a_narrow_range_is_stretched(highest: int, format_name: str) -> None:
    ramp, disc = (decode(saved(Image.fromarray(values), format_name)).pixels for values in ramp_and_disc(highest))
    for pixels in (ramp, disc):
        assert (pixels.min(), pixels.max()) == (0, 255)
    assert difference(ramp, disc) > 40


def test_16_bit_colour_of_a_narrow_range_is_stretched() -> None:
    rows, columns = np.mgrid[:40, :40]
    samples = np.dstack([columns * 5, rows * 5, columns * 0]).astype(np.uint16)
    png = raw_png([row.astype(">u2").tobytes() for row in samples], 40, 16, 2)
    pixels = decode(png).pixels
    assert pixels[0, 39].tolist() == [255, 0, 0]
    assert pixels[39, 0].tolist() == [0, 255, 0]
    opaque = np.dstack([samples, np.full((40, 40), 65535, np.uint16)])
    np.testing.assert_array_equal(
        decode(raw_png([row.astype(">u2").tobytes() for row in opaque], 40, 16, 6)).pixels, pixels
    )


@pytest.mark.parametrize("lowest", [0, 20])
@pytest.mark.parametrize("highest", [90, 255])
def test_a_16_bit_photo_looks_like_its_8_bit_copy(lowest: int, highest: int) -> None:
    grey = np.random.default_rng(1).integers(lowest, highest + 1, (40, 60), dtype=np.uint8)
    grey[0, :2] = lowest, highest
    noise = np.random.default_rng(2).integers(0, 256, grey.shape, dtype=np.uint16)
    deep = saved(Image.fromarray((grey.astype(np.uint16) << 8) | noise), "PNG")
    np.testing.assert_array_equal(decode(deep).pixels, decode(saved(Image.fromarray(grey), "PNG")).pixels)


def test_a_flat_16_bit_picture_stays_as_bright_as_it_is() -> None:
    assert decode(saved(Image.fromarray(np.full((9, 9), 0x8040, np.uint16)), "PNG")).pixels.max() == 0x80


def tagged_tiff(values: npt.NDArray[Any], lowest: float, highest: float) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    kind = 12 if values.dtype == np.float32 else 3
    for tag, value in ((340, lowest), (341, highest)):
        tags.tagtype[tag] = kind
        tags[tag] = value
    return saved(Image.fromarray(values), "TIFF", tiffinfo=tags)


def test_a_tiff_may_say_its_range() -> None:
    values = np.array([[1000, 2000, 3000, 60000]], np.uint16)
    assert decode(tagged_tiff(values, 1000, 3000)).pixels[0, :, 0].tolist() == [0, 128, 255, 255]
    floats = np.array([[0.0, 0.5, 1.0, 2.0]], np.float32)
    assert decode(tagged_tiff(floats, 0.0, 2.0)).pixels[0, :, 0].tolist() == [0, 64, 128, 255]


def test_floats_that_use_little_of_their_range_are_stretched() -> None:
    values = np.array([[0.0, 0.001, 0.002]], np.float32)
    assert decode(saved(Image.fromarray(values), "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255]


# --- colours


def colours(height: int = 96, width: int = 128) -> Pixels:
    """Smooth colours that every space holds: a photo's, not those at sRGB's corners."""
    rows, columns = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    waves = (np.sin(6 * rows + 2 * columns), np.sin(5 * columns + 1), np.cos(4 * rows - 3 * columns))
    return np.dstack([128 + 60 * wave for wave in waves]).astype(np.uint8)


@pytest.mark.parametrize("space", WIDE_SPACES)
@pytest.mark.parametrize(
    ("format_name", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("TIFF", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 95}),
    ],
)
def test_a_copy_in_a_wide_colour_space_has_the_same_colours(
    format_name: str, options: dict[str, Any], space: str
) -> None:
    original = colours()
    copy = saved(converted(original, space), format_name, icc_profile=profile(space), **options)
    without = saved(converted(original, space), format_name, **options)
    assert difference(decode(copy).pixels, original) < 2.5
    assert difference(decode(without).pixels, original) > 4


@pytest.mark.parametrize("space", WIDE_SPACES)
def test_a_jpeg_is_converted_at_the_size_to_which_it_is_decoded(space: str) -> None:
    original = colours(384, 512)
    wide = saved(converted(original, space), "JPEG", icc_profile=profile(space), quality=95)
    small = decode(wide, fit=96)
    assert small.pixels.shape == (96, 128, 3)
    assert difference(small.pixels, decode(saved(Image.fromarray(original), "JPEG", quality=95), fit=96).pixels) < 2.5


def test_a_profile_of_srgb_changes_no_level() -> None:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    for format_name in ("JPEG", "PNG"):
        plain, tagged = (decode(saved(image, format_name, icc_profile=icc)) for icc in (None, profile("sRGB")))
        np.testing.assert_array_equal(tagged.pixels, plain.pixels)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_a_grey_picture_is_converted_by_its_profile(format_name: str) -> None:
    linear = matrix_profile(P3, (0.3127, 0.3290), (1.0,))
    for value in (0, 60, 188, 255):
        grey = Image.new("L", (32, 32), value)
        expected = 255 * np.clip(1.055 * (value / 255) ** (1 / 2.4) - 0.055, 0, 1) if value else 0
        pixels = decode(saved(grey, format_name, icc_profile=linear)).pixels
        assert abs(float(pixels[9, 9, 0]) - expected) <= 2
        assert np.ptp(pixels[9, 9]) <= 1


def test_transparent_pictures_are_converted_before_they_stand_on_their_ground() -> None:
    original = colours()
    wide = converted(original, "Display P3")
    wide.putalpha(Image.new("L", wide.size, 255))
    wide.putpixel((0, 0), (1, 2, 3, 0))
    pixels = decode(saved(wide, "PNG", icc_profile=profile("Display P3"))).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert difference(pixels[1:], original[1:]) < 2


@pytest.mark.parametrize("icc", [b"no profile" * 20, cmyk_profile(60), b""], ids=["broken", "of CMYK", "empty"])
def test_a_profile_that_does_not_fit_is_left_out(icc: bytes) -> None:
    image = Image.fromarray(colours())
    for format_name in ("JPEG", "PNG"):
        plain, tagged = (decode(saved(image, format_name, icc_profile=profile)) for profile in (None, icc))
        np.testing.assert_array_equal(tagged.pixels, plain.pixels)


def rows_of(image: Image.Image) -> list[bytes]:
    return [row.tobytes() for row in np.asarray(image)]


def test_a_png_may_name_its_space_by_numbers() -> None:
    original = colours()
    rows = rows_of(converted(original, "Display P3"))
    points = [0.3127, 0.3290, *(value for point in P3 for value in point)]
    chrm = png_chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * value) for value in points)))
    gama = png_chunk(b"gAMA", struct.pack(">I", 45455))
    cicp = png_chunk(b"cICP", bytes([12, 13, 0, 1]))
    for chunks in (cicp, gama + chrm):
        assert difference(decode(raw_png(rows, 128, 8, 2, chunks)).pixels, original) < 2
    for chunks in (gama, chrm, png_chunk(b"sRGB", b"\0") + gama + chrm, png_chunk(b"cICP", bytes([1, 13, 0, 1]))):
        np.testing.assert_array_equal(
            decode(raw_png(rows, 128, 8, 2, chunks)).pixels, decode(raw_png(rows, 128, 8, 2)).pixels
        )


def test_chromaticities_of_no_space_are_left_out() -> None:
    gama = png_chunk(b"gAMA", struct.pack(">I", 45455))
    rows = rows_of(Image.fromarray(colours()))
    for points in ([0] * 8, [31270, 32900, *[30000] * 6], [2**31 - 1] * 8):
        data = raw_png(rows, 128, 8, 2, gama + png_chunk(b"cHRM", struct.pack(">8I", *points)))
        np.testing.assert_array_equal(decode(data).pixels, colours())


def test_threads_share_a_transform() -> None:
    files = [
        saved(converted(colours(), space), "JPEG", icc_profile=profile(space), quality=95) for space in WIDE_SPACES
    ]
    alone = [decode(data).pixels for data in files]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda number: decode(files[number % 3]).pixels, range(60)))
    for number, pixels in enumerate(together):
        np.testing.assert_array_equal(pixels, alone[number % 3])


def test_a_profile_in_pieces_is_put_together() -> None:
    """A JPEG holds a large profile in several segments."""
    big = profile("Display P3") + bytes(70_000)
    data = saved(converted(colours(), "Display P3"), "JPEG", icc_profile=big, quality=95)
    assert data.count(b"ICC_PROFILE\0") == 2
    assert difference(decode(data).pixels, colours()) < 2.5
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == big
