"""A picture looks the same however it was stored: turned, transparent, in another colour space, in another format."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.images import decode

Pixels = npt.NDArray[np.uint8]

# A wide picture whose four corners differ: red, green / blue, yellow, three pixels each way.
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def corners() -> Pixels:
    pixels = np.zeros((6, 10, 3), np.uint8)
    pixels[:3, :5], pixels[:3, 5:], pixels[3:, :5], pixels[3:, 5:] = RED, GREEN, BLUE, YELLOW
    return pixels


def saved(image: Image.Image, format_name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(rows: list[bytes], width: int, depth: int, colour_type: int, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")
    )


# How a camera that was held so stores the upright picture: the inverse of what the viewer has to do.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("value", range(1, 9))
def test_a_turned_phone_photo_comes_out_upright(value: int, format_name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    stored = Image.fromarray(np.ascontiguousarray(STORED[value](corners())))
    options: dict[str, Any] = {"lossless": True} if format_name == "WEBP" else {}

    picture = decode(saved(stored, format_name, exif=exif, **options))

    np.testing.assert_array_equal(picture.pixels, corners())
    assert (picture.width, picture.height, picture.format) == (10, 6, format_name)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_a_nonsense_orientation_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    np.testing.assert_array_equal(decode(saved(Image.fromarray(corners()), "PNG", exif=exif)).pixels, corners())


def test_broken_metadata_does_not_cost_the_picture() -> None:
    data = saved(Image.fromarray(corners()), "PNG")
    after_header = 8 + 25
    broken = data[:after_header] + png_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff") + data[after_header:]
    np.testing.assert_array_equal(decode(broken).pixels, corners())


@pytest.mark.parametrize("format_name", ["BMP", "DDS", "GIF", "ICO", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF"])
def test_lossless_formats_keep_every_pixel(format_name: str) -> None:
    square = np.tile(corners(), (2, 1, 1))[:10, :10]
    square = np.repeat(np.repeat(square, 2, axis=0), 2, axis=1)[:16, :16]
    options: dict[str, Any] = {"sizes": [(16, 16)]} if format_name == "ICO" else {}
    picture = decode(saved(Image.fromarray(np.ascontiguousarray(square)), format_name, **options))
    np.testing.assert_array_equal(picture.pixels, square)
    assert picture.format == format_name
    assert picture.pixels.flags.c_contiguous
    assert picture.pixels.flags.writeable


@pytest.mark.parametrize("format_name", ["JPEG", "JPEG2000", "AVIF"])
def test_lossy_formats_come_close(format_name: str) -> None:
    wide = np.repeat(np.repeat(corners(), 8, axis=0), 8, axis=1)
    picture = decode(saved(Image.fromarray(wide), format_name, quality=90))
    inner = picture.pixels[4:20, 4:36].astype(int) - np.array(RED)
    assert np.abs(inner).mean() < 12


def blend(colour: int, alpha: int) -> float:
    return colour * alpha / 255 + 255 * (1 - alpha / 255)


@pytest.mark.parametrize("alpha", [0, 1, 100, 254, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_lie_on_white(mode: str, alpha: int) -> None:
    image = Image.new(mode, (2, 2), (40, alpha) if mode == "LA" else (40, 40, 40, alpha))
    assert abs(int(decode(saved(image, "PNG")).pixels[0, 0, 0]) - blend(40, alpha)) <= 1


def test_premultiplied_alpha_lies_on_white() -> None:
    # 30 is 60 at half alpha, so that over white it is 30 + 127.
    tiff = saved(Image.new("RGBA", (2, 2), (30, 30, 30, 128)), "TIFF")
    premultiplied = tiff.replace(struct.pack("<HHIHH", 338, 3, 1, 2, 0), struct.pack("<HHIHH", 338, 3, 1, 1, 0))
    assert premultiplied != tiff
    assert abs(int(decode(premultiplied).pixels[0, 0, 0]) - (30 + 127)) <= 1


def test_a_palette_with_transparency_lies_on_white() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    one_key = decode(saved(image, "PNG", transparency=1)).pixels
    np.testing.assert_array_equal(one_key[0], [RED, (255, 255, 255), BLUE])
    many = decode(saved(image, "PNG", transparency=bytes([255, 128, 0]))).pixels
    assert np.abs(many[0].astype(int) - [RED, (127, 255, 127), (255, 255, 255)]).max() <= 1


@pytest.mark.parametrize(("depth", "sample", "other"), [(1, 1, 0), (2, 1, 2), (4, 5, 10), (8, 77, 78)])
def test_the_transparent_grey_of_a_png_is_white_at_every_depth(depth: int, sample: int, other: int) -> None:
    byte = (sample << (8 - depth)) | ((other << (8 - 2 * depth)) if depth < 8 else 0)
    row = bytes([byte]) if depth < 8 else bytes([sample, other])
    picture = decode(raw_png([row], 2, depth, 0, png_chunk(b"tRNS", struct.pack(">H", sample))))
    assert picture.pixels[0, 0].tolist() == [255, 255, 255]
    assert picture.pixels[0, 1].tolist() == [other * 255 // ((1 << depth) - 1)] * 3


def test_the_transparent_grey_of_a_16_bit_png_is_white() -> None:
    row = struct.pack(">HH", 0x1234, 0x5678)
    picture = decode(raw_png([row], 2, 16, 0, png_chunk(b"tRNS", struct.pack(">H", 0x1234))))
    assert picture.pixels[0, :, 0].tolist() == [255, 0x56]


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_colour_of_a_png_is_white(depth: int) -> None:
    code = ">HHH" if depth == 16 else "BBB"
    scale = 257 if depth == 16 else 1
    first, second = (10 * scale, 20 * scale, 30 * scale), (40 * scale, 50 * scale, 60 * scale)
    row = struct.pack(code, *first) + struct.pack(code, *second)
    picture = decode(raw_png([row], 2, depth, 2, png_chunk(b"tRNS", struct.pack(">HHH", *first))))
    assert picture.pixels[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_an_unused_fourth_byte_does_not_blank_a_tga() -> None:
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 2, 1, 32, 0x20)
    picture = decode(header + bytes([30, 20, 10, 0]) * 2)
    assert picture.pixels.tolist() == [[[10, 20, 30]] * 2]


def test_16_bit_grey_and_16_bit_colour_agree() -> None:
    values = [0x0000, 0x01FF, 0x7FFF, 0x80FF, 0xFFFF]
    grey = decode(raw_png([b"".join(struct.pack(">H", v) for v in values)], 5, 16, 0)).pixels
    colour = decode(raw_png([b"".join(struct.pack(">HHH", v, v, v) for v in values)], 5, 16, 2)).pixels
    np.testing.assert_array_equal(grey, colour)
    assert grey[0, :, 0].tolist() == [v >> 8 for v in values]


def test_16_bit_pgm_and_tiff_agree() -> None:
    values = np.array([[0, 300, 40000, 65535]], np.uint16)
    pgm = b"P5 4 1 65535\n" + values.astype(">u2").tobytes()
    np.testing.assert_array_equal(decode(pgm).pixels[0, :, 0], values[0] >> 8)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(values), "TIFF")).pixels[0, :, 0], values[0] >> 8)


def test_floats_from_0_to_1_are_black_to_white_and_others_are_stretched() -> None:
    unit = Image.fromarray(np.array([[0.0, 0.2, 0.4]], np.float32))
    assert decode(saved(unit, "TIFF")).pixels[0, :, 0].tolist() == [0, 51, 102]
    wide = Image.fromarray(np.array([[-100.0, 0.0, 100.0, np.nan]], np.float32))
    assert decode(saved(wide, "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255, 0]
    huge = Image.fromarray(np.array([[-3e38, 3e38, np.inf]], np.float32))
    assert decode(saved(huge, "TIFF")).pixels[0, :2, 0].tolist() == [0, 255]
    flat = Image.fromarray(np.array([[7.0, 7.0]], np.float32))
    assert decode(saved(flat, "TIFF")).pixels[0, :, 0].tolist() == [0, 0]


def test_32_bit_integers_are_stretched() -> None:
    numbers = Image.fromarray(np.array([[-1000, 0, 1000]], np.int32))
    assert decode(saved(numbers, "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255]


def test_bilevel_is_black_and_white() -> None:
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 255)
    for format_name in ("PNG", "TIFF", "PPM", "BMP"):
        assert decode(saved(image, format_name)).pixels[0, :, 0].tolist() == [0, 255], format_name


@pytest.mark.parametrize("format_name", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_follows_the_formula(format_name: str) -> None:
    cyan, magenta, yellow, black = 200, 40, 0, 60
    image = Image.new("CMYK", (16, 16), (cyan, magenta, yellow, black))
    expected = [round((255 - ink) * (255 - black) / 255) for ink in (cyan, magenta, yellow)]
    got = decode(saved(image, format_name, quality=95)).pixels[8, 8].astype(int)
    assert np.abs(got - expected).max() <= 3


def cmyk_profile(lightness: int) -> bytes:
    """A minimal ICC v2 profile (lut8Type): full black ink is black, any mixture without it is L* = ``lightness``."""
    s15 = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    grid = (bytes([round(lightness * 2.55), 128, 128]) + bytes([0, 128, 128])) * 8
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + s15 + ramp * 4 + grid + ramp * 3
    body = struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut
    white = struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    header = struct.pack(">II4s4s4s4s", 128 + len(body), 0, b"\2\x10\0\0", b"prtr", b"CMYK", b"Lab ")
    header += bytes(12) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + body


def test_cmyk_with_a_profile_goes_through_it() -> None:
    # CIE: Y = ((L + 16) / 116)^3, then the sRGB curve 1.055 Y^(1/2.4) - 0.055.
    luminance = ((60 + 16) / 116) ** 3
    expected = round(255 * (1.055 * luminance ** (1 / 2.4) - 0.055))
    image = Image.new("CMYK", (16, 16), (200, 40, 0, 0))
    got = decode(saved(image, "JPEG", icc_profile=cmyk_profile(60), quality=95)).pixels[8, 8].astype(int)
    assert np.abs(got - expected).max() <= 2


def test_a_broken_cmyk_profile_falls_back_to_the_formula() -> None:
    image = Image.new("CMYK", (16, 16), (0, 0, 0, 100))
    got = decode(saved(image, "JPEG", icc_profile=b"not a profile" * 20, quality=95)).pixels[8, 8]
    assert np.abs(got.astype(int) - 155).max() <= 3


def test_lab_becomes_srgb() -> None:
    # Neutral Lab (a = b = 0) is grey of the same lightness as in the test of the profile above.
    tiff = saved(Image.new("LAB", (4, 4), (round(60 * 2.55), 128, 128)), "TIFF")
    luminance = ((60 + 16) / 116) ** 3
    expected = 255 * (1.055 * luminance ** (1 / 2.4) - 0.055)
    assert np.abs(decode(tiff).pixels.astype(float) - expected).max() <= 3


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_an_animation_is_its_first_frame(format_name: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
    options: dict[str, Any] = {"lossless": True} if format_name == "WEBP" else {}
    data = saved(frames[0], format_name, save_all=True, append_images=frames[1:], **options)
    picture = decode(data)
    assert np.abs(picture.pixels.astype(int) - RED).max() <= (6 if format_name == "AVIF" else 0)


def test_the_same_bytes_give_the_same_pixels_on_every_thread() -> None:
    rng = np.random.default_rng(3)
    files = [
        saved(Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)), name)
        for name in ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "QOI")
    ]
    alone = [decode(data).pixels for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda number: decode(files[number % 6]).pixels, range(60)))
    for number, pixels in enumerate(together):
        np.testing.assert_array_equal(pixels, alone[number % 6])
