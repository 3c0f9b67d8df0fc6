"""HEIC, JPEG XL and camera raw files are pictures like others, and what breaks their decoders breaks nothing else."""

from __future__ import annotations

import os
import signal
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.errors import (
    ImageCorruptError,
    ImageError,
    RawWithoutPreviewError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from lookalike.images import decode, digest_file, digest_pixels, isolation
from lookalike.images.raw_header import is_camera_raw
from lookalike.options import ImageLimits
from tests.helpers import heic_files
from tests.helpers.colour_profiles import converted, profile
from tests.helpers.raw_files import dng

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module", autouse=True)
def processes() -> Iterator[None]:
    yield
    isolation.end_idle_processes()


def quadrants() -> Pixels:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32], pixels[:24, 32:] = (200, 40, 40), (40, 180, 60)
    pixels[24:, :32], pixels[24:, 32:] = (50, 60, 200), (220, 210, 60)
    return pixels


def difference(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(int) - second).mean())


@pytest.mark.parametrize(
    "data", [heic_files.UPRIGHT, heic_files.TURNED, heic_files.WIDE], ids=["plain", "turned", "P3"]
)
def test_a_heic_shows_what_a_phone_shows(data: bytes) -> None:
    picture = decode(data, name="IMG_1.HEIC")
    assert (picture.format, picture.width, picture.height) == ("HEIF", 64, 48)
    assert difference(picture.pixels, quadrants()) < 4


def test_a_transparent_heic_stands_on_white() -> None:
    pixels = decode(heic_files.TRANSPARENT).pixels
    assert difference(pixels[:, :28], quadrants()[:, :28]) < 4
    assert pixels[:, 36:].min() > 250


def test_a_heic_is_decoded_no_larger_than_needed() -> None:
    picture = decode(heic_files.UPRIGHT, fit=20)
    assert picture.pixels.shape == (24, 32, 3)
    assert (picture.width, picture.height, picture.is_full_resolution) == (64, 48, False)
    assert difference(picture.pixels[2:-2, 2:14], quadrants()[4:-4:2, 4:28:2]) < 30


def test_the_pixels_of_a_heic_are_those_of_its_png() -> None:
    pixels = decode(heic_files.UPRIGHT).pixels
    digest = digest_file(heic_files.UPRIGHT, pixels)
    assert (digest.pixels_digest, digest.frames) == (digest_pixels(pixels), 1)
    assert digest_file(heic_files.WIDE, decode(heic_files.WIDE).pixels).pixels_digest != digest.pixels_digest
    two = digest_file(heic_files.TWO, decode(heic_files.TWO).pixels)
    assert two.frames == 2
    assert two.pixels_digest != two.shown_digest


def test_limits_hold_for_heic() -> None:
    with pytest.raises(TooManyPixelsError, match=r"IMG_1\.HEIC: 64 × 48"):
        decode(heic_files.UPRIGHT, limits=ImageLimits(max_pixels=3000), name="IMG_1.HEIC")


@pytest.mark.parametrize("cut", [40, 200, 400, -1])
def test_a_heic_that_is_cut_is_refused_by_name(cut: int) -> None:
    with pytest.raises(ImageError, match=r"IMG_2\.HEIC") as caught:
        decode(heic_files.UPRIGHT[:cut], name="IMG_2.HEIC")
    assert caught.value.code in ("image-truncated", "image-corrupt")
    assert caught.value.subject == "IMG_2.HEIC"


