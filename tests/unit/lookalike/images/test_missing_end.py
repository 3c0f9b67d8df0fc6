"""A JPEG that lacks nothing but its end marker is read, with a remark; one that lacks pixels is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.errors import ImageError, ImageTruncatedError
from lookalike.images import decode
from lookalike.images.jpeg import read_ordinary_header
from tests.unit.lookalike.images.test_decode import saved

KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "exif": {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\1\0\0\0\0\0\0"},
}


def photo(kind: str, mode: str = "RGB") -> bytes:
    colours = np.random.default_rng(2).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(np.kron(colours, np.ones((16, 16, 1), np.uint8))).convert(mode)
    return saved(image, "JPEG", quality=90, **KINDS[kind])


@pytest.mark.parametrize("fit", [None, 48])
@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", KINDS)
def test_without_its_end_it_is_the_same_picture_with_a_remark(kind: str, mode: str, cut: int, fit: int | None) -> None:
    data = photo(kind, mode)
    whole, without_end = decode(data, fit=fit), decode(data[:-cut], fit=fit)
    np.testing.assert_array_equal(without_end.pixels, whole.pixels)
    assert "end marker" in without_end.remark
    assert whole.remark == ""


@pytest.mark.parametrize("kind", KINDS)
def test_without_some_of_its_pixels_it_is_refused(kind: str) -> None:
    data = photo(kind)
    first = data.rfind(b"\xff\xda") if kind != "progressive" else data.find(b"\xff\xda")
    for cut in (*range(3, 40), *range(40, len(data) - first - 20, 53), len(data) // 2):
        with pytest.raises(ImageTruncatedError):
            decode(data[:-cut])


def test_cut_between_two_scans_it_is_refused() -> None:
    data = photo("progressive")
    scan = data.find(b"\xff\xda", data.find(b"\xff\xda") + 2)
    table = data.rfind(b"\xff\xc4", 0, scan)  # the second scan's tables come before it
    for end in (table, scan):
        assert read_ordinary_header(data[:end]) is not None
        with pytest.raises(ImageError):
            decode(data[:end])
