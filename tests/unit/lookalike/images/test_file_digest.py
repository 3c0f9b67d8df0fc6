"""Two files have the same pixels exactly if all of them are: every frame and page, opacity, every bit."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.images import FileDigest, decode, digest_file, digest_pixels
from tests.helpers.colour_profiles import profile
from tests.unit.lookalike.images.test_decode import png_chunk, raw_png, saved

Pixels = npt.NDArray[np.uint8]


def digest(data: bytes) -> FileDigest:
    return digest_file(data, decode(data).pixels)


def noise(seed: int = 3, channels: int = 3) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (24, 40, channels), dtype=np.uint8)


def blocks(seed: int) -> Image.Image:
    """A picture of few colours, which a GIF keeps."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(np.kron(colours, np.ones((8, 8, 1), np.uint8)))


def film(format_name: str, seeds: list[int], **options: Any) -> bytes:
    first, *rest = (blocks(seed) for seed in seeds)
    return saved(first, format_name, save_all=True, append_images=rest, **options)


FILMS: dict[str, dict[str, Any]] = {
    "GIF": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "PNG": {},
    "MPO": {"quality": 95},
}


@pytest.mark.parametrize("format_name", FILMS)
def test_films_that_differ_in_the_last_frame_alone_are_not_the_same(format_name: str) -> None:
    options = FILMS[format_name]
    first, second = (digest(film(format_name, [0, 1, last], **options)) for last in (2, 3))
    assert first.frames == second.frames == 3
    assert first.shown_digest == second.shown_digest
    assert first.pixels_digest != second.pixels_digest


def test_one_film_in_four_formats_is_the_same() -> None:
    films = [digest(film(name, [0, 1, 2], **FILMS[name])) for name in ("GIF", "WEBP", "TIFF", "PNG")]
    assert len({film.pixels_digest for film in films}) == 1


def test_a_film_is_not_its_first_frame() -> None:
    moving, still = digest(film("GIF", [0, 1])), digest(saved(blocks(0), "PNG"))
    assert moving.shown_digest == still.shown_digest == still.pixels_digest
    assert moving.pixels_digest != still.pixels_digest
    assert (moving.frames, still.frames) == (2, 1)


def test_a_film_beyond_the_limits_equals_nothing_but_its_own_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.images.file_digest.MAX_FRAMES", 4)
    long, other_format = film("GIF", [0, 1, 2, 3, 4, 5]), film("WEBP", [0, 1, 2, 3, 4, 5], lossless=True)
    assert digest(long) == digest(bytes(long))
    assert digest(long).pixels_digest != digest(other_format).pixels_digest
    assert digest(long).frames >= 4


def test_a_smaller_copy_of_a_page_is_no_page() -> None:
    small = blocks(0).resize((8, 8))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    pyramid = saved(blocks(0), "TIFF", save_all=True, append_images=[small])
    assert digest(pyramid).frames == 1
    assert digest(pyramid).pixels_digest == digest(saved(blocks(0), "PNG")).pixels_digest


@pytest.mark.parametrize("pixels", [noise(), noise(channels=4), noise()[:, :, 0]], ids=["colour", "opacity", "grey"])
def test_a_lossless_copy_in_any_format_is_the_same(pixels: Pixels) -> None:
    formats: dict[str, dict[str, Any]] = {
        "PNG": {},
        "TIFF": {"compression": "tiff_lzw"},
        "WEBP": {"lossless": True, "exact": True},
        "TGA": {},
    }
    image = Image.fromarray(pixels)
    digests = {name: digest(saved(image, name, **options)).pixels_digest for name, options in formats.items()}
    assert len(set(digests.values())) == 1, digests


def test_opacity_that_is_full_and_grey_in_three_channels_say_nothing() -> None:
    grey = noise()[:, :, 0]
    colour = np.dstack([grey, grey, grey])
    opaque = np.dstack([colour, np.full_like(grey, 255)])
    files = [saved(Image.fromarray(pixels), "PNG") for pixels in (grey, colour, opaque)]
    assert {digest(data).pixels_digest for data in files} == {digest_pixels(colour)}


def test_what_is_wholly_transparent_looks_the_same_and_is_not() -> None:
    files = []
    for seed in (1, 2):
        pixels = noise(seed, 4)
        pixels[:, :, 3] = 0
        files.append(saved(Image.fromarray(pixels), "PNG"))
    first, second = map(digest, files)
    assert first.shown_digest == second.shown_digest
    assert first.pixels_digest != second.pixels_digest


def grey_16(low: int) -> bytes:
    values = (np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) * 64) | low
    return saved(Image.fromarray(values), "PNG")


def colour_16(samples: npt.NDArray[np.uint16], extra: bytes = b"") -> bytes:
    colour_type = {2: 4, 3: 2, 4: 6}[samples.shape[2]]
    return raw_png([row.astype(">u2").tobytes() for row in samples], samples.shape[1], 16, colour_type, extra)


