"""A file that is no usable picture gets the right verdict, names itself, and costs next to nothing."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.errors import (
    ImageCorruptError,
    ImageEmptyError,
    ImageError,
    ImageTooLargeError,
    ImageTruncatedError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from lookalike.images import READABLE, decode, sniff
from lookalike.options import ImageLimits
from tests.unit.lookalike.images.test_decode import png_chunk, raw_png, saved


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_every_refusal_names_the_file() -> None:
    with pytest.raises(ImageEmptyError, match=r"cats/1\.jpg") as caught:
        decode(b"", name="cats/1.jpg")
    assert caught.value.subject == "cats/1.jpg"


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(ImageTooLargeError, match="101 bytes"):
        decode(b"x" * 101, limits=ImageLimits(max_bytes=100))


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "TGA", "JPEG2000", "AVIF"])
def test_the_pixel_limit_holds_in_every_format_and_is_inclusive(format_name: str) -> None:
    data = saved(noise(20, 10), format_name)
    assert decode(data, limits=ImageLimits(max_pixels=200)).width == 20
    with pytest.raises(TooManyPixelsError):
        decode(data, limits=ImageLimits(max_pixels=199))


def announcing(width: int, height: int) -> dict[str, bytes]:
    """Small files whose header announces ``width`` × ``height`` pixels."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", ihdr) + png_chunk(b"IDAT", zlib.compress(b""))
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(png), 22)
    dib = struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, 32, 0, 0, 0, 0, 0, 0)
    codestream = b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 47, 0, width, height, 0, 0)
    codestream += struct.pack(">IIIIH", width, height, 0, 0, 3) + bytes([7, 1, 1] * 3)
    webp = b"VP8X" + struct.pack("<I", 10) + bytes(4)
    webp += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    tiff = b"II*\0" + struct.pack("<IH", 8, 4)
    for tag, value in ((256, 16), (257, 16), (322, width), (323, height)):
        tiff += struct.pack("<HHII", tag, 4, 1, value)
    return {
        "PNG": png,
        "ICO with a PNG": b"\0\0\1\0\1\0" + entry + png,
        "ICO with a bitmap": b"\0\0\1\0\1\0" + entry + dib + bytes(64),
        "ICNS with a PNG": b"icns" + struct.pack(">I", 16 + len(png)) + b"ic10" + struct.pack(">I", 8 + len(png)) + png,
        "JPEG 2000": codestream,
        "WebP": b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp,
        "TIFF tiles": tiff + bytes(64),
        "BMP": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, *[0] * 6),
        "PPM": f"P6 {width} {height} 255\n".encode(),
    }  # fmt: skip


@pytest.mark.parametrize("what", sorted(announcing(1, 1)))
def test_a_bomb_of_a_hundred_bytes_is_refused_by_its_header(what: str) -> None:
    with pytest.raises(TooManyPixelsError):
        decode(announcing(60_000, 60_000)[what])


@pytest.mark.parametrize(
    ("side", "error"), [(10_000, ImageTruncatedError | ImageCorruptError), (20_000, TooManyPixelsError)]
)
def test_pillows_own_pixel_limit_never_warns_whatever_ours_is(side: int, error: type[ImageError]) -> None:
    # Pillow warns of the first size and fails at the second; this file has no pixels, so that it costs nothing.
    icon = announcing(side, side)["ICO with a PNG"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError) as caught:
            decode(icon, limits=ImageLimits(max_pixels=10**12))
    assert isinstance(caught.value, error)


