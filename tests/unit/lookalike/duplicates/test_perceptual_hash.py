"""Hashes survive what copies go through, in every orientation, and tell pictures apart; near ones are found quickly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from lookalike.duplicates.candidates import MAX_DISTANCE
from lookalike.duplicates.hash_search import find_near_hashes
from lookalike.duplicates.marks import MIN_SIDE, as_hashes, compute_marks
from lookalike.duplicates.perceptual_hash import Hashes, orient_hashes
from tests.helpers.scenes import blurred, bordered, draw_scene, scaled

Change = Callable[[Image.Image], Image.Image]

VERSIONS: dict[str, Change] = {
    "half": lambda image: scaled(image, 0.5),
    "blurred": blurred,
    "bordered": bordered,
    "grey": lambda image: image.convert("L").convert("RGB"),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "quarter turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "half turn": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "three quarters": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "transposed": lambda image: image.transpose(Image.Transpose.TRANSPOSE),
}


def _hashes(image: Image.Image) -> Hashes:
    return as_hashes(compute_marks(np.asarray(image.convert("RGB"))).whole)


def _distance(first: Hashes, second: Hashes) -> int:
    differing = orient_hashes(first)[:, :, None] ^ second[None, None]
    return int(np.bitwise_count(differing).sum(axis=-1, dtype=np.int64).min())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_of_a_picture_has_a_near_hash(version: str) -> None:
    for seed in range(5):
        scene = draw_scene(seed)
        assert _distance(_hashes(scene), _hashes(VERSIONS[version](scene))) <= MAX_DISTANCE // 2


def test_other_pictures_have_far_hashes() -> None:
    scenes = [_hashes(draw_scene(seed)) for seed in range(12)]
    assert min(_distance(scenes[i], scenes[j]) for i in range(12) for j in range(i)) > MAX_DISTANCE


def test_a_cut_out_on_black_has_a_hash_near_that_on_white() -> None:
    scene = np.asarray(draw_scene(3))
    down, across = np.mgrid[: scene.shape[0], : scene.shape[1]]
    inside = (down - 90) ** 2 / 70**2 + (across - 120) ** 2 / 100**2 < 1
    on_white, on_black = (np.where(inside[..., None], scene, level).astype(np.uint8) for level in (255, 0))
    first, second = (as_hashes(compute_marks(picture).whole) for picture in (on_white, on_black))
    assert _distance(first, second) <= MAX_DISTANCE // 2


@pytest.mark.parametrize("pixels", [(10, 10), (1, 1), (MIN_SIDE - 1, 400)])
def test_a_tiny_picture_shows_nothing_to_tell_by(pixels: tuple[int, int]) -> None:
    marks = compute_marks(np.asarray(draw_scene(1, (400, 400)).crop((0, 0, *pixels))))
    assert marks.is_plain
    assert marks.whole == b""


def test_a_black_frame_shows_nothing_to_tell_by() -> None:
    noise = np.random.default_rng(0).integers(0, 6, (120, 160, 3)).astype(np.uint8)
    assert compute_marks(noise).is_plain


def test_the_upper_half_of_a_tall_screenshot_shares_windows_with_it() -> None:
    tall = np.vstack([np.asarray(draw_scene(seed, (90, 90))) for seed in range(12)])
    hashes = [set(map(bytes, as_hashes(compute_marks(part).windows))) for part in (tall, tall[: len(tall) // 2])]
    assert len(hashes[0] & hashes[1]) >= 8


def _random_hashes(count: int) -> Hashes:
    return np.random.default_rng(count).integers(0, 256, (count, 32)).astype(np.uint8)


def _flip(hashes: Hashes, bits: int) -> Hashes:
    random = np.random.default_rng(1)
    flipped = np.unpackbits(hashes, axis=1)
    for row in flipped:
        row[random.choice(256, bits, replace=False)] ^= 1
    return np.packbits(flipped, axis=1)


@pytest.mark.parametrize(("count", "bits", "share"), [(500, 60, 0.97), (20_000, 30, 0.95)])
def test_hashes_that_differ_in_some_bits_are_found(count: int, bits: int, share: float) -> None:
    stored = _random_hashes(count)
    pairs = set()
    for near in find_near_hashes(stored, _flip(stored[:400], bits), bits):
        pairs |= set(zip(near.query_rows.tolist(), near.stored_rows.tolist(), strict=True))
        assert near.distances.max() <= bits
    assert sum((row, row) in pairs for row in range(400)) >= share * 400


def test_hundreds_of_versions_of_one_picture_hide_none_of_them() -> None:
    stored = _flip(np.repeat(_random_hashes(1), 600, axis=0), 20)
    matched = {int(row) for near in find_near_hashes(stored, stored, 60) for row in near.query_rows[near.distances > 0]}
    assert len(matched) == 600


def test_no_hashes_have_no_pairs() -> None:
    assert list(find_near_hashes(as_hashes(b""), _random_hashes(3), 70)) == []
