"""A large JPEG is decoded no larger than needed: how large that is, and what stays the same."""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from indexer.console.reporter import HumanReporter
from indexer.datasets.embed import embed_entries
from lookalike import Encoder, Tier
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import ImageError, ImageTruncatedError, TooManyPixelsError
from lookalike.images import decode, encode_jpeg, encode_png, resize
from lookalike.options import ImageLimits
from lookalike.sources.base import Entry
from lookalike.sources.folder import FolderSource
from lookalike.testing import TinyEncoder, make_picture
from service.http.body import Upload
from service.inference.decoder_pool import DecoderPool

Pixels = npt.NDArray[np.uint8]


class Scaled(TinyEncoder):
    """An encoder that sees 32 pixels and so asks for a shorter side of 64."""

    def __init__(self) -> None:
        super().__init__()
        fields = self._spec.to_dict() | {"name": "scaled", "decoder": "scaled-bilinear"}
        self._spec = EncoderSpec.from_dict(fields)


def jpeg(pixels: Pixels, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()


def noise(width: int, height: int) -> Pixels:
    rough = np.random.default_rng(3).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return resize(rough, width, height)


def with_orientation(data: bytes, value: int) -> bytes:
    """The JPEG with an EXIF block of one entry put first."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)
    block = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


# The shorter side divided by 8, 4 or 2, the first that leaves enough; sides are rounded up.
@pytest.mark.parametrize(
    ("size", "fit", "decoded"),
    [
        ((640, 480), None, (640, 480)),
        ((640, 480), 241, (640, 480)),
        ((640, 480), 240, (320, 240)),
        ((480, 640), 121, (240, 320)),
        ((641, 483), 120, (161, 121)),
        ((640, 480), 60, (80, 60)),
        ((640, 480), 1, (80, 60)),
        ((900, 40), 21, (900, 40)),
    ],
)
def test_it_is_as_small_as_the_shorter_side_allows(
    size: tuple[int, int], fit: int | None, decoded: tuple[int, int]
) -> None:
    picture = decode(jpeg(noise(*size)), fit=fit)
    assert (picture.width, picture.height) == size
    assert picture.pixels.shape == (decoded[1], decoded[0], 3)
    assert picture.is_full_resolution == (decoded == size)


@pytest.mark.parametrize("value", range(1, 9))
def test_a_turned_photo_tells_its_upright_size(value: int) -> None:
    picture = decode(with_orientation(jpeg(noise(320, 160)), value), fit=80)
    turned = value >= 5
    assert (picture.width, picture.height) == ((160, 320) if turned else (320, 160))
    assert picture.pixels.shape == ((160, 80, 3) if turned else (80, 160, 3))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"subsampling": 0}),
        ("RGB", {"subsampling": 1}),
        ("RGB", {"subsampling": 2}),
        ("RGB", {"subsampling": 2, "progressive": True}),
        ("RGB", {"keep_rgb": True}),
        ("RGB", {"restart_marker_blocks": 4, "comment": b"words"}),
        ("L", {}),
    ],
)
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_the_pixels_are_those_that_pillow_gives(mode: str, options: dict[str, Any], scale: int) -> None:
    data = jpeg(noise(331, 203), mode, **options)
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (331 // scale, 203 // scale))
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decode(data, fit=203 // scale).pixels, expected)
    np.testing.assert_array_equal(decode(with_orientation(data, 1), fit=203 // scale).pixels, expected)


def test_the_square_is_within_a_level_of_the_one_made_of_all_pixels() -> None:
    differences = []
    for seed in range(6):
        data = encode_jpeg(make_picture(seed, (1200, 900)), 90)
        with Image.open(io.BytesIO(data)) as image:
            expected = np.asarray(image.resize((144, 144), Image.Resampling.BILINEAR))
        pixels = decode(data, fit=288).pixels
        assert pixels.shape == (450, 600, 3)
        differences.append(np.abs(resize(pixels, 144, 144).astype(int) - expected).mean())
    assert 0 < np.mean(differences) < 1.0
    assert max(differences) < 1.5


def test_four_colours_and_other_formats_come_in_full() -> None:
    for data in (jpeg(noise(320, 240), "CMYK"), encode_png(noise(320, 240))):
        assert decode(data, fit=20).pixels.shape == (240, 320, 3)


def test_a_photo_that_libjpeg_complains_of_is_read_and_scaled_all_the_same() -> None:
    data = jpeg(noise(640, 480))
    odd = data[:-2] + b"left over" + data[-2:]
    np.testing.assert_array_equal(decode(odd, fit=60).pixels, decode(data, fit=60).pixels)
    np.testing.assert_array_equal(decode(odd).pixels, decode(data).pixels)


def test_damage_gets_the_same_verdict_at_every_scale() -> None:
    data = jpeg(noise(640, 480))
    random = np.random.default_rng(0)
    read = 0
    for number in range(60):
        broken = bytearray(data)
        for _ in range(3):
            broken[int(random.integers(2, len(data) if number % 2 else 650))] = int(random.integers(256))
        verdicts = []
        for fit in (None, 240, 60):
            try:
                picture = decode(bytes(broken), fit=fit)
                verdicts.append(f"{picture.width} × {picture.height}")
            except ImageError as error:
                verdicts.append(error.message)
        assert len(set(verdicts)) == 1, verdicts
        read += verdicts[0] == "640 × 480"
    assert 5 < read < 55
    with pytest.raises(ImageTruncatedError, match="half"):
        decode(data[: len(data) // 2], name="half", fit=60)


def test_the_limit_is_on_the_pixels_of_the_file() -> None:
    data = jpeg(noise(640, 480))
    for file in (data, with_orientation(data, 1)):
        with pytest.raises(TooManyPixelsError, match="640 × 480"):
            decode(file, limits=ImageLimits(max_pixels=640 * 480 - 1), fit=60)


def test_every_door_gives_a_large_photo_the_same_square(tmp_path: Path) -> None:
    port = Scaled()
    data = jpeg(noise(700, 500))
    (tmp_path / "a.jpg").write_bytes(data)
    expected = port.prepare(decode(data, fit=64).pixels)
    assert not np.array_equal(expected, port.prepare(decode(data).pixels))
    vector = port.forward(expected[None])[0]
    np.testing.assert_allclose(Encoder(port).encode([data, tmp_path / "a.jpg"]), [vector, vector], atol=1e-6)
    plain = Encoder(TinyEncoder())
    entries = [Entry("a.jpg", "a.jpg")]
    found = embed_entries([Encoder(port), plain], FolderSource(tmp_path), entries, reporter=HumanReporter(), workers=1)
    np.testing.assert_allclose(found.vectors["scaled"][0], vector, atol=1e-6)
    np.testing.assert_allclose(found.vectors["tiny"][0], plain.encode([decode(data).pixels])[0], atol=1e-6)

    pictures = DecoderPool(1, ImageLimits())
    (prepared,) = asyncio.run(pictures.prepare(Upload.of("a.jpg", data), [port], with_fingerprint=True))
    pictures.close()
    np.testing.assert_array_equal(prepared.pixels, expected)
    assert (prepared.width, prepared.height) == (700, 500)
    assert prepared.fingerprint is not None
    whole = decode(data).pixels
    assert prepared.fingerprint.pixels_digest == hashlib.sha256(b"500,700,3:" + whole.tobytes()).hexdigest()


def test_copies_are_told_by_all_pixels_of_the_file() -> None:
    data = jpeg(noise(700, 500))
    found = Encoder(Scaled()).judge(data, encode_png(decode(data).pixels))
    assert found.tier is Tier.SAME_PIXELS


def test_the_part_in_a_box_is_as_fine_as_a_whole_picture() -> None:
    data = jpeg(noise(800, 800))
    pictures = DecoderPool(1, ImageLimits())
    (part,) = asyncio.run(pictures.prepare(Upload.of("a.jpg", data), [Scaled()], (0.5, 0.5, 0.75, 1.0)))
    pictures.close()
    # 64 pixels for a quarter of the width are 256 for the whole: half the size is enough, and a quarter is not.
    half = decode(data, fit=400).pixels
    np.testing.assert_array_equal(part.pixels, resize(np.ascontiguousarray(half[200:400, 200:300]), 32, 32))


@pytest.mark.parametrize(
    ("changed", "side"),
    [
        ({}, 64),
        ({"input_size": 144}, 288),
        ({"resize": "crop", "crop_fraction": 0.875}, 74),
        ({"resize": "pad", "crop_fraction": 0.5}, 64),
        ({"decoder": "pillow-bilinear"}, None),
    ],
)
def test_a_recipe_asks_for_twice_what_the_network_sees(changed: dict[str, Any], side: int | None) -> None:
    assert EncoderSpec.from_dict(Scaled().spec.to_dict() | changed).decode_side == side