def deep(channels: int, seed: int = 0) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65536, (6, 9, channels), dtype=np.uint16)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_pictures_of_16_bits_that_differ_in_the_last_bit_are_not_the_same(channels: int) -> None:
    samples = deep(channels) & np.uint16(0xFFFE)
    other = samples.copy()
    other[3, 4, 0] |= 1
    first, second = digest(colour_16(samples)), digest(colour_16(other))
    assert first.shown_digest == second.shown_digest
    assert first.pixels_digest != second.pixels_digest
    assert digest(grey_16(0)).pixels_digest != digest(grey_16(1)).pixels_digest


def colour_tiff_16(samples: npt.NDArray[np.uint16], order: str) -> bytes:
    """An uncompressed TIFF of RGB samples, by TIFF 6.0."""
    height, width = samples.shape[:2]
    body = samples.astype(f"{order}u2").tobytes()
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 14), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(body))]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        layout = "H2x" if kind == 3 and count == 1 else "I"
        directory += struct.pack(f"{order}HHI{layout}", tag, kind, count, value)
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 14 + len(body))
    return start + struct.pack(f"{order}3H", 16, 16, 16) + body + directory + bytes(4)


@pytest.mark.parametrize("order", "<>")
def test_16_bits_of_colour_are_the_same_in_a_png_and_a_tiff(order: str) -> None:
    samples = deep(3)
    assert digest(colour_tiff_16(samples, order)).pixels_digest == digest(colour_16(samples)).pixels_digest


def test_8_bits_stored_in_16_are_8_bits() -> None:
    pixels = noise()
    stored = digest(colour_16(pixels.astype(np.uint16) * 257))
    assert stored.pixels_digest == digest(saved(Image.fromarray(pixels), "PNG")).pixels_digest
    grey = pixels[:, :, 0]
    stored = digest(saved(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"))
    assert stored.pixels_digest == digest(saved(Image.fromarray(grey), "PNG")).pixels_digest


def test_a_transparent_key_colour_of_16_bits_hides_that_colour_alone() -> None:
    samples = deep(3)
    key = samples[0, 0]
    other = samples.copy()
    other[2, 2] = key ^ 1  # the same high bytes
    chunk = png_chunk(b"tRNS", struct.pack(">3H", *key.tolist()))
    opacity = np.full(samples.shape[:2], 65535, np.uint16)
    opacity[0, 0] = 0
    with_channel = digest(colour_16(np.dstack([other, opacity])))
    assert digest(colour_16(other, chunk)).pixels_digest == with_channel.pixels_digest


def test_the_same_numbers_in_another_colour_space_are_other_colours() -> None:
    image = Image.fromarray(noise())
    plain, srgb, wide = (
        digest(saved(image, "PNG", icc_profile=icc)) for icc in (None, profile("sRGB"), profile("Display P3"))
    )
    assert plain.pixels_digest == srgb.pixels_digest
    assert plain.pixels_digest != wide.pixels_digest
    assert digest(saved(image, "TIFF", icc_profile=profile("Display P3"))).pixels_digest == wide.pixels_digest


def test_a_turned_copy_of_a_transparent_picture_is_the_same_upright() -> None:
    pixels = noise(channels=4)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(Image.fromarray(np.ascontiguousarray(np.rot90(pixels))), "PNG", exif=exif)
    assert digest(turned).pixels_digest == digest(saved(Image.fromarray(pixels), "PNG")).pixels_digest


def test_cmyk_is_not_what_it_is_shown_as() -> None:
    image = Image.frombytes("CMYK", (40, 24), noise(3, 4).tobytes())
    stored = digest(saved(image, "TIFF"))
    assert stored.pixels_digest != stored.shown_digest
    assert digest(saved(image, "TIFF", compression="tiff_lzw")).pixels_digest == stored.pixels_digest


def test_an_array_that_is_no_file_is_its_pixels() -> None:
    pixels = noise()
    for data in (b"", repr(pixels.shape).encode() + pixels.tobytes()):
        assert digest_file(data, pixels) == FileDigest(digest_pixels(pixels), digest_pixels(pixels), 1)


def test_a_film_that_breaks_off_equals_nothing_but_its_own_bytes() -> None:
    whole = film("TIFF", [0, 1, 2])
    cut = whole[: len(whole) * 2 // 3]
    broken, intact = digest(cut), digest(whole)
    assert broken.shown_digest == intact.shown_digest
    assert broken.pixels_digest not in (intact.pixels_digest, broken.shown_digest)


def test_files_of_one_look_and_other_content_are_all_told_apart() -> None:
    hidden = noise(9, 4)
    hidden[:, :, 3] = 0
    white = np.full((24, 40, 3), 255, np.uint8)
    nothing = np.zeros((24, 40, 4), np.uint8)
    files = [saved(Image.fromarray(pixels), "PNG") for pixels in (hidden, white, nothing)]
    files.append(saved(Image.fromarray(white), "GIF", save_all=True, append_images=[blocks(1).resize((40, 24))]))
    for first, second in itertools.combinations(map(digest, files), 2):
        assert first.pixels_digest != second.pixels_digest
        assert first.shown_digest == second.shown_digest
