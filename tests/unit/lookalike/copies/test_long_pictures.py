"""Screenshots of whole pages, and panoramas: a part of one is a crop, another one of the same layout is another."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from lookalike.copies import CopyVerdict, check_copy, compute_fingerprint

RGB = npt.NDArray[np.uint8]
WORDS = ("order", "total", "basket", "chair", "lamp", "price", "today", "message", "picture", "delivery")


def page(height: int, seed: int, width: int = 400) -> RGB:
    """Paragraphs and pictures one below the other."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 255, np.uint8)
    top = 30
    while top < height - 220:
        if random.integers(4) == 0:
            box = int(random.integers(80, 180))
            fall = np.linspace(0.3, 1, box)[:, None, None] * np.linspace(0.5, 1, width - 80)[:, None]
            picture[top : top + box, 40:-40] = fall * random.integers(60, 255, 3)
            top += box + 30
        else:
            for _ in range(int(random.integers(2, 7))):
                words = " ".join(random.choice(WORDS, 5))
                place = (20 + int(random.integers(40)), top)
                cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (30, 30, 30), 1, cv2.LINE_AA)
                top += 18
            top += 26
    return picture


def compare(first: RGB, second: RGB) -> CopyVerdict:
    return check_copy(compute_fingerprint(first), compute_fingerprint(second))


PARTS = {"upper half": (0.0, 0.5), "lower half": (0.5, 1.0), "all but the end": (0.0, 0.9)}


@pytest.mark.parametrize("height", [3000, 18000])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("is_wide", [False, True], ids=["tall", "wide"])
def test_a_part_of_a_long_picture_is_a_crop_of_it(height: int, part: str, *, is_wide: bool) -> None:
    whole = page(height, height)
    start, end = (round(share * height) for share in PARTS[part])
    cut = whole[start:end]
    pair = [np.ascontiguousarray(picture.swapaxes(0, 1)) if is_wide else picture for picture in (whole, cut)]
    verdict = compare(*pair)
    assert verdict.is_copy, verdict.why
    assert not verdict.differs_at
    assert verdict.extents is not None
    assert verdict.extents[0].covered == pytest.approx((end - start) / height, abs=0.08)
    assert verdict.extents[1].covered == pytest.approx(1, abs=0.02)


def test_a_long_picture_of_half_the_size_is_a_copy() -> None:
    whole = page(18000, 1)
    verdict = compare(
        whole, np.asarray(cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    )
    assert verdict.is_copy, verdict.why


@pytest.mark.parametrize("height", [3000, 18000])
def test_two_pages_of_one_layout_are_no_copies(height: int) -> None:
    assert not compare(page(height, 2), page(height, 3)).is_copy
    assert not compare(page(height, 2), page(height // 2, 3)).is_copy
