"""Every file of the hostile set gets the verdict that an independent reading of it calls for.

``observed.csv`` says what Pillow alone made of each file. Where the verdicts differ, the reason is written here.
"""

from __future__ import annotations

import csv
import struct
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lookalike.errors import ImageError
from lookalike.images import decode, digest_file

pytestmark = pytest.mark.shared

HANG_SECONDS = 20.0
"""No file of the set takes half a second; this only catches a decoder that has gone astray."""

SECOND_LOAD = "observed.csv loaded it twice, and Pillow reports a failed load only once"
MORE_FRAMES = "the failure in observed.csv is in counting layers; the picture itself is whole"
END_IS_MISSING = "every pixel is there, what is missing is the end marker"
ALLOWED = {
    "pillow/apng/chunk_no_fctl.png": SECOND_LOAD,
    "pillow/broken_data_stream.png": SECOND_LOAD,
    "pillow/truncated_end_chunk.png": SECOND_LOAD,
    "pillow/truncated_jpeg.jpg": END_IS_MISSING,
    "pillow/negative_layer_count.psd": MORE_FRAMES,
    "pillow/psd-oob-write-overflow.psd": MORE_FRAMES,
    "pillow/psd-oob-write-x.psd": MORE_FRAMES,
    "pillow/psd-oob-write-y.psd": MORE_FRAMES,
    "pillow/psd-oob-write.psd": MORE_FRAMES,
}

# What the names of the files promise, whatever any decoder says.
PROMISED = {
    "image-rs/bad/README.md": "unsupported-format",
    "image-rs/bad/bmp/Bad_reallybig.bmp": "too-many-pixels",
    "image-rs/bad/bmp/Bad_shortfile.bmp": "image-truncated",
    "image-rs/images/hdr/images/image1.hdr": "unsupported-format",
    "pillow/decompression_bomb.gif": "too-many-pixels",
    "pillow/decompression_bomb.ico": "too-many-pixels",
    "pillow/eps/zero_bb.eps": "unsupported-format",
    "pillow/hopper_bad_checksum.msp": "image-corrupt",
    "pillow/png_decompression_dos.png": "image-corrupt",
    "pillow/truncated_image.png": "image-truncated",
    "pillow/unknown_mode.j2k": "unsupported-format",
    "sharp/check.svg": "unsupported-format",
    "sharp/truncated.jpg": "image-truncated",
    "sharp/truncated.png": "image-truncated",
}


@pytest.fixture
def hostile(shared_dir: Path) -> Path:
    return shared_dir / "data" / "hostile"


def verdict(path: Path, fit: int | None = None) -> tuple[str, str]:
    try:
        picture = decode(path.read_bytes(), name=path.name, fit=fit)
    except ImageError as error:
        return error.code, error.message
    assert picture.is_full_resolution or fit is not None
    return "ok", f"{picture.format}, {picture.width} × {picture.height}"


def test_every_hostile_file_gets_its_verdict(hostile: Path) -> None:
    with (hostile / "observed.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts: Counter[str] = Counter()
    surprises: list[str] = []
    for row in rows:
        start = time.monotonic()
        code, text = verdict(hostile / row["path"])
        counts[code] += 1
        if time.monotonic() - start > HANG_SECONDS:
            surprises.append(f"{row['path']}: took longer than {HANG_SECONDS} s")
        if (row["decode_result"] == "ok") != (code == "ok") and row["path"] not in ALLOWED:
            surprises.append(f"{row['path']}: observed {row['decode_result']!r}, here {code} ({text})")
        if code != "ok" and Path(row["path"]).name not in text:
            surprises.append(f"{row['path']}: the message does not name it ({text})")
        if PROMISED.get(row["path"], code) != code:
            surprises.append(f"{row['path']}: promised {PROMISED[row['path']]}, here {code} ({text})")
    assert not surprises, "\n".join(surprises)
    assert set(PROMISED) | set(ALLOWED) <= {row["path"] for row in rows}
    assert sum(counts.values()) == len(rows)
    assert counts["ok"] >= 925, counts
    assert set(counts) == {"ok", "unsupported-format", "image-corrupt", "image-truncated", "too-many-pixels"}


def test_every_file_that_is_shown_has_a_digest_of_its_content(hostile: Path) -> None:
    shown: dict[str, str] = {}
    frames: Counter[bool] = Counter()
    for path in sorted(path for path in hostile.rglob("*") if path.is_file()):
        data = path.read_bytes()
        try:
            pixels = decode(data, name=path.name).pixels
        except ImageError:
            continue
        digest = digest_file(data, pixels)
        frames[digest.frames > 1] += 1
        shown[digest.pixels_digest] = digest.shown_digest
    assert frames[True] >= 90
    assert sum(frames.values()) >= 925
    assert len(set(shown.values())) < len(shown), "films with one first frame"


def test_no_verdict_depends_on_how_small_a_picture_may_be(hostile: Path) -> None:
    paths = [path for path in sorted(hostile.rglob("*")) if path.suffix.lower() in {".jpg", ".jpeg", ".jfif", ".png"}]
    differ = [path.name for path in paths if len({verdict(path, fit) for fit in (None, 288, 16)}) > 1]
    assert differ == []
    assert len(paths) > 400


@pytest.mark.parametrize("stem", ["acid2", "tbbn0g04", "tbbn3p08", "tbrn2c08", "tm3n3p02", "tp0n0g08", "tp0n3p08"])
def test_transparency_agrees_with_the_independent_reference(hostile: Path, stem: str) -> None:
    # farbfeld: "farbfeld", width, height, then big-endian 16-bit RGBA, not premultiplied.
    images = hostile / "image-rs" / "images"
    raw = (images / "farbfeld" / "transparency" / f"{stem}.ff").read_bytes()
    width, height = struct.unpack(">II", raw[8:16])
    samples = np.frombuffer(raw, ">u2", offset=16).reshape(height, width, 4) / 65535.0
    expected = 255 * (samples[..., :3] * samples[..., 3:] + 1 - samples[..., 3:])
    got = decode((images / "png" / "transparency" / f"{stem}.png").read_bytes()).pixels
    assert np.abs(got - expected).max() <= 1


@pytest.mark.parametrize("number", range(2, 9))
@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_all_eight_orientations_show_the_same_person_upright(hostile: Path, number: int, suffix: str) -> None:
    upright = decode((hostile / "pillow" / "hopper.png").read_bytes()).pixels.astype(int)
    turned = decode((hostile / "pillow" / f"hopper_orientation_{number}.{suffix}").read_bytes()).pixels
    assert turned.shape == upright.shape
    assert np.abs(turned - upright).mean() < 8


def test_colour_spaces_agree_on_the_same_picture(hostile: Path) -> None:
    reference = decode((hostile / "pillow" / "hopper.png").read_bytes()).pixels.astype(int)
    for name in ("hopper.Lab.tif", "hopper.bmp", "hopper.gif", "hopper.qoi", "hopper16.rgb", "hopper_merged.psd"):
        other = decode((hostile / "pillow" / name).read_bytes()).pixels
        assert np.abs(other - reference).mean() < 5, name


def test_targa_in_every_layout_equals_its_png(hostile: Path) -> None:
    folder = hostile / "pillow" / "tga" / "common"
    files = sorted(folder.glob("*_raw.tga")) + sorted(folder.glob("*_rle.tga"))
    assert len(files) >= 20
    for path in files:
        png = folder / (path.stem.rsplit("_", 2)[0] + ".png")
        expected = decode(png.read_bytes()).pixels
        np.testing.assert_array_equal(decode(path.read_bytes()).pixels, expected, err_msg=path.name)