def test_jpeg_xl_is_read_with_its_profile() -> None:
    pylibjxl = pytest.importorskip("pylibjxl")
    plain = pylibjxl.encode(quadrants(), lossless=True)
    wide = pylibjxl.encode(np.asarray(converted(quadrants(), "Display P3")), lossless=True, icc=profile("Display P3"))
    assert decode(plain).format == "JPEGXL"
    np.testing.assert_array_equal(decode(plain).pixels, quadrants())
    assert difference(decode(wide).pixels, quadrants()) < 2
    assert digest_file(plain, decode(plain).pixels).pixels_digest == digest_pixels(quadrants())
    with pytest.raises(ImageError):
        decode(plain[: len(plain) // 2])


def photo() -> Pixels:
    rows, columns = np.mgrid[:900, :1200]
    return np.dstack([columns * 255 // 1199, rows * 255 // 899, (columns // 60 + rows // 60) % 2 * 200]).astype(
        np.uint8
    )


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_the_preview_of_a_raw_file_is_the_picture_not_the_thumbnail(orientation: int, turns: int) -> None:
    picture = decode(dng(photo(), orientation=orientation), name="DSC1.DNG")
    assert picture.format == "RAW"
    assert picture.pixels.shape[:2] == (picture.height, picture.width)
    assert difference(picture.pixels, np.rot90(photo(), turns)) < 4


def test_of_two_previews_the_larger_is_the_picture() -> None:
    for previews in ([(640, 480), (1200, 900)], [(1200, 900), (640, 480)]):
        assert decode(dng(photo(), previews=previews)).width == 1200


@pytest.mark.parametrize("previews", [[], [(320, 240)]])
def test_a_raw_file_with_a_thumbnail_alone_is_refused_as_raw(previews: list[tuple[int, int]]) -> None:
    with pytest.raises(RawWithoutPreviewError, match=r"DSC2\.DNG is a camera raw file .* save it as JPEG"):
        decode(dng(photo(), previews=previews), name="DSC2.DNG")


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201FF383501X-T3",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"II*\0\x10\0\0\0CR\x02\0",
    ],
    ids=["raf", "cr3", "orf", "rw2", "cr2"],
)
def test_a_damaged_raw_file_of_any_maker_is_refused_as_raw(head: bytes) -> None:
    with pytest.raises(RawWithoutPreviewError):
        decode(head + bytes(4000), name="x")


def test_a_scan_in_a_tiff_is_no_raw_file() -> None:
    assert not is_camera_raw(b"II*\0" + struct.pack("<IHHHII", 8, 1, 262, 3, 1, 2) + bytes(4))
    assert is_camera_raw(b"II*\0" + struct.pack("<IHHHII", 8, 1, 262, 3, 1, 32803) + bytes(4))
    loop = b"II*\0" + struct.pack("<IHHHII", 8, 1, 330, 4, 1, 8) + struct.pack("<I", 8)
    assert not is_camera_raw(loop)


def busy_process() -> isolation.DecoderProcess:
    decode(heic_files.UPRIGHT)
    return isolation.idle_processes()[-1]


def test_a_decoder_that_crashes_refuses_its_file_alone() -> None:
    process = busy_process()
    os.kill(process.pid, signal.SIGSTOP)  # so that it is at work on the file when it dies
    timer = threading.Timer(0.2, os.kill, (process.pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(ImageCorruptError, match=r"bad\.heic: its decoder crashed"):
        decode(heic_files.UPRIGHT, name="bad.heic")
    timer.join()
    assert decode(heic_files.UPRIGHT).width == 64


def test_a_decoder_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    process = busy_process()
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(isolation, "TIME_LIMIT_S", 0.3)
    with pytest.raises(ImageCorruptError, match=r"bad\.heic: its decoder did not end"):
        decode(heic_files.UPRIGHT, name="bad.heic")
    monkeypatch.undo()
    assert decode(heic_files.UPRIGHT).width == 64


def test_threads_decode_side_by_side() -> None:
    with ThreadPoolExecutor(2) as pool:
        pictures = list(pool.map(decode, [heic_files.UPRIGHT] * 6))
    assert len({digest_pixels(picture.pixels) for picture in pictures}) == 1
    assert len(isolation.idle_processes()) <= 2


def test_a_program_that_cannot_start_another_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    isolation.end_idle_processes()
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(UnsupportedFormatError, match="cannot be started"):
        decode(heic_files.UPRIGHT)
