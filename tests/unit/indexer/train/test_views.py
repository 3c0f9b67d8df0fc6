"""Views of training pictures show the same thing elsewhere, in another light, and never as another product."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from indexer.train.distil import Data
from indexer.train.views import (
    RGB,
    change_light,
    cover_edge,
    crop_or_frame,
    cut_out,
    make_background,
    make_view,
    place_product,
    recolour,
    soften,
)
from lookalike.testing import make_picture

GREEN = (40, 200, 40)
COLOURS = {
    "red": (210, 40, 40),
    "orange": (220, 130, 30),
    "yellow": (210, 200, 40),
    "cyan": (40, 190, 200),
    "blue": (50, 60, 200),
    "purple": (150, 40, 200),
}


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def product_on(ground: tuple[int, int, int], product: tuple[int, int, int], size: tuple[int, int] = (80, 80)) -> RGB:
    """A square product of half the shorter side in the middle of a picture of ``size`` (width, height)."""
    width, height = size
    half = min(size) // 4
    picture = np.full((height, width, 3), ground, np.uint8)
    picture[height // 2 - half : height // 2 + half, width // 2 - half : width // 2 + half] = product
    return picture


def other_picture() -> RGB:
    return make_picture(7, (60, 50))


def no_picture() -> RGB:
    raise AssertionError("no other picture has a place here")


def by_place(size: tuple[int, int]) -> RGB:
    """A picture whose red says how far to the right a pixel is and whose green says how far down, 0 to 255."""
    width, height = size
    across = np.broadcast_to(np.linspace(0, 255, width)[None, :], (height, width))
    down = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
    return np.stack([across, down, np.full((height, width), 128)], axis=2).astype(np.uint8)


def hue(colour: np.ndarray) -> float:
    """Degrees on the circle of colours."""
    pixel = np.asarray(colour, np.float32).reshape(1, 1, 3) / 255
    return float(cv2.cvtColor(pixel, cv2.COLOR_RGB2HSV)[0, 0, 0])


def degrees_apart(first: float, second: float) -> float:
    return abs((first - second + 180) % 360 - 180)


def middle(view: np.ndarray) -> np.ndarray:
    """The mean colour of the middle, where a product still is when it is smallest and furthest off."""
    at = len(view) // 2
    return np.asarray(view[at - 2 : at + 2, at - 2 : at + 2].reshape(-1, 3).mean(axis=0))


@pytest.mark.parametrize("size", [8, 32, 75])
@pytest.mark.parametrize("sides", [(64, 64), (120, 40), (40, 120)])
def test_views_of_tall_wide_and_square_pictures_have_the_asked_size(sides: tuple[int, int], size: int) -> None:
    for seed in range(20):
        for picture in (make_picture(seed, sides), product_on((250, 250, 250), (200, 30, 30), sides)):
            view = make_view(picture, seeded(seed), other_picture, size)
            assert view.shape == (size, size, 3)
            assert view.dtype == np.uint8


def test_the_same_state_gives_the_same_view_and_another_gives_another() -> None:
    for picture in (make_picture(1, (64, 64)), product_on((250, 250, 250), (200, 30, 30))):
        views = [make_view(picture, seeded(seed), other_picture, 48) for seed in (3, 3, 4)]
        assert np.array_equal(views[0], views[1])
        assert not np.array_equal(views[0], views[2])


def test_the_pictures_themselves_stay_as_they_are() -> None:
    picture, other = product_on((250, 250, 250), (200, 30, 30)), other_picture()
    before, other_before = picture.copy(), other.copy()
    for seed in range(30):
        make_view(picture, seeded(seed), lambda: other, 32)
    assert np.array_equal(picture, before)
    assert np.array_equal(other, other_before)


def test_a_product_is_cut_out_of_a_plain_ground_without_a_rim_of_it() -> None:
    cut = cut_out(product_on((250, 250, 250), (200, 30, 30)))
    assert cut is not None
    product, opacity = cut
    assert product.shape[:2] == opacity.shape
    assert all(34 <= side <= 40 for side in opacity.shape)  # of 40, less a pixel or so at each edge
    assert (product[opacity > 0.5] == (200, 30, 30)).all()
    assert opacity[10:-10, 10:-10].min() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "picture",
    [
        make_picture(3, (64, 64)),
        np.full((64, 64, 3), 250, np.uint8),  # a ground and no product
        product_on((250, 250, 250), (200, 30, 30), (8, 8)),  # a product of a few pixels
    ],
    ids=["no plain ground", "no product", "too small"],
)
def test_nothing_is_cut_out_where_there_is_no_product_on_a_plain_ground(picture: RGB) -> None:
    assert cut_out(picture) is None


def test_a_product_gets_another_ground_in_most_views() -> None:
    picture = product_on(GREEN, COLOURS["red"])
    grey = np.full((50, 50, 3), 90, np.uint8)
    still_green = 0
    for seed in range(120):
        view = make_view(picture, seeded(seed), lambda: grey, 64)
        corners = [view[row : row + 6, column : column + 6].reshape(-1, 3) for row in (0, 58) for column in (0, 58)]
        colours = [corner.mean(axis=0) for corner in corners]
        green = [np.ptp(colour) > 60 and degrees_apart(hue(colour), 120) < 25 for colour in colours]
        still_green += sum(green) >= 3
    # Of 120, the 18 that are cropped or framed, and by chance some new grounds.
    assert 6 <= still_green <= 40


def test_a_product_before_another_ground_covers_a_fifth_of_the_side_or_more() -> None:
    product = np.full((30, 40, 3), (200, 30, 30), np.uint8)
    opacity = np.ones((30, 40), np.float32)
    black = np.zeros((50, 50, 3), np.uint8)
    for seed in range(60):
        view = place_product(product, opacity, seeded(seed), lambda: black, 64)
        assert view.shape == (64, 64, 3)
        red = np.abs(view - (200, 30, 30)).max(axis=2) < 3
        assert red[26:38, 26:38].mean() > 0.5, "a product lies about the middle"
        # Height 3/4 of the width, and the width 0.45 of the side or more: 0.15 of the view, less what is leant away.
        assert red.mean() >= 0.12


@pytest.mark.parametrize("colour", list(COLOURS.values()), ids=list(COLOURS))
def test_no_view_recolours_a_product(colour: tuple[int, int, int]) -> None:
    picture = product_on((245, 245, 245), colour)
    for seed in range(60):
        seen = middle(make_view(picture, seeded(seed), other_picture, 64))
        # Light warms or cools by an eighth and balances by a tenth a channel: twenty degrees between two channels.
        assert degrees_apart(hue(seen), hue(np.array(colour))) < 25, (seed, seen)
        assert np.ptp(seen) > 40, "a saturated product stays saturated"


def test_light_leaves_grey_nearly_grey_and_within_bytes() -> None:
    grey = np.full((24, 24, 3), 120, np.float32)
    means = []
    for seed in range(60):
        lit = change_light(grey, seeded(seed))
        assert lit.dtype == np.float32
        assert 0 <= lit.min() <= lit.max() <= 255
        strongest, weakest = lit.mean(axis=(0, 1)).max(), lit.mean(axis=(0, 1)).min()
        assert strongest / weakest < 1.6
        means.append(float(lit.mean()))
    assert min(means) < 100, "some are darker"
    assert max(means) > 140, "and some brighter"


@pytest.mark.parametrize("sides", [(90, 90), (120, 60), (60, 120)])
def test_a_picture_without_a_plain_ground_is_cropped_or_framed(sides: tuple[int, int]) -> None:
    picture = by_place(sides)
    assert cut_out(picture) is None
    areas = []
    for seed in range(80):
        view = crop_or_frame(picture, seeded(seed), 64)
        assert view.shape == (64, 64, 3)
        # How fast the place in the picture runs over the view's middle, times the view's side: the part that is seen.
        corners = [view[32 + down, 32 + across, :2] for down, across in ((4, 0), (-4, 0), (0, 4), (0, -4))]
        steps = np.array([corners[0] - corners[1], corners[2] - corners[3]]) / 8 * 64 / 255
        areas.append(abs(float(np.linalg.det(steps))))
    assert 0.24 < min(areas) < 0.5, "three tenths of the picture at least"
    assert 1.1 < max(areas) < 2.0, "eight fifths, with a frame, at most"
    assert np.mean(np.array(areas) < 1) > 0.6


def test_a_crop_needs_no_other_picture() -> None:
    for seed in range(60):
        make_view(by_place((64, 64)), seeded(seed), no_picture, 32)


def test_grounds_are_of_every_kind_and_within_bytes() -> None:
    asked: list[int] = []

    def draw() -> RGB:
        asked.append(1)
        return other_picture()

    grounds = [make_background(seeded(seed), draw, 40) for seed in range(60)]
    assert all(ground.shape == (40, 40, 3) and ground.dtype == np.float32 for ground in grounds)
    assert all(0 <= ground.min() <= ground.max() <= 255 for ground in grounds)
    assert 4 <= len(asked) <= 24, "one kind of five is a piece of another picture"
    flat = [bool((ground == ground[0, 0]).all()) for ground in grounds]
    assert 4 <= sum(flat) <= 24, "and another kind is one colour"


def test_soft_noisy_and_compressed_pixels_keep_their_mean() -> None:
    pixels = make_picture(2, (48, 48)).astype(np.float32)
    for seed in range(40):
        changed = soften(pixels, seeded(seed))
        assert changed.dtype == np.uint8
        assert changed.reshape(-1, 3).mean(axis=0) == pytest.approx(pixels.reshape(-1, 3).mean(axis=0), abs=6)


def test_a_banner_covers_less_than_a_quarter_at_the_top_or_the_bottom() -> None:
    given = np.full((50, 50, 3), 123, np.uint8)
    tops = []
    for seed in range(30):
        rows = (cover_edge(given, seeded(seed)) != given).any(axis=2).all(axis=1)
        assert 4 <= rows.sum() <= 11
        assert rows[0] != rows[-1]
        tops.append(bool(rows[0]))
    assert {True, False} == set(tops)


def test_grounds_come_from_pictures_that_training_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[int] = set()

    def collect(picture: RGB, random: np.random.Generator, draw_other: Callable[[], RGB], size: int) -> RGB:
        assert picture[0, 0, 0] == 3
        drawn.update(int(draw_other()[0, 0, 0]) for _ in range(200))
        return picture

    monkeypatch.setattr("indexer.train.distil.make_view", collect)
    rows = np.arange(10)
    pixels = np.broadcast_to(rows[:, None, None, None], (10, 4, 4, 3)).astype(np.uint8)
    chosen = np.array([1, 3, 4, 8])
    Data(pixels, np.zeros((10, 2), np.float32), rows, rows, chosen).view(3, seeded(0), 4)
    assert drawn == set(chosen.tolist())


@pytest.mark.parametrize("colour", [*COLOURS.values(), (128, 128, 128), (20, 20, 20)])
def test_a_recoloured_product_has_another_colour_on_the_same_background(colour: tuple[int, int, int]) -> None:
    picture = product_on((250, 250, 250), colour)
    before = picture.copy()
    for seed in range(12):
        recoloured = recolour(picture, seeded(seed))
        assert recoloured is not None
        assert recoloured.dtype == np.uint8
        assert recoloured.shape == picture.shape
        np.testing.assert_array_equal(recoloured[:15], picture[:15])
        assert np.abs(recoloured[30:50, 30:50].astype(int) - np.array(colour)).max() > 15
    np.testing.assert_array_equal(picture, before)


def test_recolouring_is_the_same_for_a_seed_and_another_for_the_next() -> None:
    picture = product_on((250, 250, 250), COLOURS["blue"])
    first, again, other = (recolour(picture, seeded(seed)) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first, again)
    assert other is not None
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "picture", [by_place((80, 80)), product_on((250, 250, 250), COLOURS["red"], (40, 40))], ids=["no product", "small"]
)
def test_what_is_no_product_or_a_small_one_is_not_recoloured(picture: RGB) -> None:
    assert recolour(picture, seeded(0)) is None
