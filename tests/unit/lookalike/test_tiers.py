"""Which of the five tiers two pictures are told to be in."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.images import decode, encode_jpeg, encode_png
from lookalike.testing import make_picture
from lookalike.tiers import PictureIdentity, Tier, identify_picture, judge_tier, tier_of

SIZE = (240, 180)


def _of(pixels: npt.NDArray[np.uint8], data: bytes | None = None) -> PictureIdentity:
    data = encode_png(pixels) if data is None else data
    return identify_picture(data, decode(data).pixels)


@pytest.fixture(scope="module")
def original() -> PictureIdentity:
    return _of(make_picture(1, SIZE))


def test_the_same_file_twice_is_same_bytes(original: PictureIdentity) -> None:
    assert tier_of(original, _of(make_picture(1, SIZE)), similar=True) is Tier.SAME_BYTES


def test_a_lossless_file_of_another_make_is_same_pixels(original: PictureIdentity) -> None:
    stamped = encode_png(make_picture(1, SIZE)) + b"\0"
    assert tier_of(original, _of(make_picture(1, SIZE), stamped), similar=True) is Tier.SAME_PIXELS


@pytest.mark.parametrize("similar", [True, False])
def test_a_jpeg_of_it_is_a_near_duplicate_whatever_the_encoder_says(original: PictureIdentity, similar: bool) -> None:
    copy = _of(make_picture(1, SIZE), encode_jpeg(make_picture(1, SIZE), 60))
    assert tier_of(original, copy, similar=similar) is Tier.NEAR_DUPLICATE


@pytest.mark.parametrize(("similar", "tier"), [(True, Tier.SIMILAR), (False, Tier.DIFFERENT)])
def test_of_two_strangers_the_encoder_says_whether_they_are_similar(
    original: PictureIdentity, similar: bool, tier: Tier
) -> None:
    assert tier_of(original, _of(make_picture(2, SIZE)), similar=similar) is tier


def test_the_pixels_are_asked_only_where_the_digests_do_not_settle_it(original: PictureIdentity) -> None:
    assert judge_tier(original, original, similar=True).copy_verdict is None
    verdict = judge_tier(original, _of(make_picture(2, SIZE)), similar=True).copy_verdict
    assert verdict is not None
    assert not verdict.is_copy


def test_of_two_plain_copies_one_is_redundant(original: PictureIdentity) -> None:
    copies = (
        _of(make_picture(1, SIZE)),
        _of(make_picture(1, SIZE), encode_png(make_picture(1, SIZE)) + b"\0"),
        _of(make_picture(1, SIZE), encode_jpeg(make_picture(1, SIZE), 60)),
    )
    assert all(judge_tier(original, copy, similar=True).is_redundant for copy in copies)
    assert not judge_tier(original, _of(make_picture(2, SIZE)), similar=True).is_redundant


def test_of_copies_that_differ_in_places_both_are_kept(original: PictureIdentity) -> None:
    edited = make_picture(1, SIZE)
    edited[40:52, 90:106] = (255, 0, 0)
    verdict = judge_tier(original, _of(edited), similar=True)
    assert verdict.tier is Tier.NEAR_DUPLICATE
    assert verdict.keep_both == "they differ in 1 place"
    assert not verdict.is_redundant


def test_of_animations_with_equal_first_frames_both_are_kept() -> None:
    first, second = (_animation([1, other]) for other in (2, 3))
    verdict = judge_tier(first, second, similar=True)
    assert verdict.tier is Tier.NEAR_DUPLICATE
    assert verdict.keep_both == "their first frames or pages are equal, others differ"
    still = _of(make_picture(1, SIZE), encode_jpeg(make_picture(1, SIZE), 90))
    assert judge_tier(_animation([1, 2]), still, similar=True).keep_both is not None


def test_of_pictures_that_hide_other_pixels_both_are_kept() -> None:
    first, second = (_hidden(seed) for seed in (1, 2))
    verdict = judge_tier(first, second, similar=True)
    assert verdict.tier is Tier.NEAR_DUPLICATE
    assert verdict.keep_both == "they look the same, but transparent pixels or finer levels differ"


def _animation(seeds: list[int]) -> PictureIdentity:
    frames = [Image.fromarray(make_picture(seed, SIZE)) for seed in seeds]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    return _of(make_picture(seeds[0], SIZE), file.getvalue())


def _hidden(seed: int) -> PictureIdentity:
    pixels = make_picture(seed, SIZE)
    opacity = np.zeros((*pixels.shape[:2], 1), np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.concatenate([pixels, opacity], axis=2)).save(file, "PNG")
    return _of(pixels, file.getvalue())


def test_the_three_tiers_of_copies_are_told_apart_from_the_two_that_are_none() -> None:
    assert [tier.is_copy for tier in Tier] == [True, True, True, False, False]


def test_the_names_of_the_tiers_stay_as_answers_and_reports_have_them() -> None:
    assert [str(tier) for tier in Tier] == ["same-bytes", "same-pixels", "near-duplicate", "similar", "different"]