@pytest.mark.parametrize(
    "format_name", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "QOI", "SGI", "AVIF", "JPEG2000", "PCX"]
)
def test_a_picture_cut_in_half_is_truncated(format_name: str) -> None:
    data = saved(noise(), format_name)
    with pytest.raises(ImageTruncatedError):
        decode(data[: len(data) // 2], name="half")


def test_a_flipped_byte_in_a_png_is_corruption() -> None:
    data = bytearray(saved(noise(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageCorruptError):
        decode(bytes(data))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"hello, I am a text file\n" * 20, "no picture format"),
        (bytes(1000), "no picture format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "EPS"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>', "SVG"),
        (bytes(128) + b"DICM" + bytes(200), "DICOM.*window"),
        (b"<svg></svg>", "SVG.*rsvg-convert"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"\xd7\xcd\xc6\x9a\0\0" + bytes(40), "WMF"),
        (b"PK\3\4" + bytes(40), "zip"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data: bytes, word: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=word):
        decode(data)


def test_a_known_format_in_an_unknown_variant_is_unsupported() -> None:
    bitmap = bytearray(saved(noise(), "BMP"))
    bitmap[30] = 4  # BI_JPEG
    with pytest.raises(UnsupportedFormatError, match="BMP"):
        decode(bytes(bitmap))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "TGA", "ICO", "JPEG2000", "PSD"])
def test_random_damage_is_decoded_or_refused_but_never_anything_else(format_name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    psd = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 10, 10, 8, 3) + bytes(14) + bytes(300)
    data = bytearray(psd if format_name == "PSD" else saved(noise(20, 12), format_name))
    for at in rng.integers(0, min(len(data), 400), 6):
        data[at] = rng.integers(0, 256)
    with suppress(ImageError):
        picture = decode(bytes(data), limits=ImageLimits(max_pixels=1_000_000))
        assert picture.pixels.shape == (picture.height, picture.width, 3)


def many_chunks() -> bytes:
    return raw_png([bytes(30)] * 10, 10, 8, 2, png_chunk(b"teXt", b"") * 300_000)


def many_comments() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0) + b"!\xfe" + b"\1a" * 400_000 + b"\0;"


def many_segments() -> bytes:
    data = saved(noise(), "JPEG")
    return data[:2] + b"\xff\xe5\0\2" * 400_000 + data[2:]


def many_scans() -> bytes:
    data = saved(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    at = data.rfind(b"\xff\xda")
    return data[:-2] + data[at:-2] * 300 + b"\xff\xd9"


def many_strips() -> bytes:
    tags = ((256, 1, 10), (257, 1, 10), (258, 1, 8), (262, 1, 1), (273, 900_000, 200), (279, 900_000, 200))
    data = b"II*\0" + struct.pack("<IH", 8, len(tags))
    data += b"".join(struct.pack("<HHII", tag, 4, count, value) for tag, count, value in tags)
    return data.ljust(200, b"\0") + bytes(4 * 900_000)


def many_precincts() -> bytes:
    data = bytearray(saved(Image.new("RGB", (3000, 3000)), "JPEG2000", no_jp2=True))
    at = data.find(b"\xff\x52")
    levels = data[at + 9]
    data[at + 4] |= 1
    struct.pack_into(">H", data, at + 2, 13 + levels)
    data[at + 14 : at + 14] = bytes(levels + 1)
    return bytes(data)


@pytest.mark.parametrize("make", [many_chunks, many_comments, many_segments, many_scans, many_strips, many_precincts])
def test_a_file_that_would_keep_the_decoder_busy_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(ImageCorruptError):
        decode(make())


def test_formats_decoded_slowly_have_a_lower_pixel_limit() -> None:
    plain = b"P3 1100 1000 255\n" + b"0 " * 3_300_000
    with pytest.raises(TooManyPixelsError, match="slow"):
        decode(plain)


def test_warnings_of_others_still_arrive_while_pictures_are_decoded() -> None:
    before = list(warnings.filters)
    decode(saved(noise(), "PNG"))
    assert list(warnings.filters) == before


@pytest.mark.parametrize(
    "format_name", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "QOI", "SGI", "AVIF", "JPEG2000", "ICO", "DDS"]
)
def test_a_broken_picture_is_told_from_no_picture_by_its_first_bytes(format_name: str) -> None:
    data = saved(noise(), format_name)
    assert sniff(data[:64]) == format_name
    assert format_name in READABLE


@pytest.mark.parametrize("data", [b"", b"\xff", b"plain text", bytes(64), b"BMW is a maker of cars and motorcycles"])
def test_no_picture_has_no_format(data: bytes) -> None:
    assert sniff(data) is None


def test_formats_that_would_run_other_programs_are_never_read() -> None:
    Image.init()
    left_out = set(Image.OPEN) - READABLE - {"MPO"}
    assert left_out == {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "IPTC", "IM"}
    assert set(Image.OPEN) >= READABLE - {"HEIF", "JPEGXL", "RAW"}  # by decoders of their own


def test_an_error_inside_the_decoder_keeps_its_cause() -> None:
    data: Any = saved(noise(), "PNG")
    with pytest.raises(ImageTruncatedError) as caught:
        decode(data[:200])
    assert caught.value.__cause__ is not None


def test_the_tiff_library_does_not_write_to_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    tiff = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(tiff, "TIFF", compression="tiff_lzw")
    broken = bytearray(tiff.getvalue())
    broken[8:40] = b"\xff" * 32
    with pytest.raises(ImageError):
        decode(bytes(broken))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "head", [b"<svg/>", b" \n<SVG>", b"<?xml v?><!-- a --><!doctype svg><svg>", b"<!-- b -->\n<svg>"]
)
def test_a_drawing_is_called_one(head: bytes) -> None:
    with pytest.raises(UnsupportedFormatError, match="SVG"):
        decode(head)


@pytest.mark.timeout(20)
def test_a_file_made_to_be_slow_to_recognise_is_refused_at_once() -> None:
    # 4 KB of what an expression with several gaps would try in every combination: minutes for these.
    for _ in range(100):
        with pytest.raises(UnsupportedFormatError):
            decode(b"<?xml" + b"<!--" * 500 + b"<!doctype" * 220)
