"""The fourteen perturbations: each does what its name says, as strongly as it is written, and the same every time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from indexer.robustness.background import find_plain_background
from indexer.robustness.perturbations import PERTURBATIONS, Group, Perturbation
from lookalike.testing import make_picture

RGB = npt.NDArray[np.uint8]
NAMED = {change.name: change for change in PERTURBATIONS}
DRAWN = sorted(NAMED.keys() - {"horizontal flip", "JPEG", "blur", "grey", "background"})
SEEDS = range(20)


def flat(colour: tuple[int, int, int] | int, height: int = 120, width: int = 100) -> RGB:
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[:] = colour
    return picture


def product(ground: tuple[int, int, int] = (245, 245, 245), ink: tuple[int, int, int] = (30, 60, 160)) -> RGB:
    """A ring of one colour on a plain ground: what is inside the ring is as plain, but not ground."""
    picture = flat(ground, 120, 120)
    down, across = np.mgrid[0:120, 0:120] - 60
    distance = np.hypot(down, across)
    picture[(distance < 40) & (distance > 20)] = ink
    return picture


def applied(name: str, picture: RGB, seed: int = 0) -> RGB:
    changed = NAMED[name].apply(picture, seed)
    assert changed is not None
    return changed


def test_there_are_fourteen_and_each_is_of_a_kind() -> None:
    assert len(NAMED) == len(PERTURBATIONS) == 14
    kinds = {group: {change.name for change in PERTURBATIONS if change.group is group} for group in Group}
    assert kinds == {
        Group.COLOUR: {"hue", "saturation", "brightness", "grey"},
        Group.PACKAGING: {"banner", "border", "background"},
        Group.VIEW: {"perspective", "affine", "resized crop"},
        Group.ROTATION: {"rotation", "horizontal flip"},
        Group.QUALITY: {"JPEG", "blur"},
    }


@pytest.mark.parametrize("change", PERTURBATIONS, ids=lambda change: change.name)
def test_the_same_seed_gives_the_same_pixels_and_leaves_the_picture_alone(change: Perturbation) -> None:
    picture = product() if change.name == "background" else make_picture(3, (140, 100))
    untouched = picture.copy()
    first, second = change.apply(picture, 5), change.apply(picture, 5)
    assert first is not None
    assert second is not None
    assert (first == second).all()
    assert (picture == untouched).all()
    assert first.shape != picture.shape or (first != picture).any(), "something has changed"


@pytest.mark.parametrize("name", [*DRAWN, "background"])
def test_another_seed_gives_another_change(name: str) -> None:
    picture = product()
    assert len({applied(name, picture, seed).tobytes() for seed in SEEDS}) > 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 400)])
def test_the_smallest_pictures_can_be_changed(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    for change in PERTURBATIONS:
        for seed in range(4):
            changed = change.apply(picture, seed)
            if changed is not None:
                assert changed.dtype == np.uint8, change.name
                assert (changed.ndim, changed.shape[2]) == (3, 3), change.name
                assert min(changed.shape) > 0


def test_flipped_is_the_mirror_image() -> None:
    picture = make_picture(1)
    assert (applied("horizontal flip", picture) == picture[:, ::-1]).all()


def test_rotated_is_turned_by_ten_degrees_about_the_centre() -> None:
    picture = flat(0, 201, 201)
    picture[98:103, 178:183] = 255  # 80 to the right of the centre
    angles = set()
    for seed in SEEDS:
        down, across = np.nonzero(applied("rotation", picture, seed)[..., 0] > 127)
        y, x = down.mean() - 100, across.mean() - 100
        assert np.hypot(x, y) == pytest.approx(80, abs=0.5)
        angles.add(round(np.degrees(np.arctan2(y, x))))
    assert angles == {-10, 10}


def test_a_crop_shows_between_half_and_all_of_the_area_at_the_old_size() -> None:
    ramp = np.linspace(0, 250, 200)
    picture = np.repeat(np.stack([np.tile(ramp, (200, 1)), np.tile(ramp[:, None], (1, 200))], 2), [1, 2], 2)
    for seed in SEEDS:
        changed = applied("resized crop", picture.astype(np.uint8), seed).astype(float)
        assert changed.shape == picture.shape
        wide, high = np.ptp(changed[..., 0]) / 250, np.ptp(changed[..., 1]) / 250
        assert 0.47 <= wide * high <= 1.0  # half, less what the ends of a ramp lose
        assert 0.7 <= wide / high <= 1.4


def test_brightness_multiplies_all_values_by_one_factor() -> None:
    picture = np.stack([flat(40), flat(80), flat(120)]).reshape(-1, 100, 3)
    factors = []
    for seed in SEEDS:
        changed = applied("brightness", picture, seed).astype(float)
        factors.append(changed[0, 0, 0] / 40)
        assert np.abs(changed / picture - factors[-1]).max() < 0.02
    assert 0.48 <= min(factors) < 0.8
    assert 1.2 < max(factors) <= 1.52


def test_hue_changes_neither_lightness_nor_greys() -> None:
    picture = make_picture(4)
    for seed in SEEDS:
        changed = applied("hue", picture, seed)
        assert np.abs(changed.max(axis=2).astype(int) - picture.max(axis=2)).max() <= 2
    assert (applied("hue", flat(90)) == 90).all()


def test_hues_move_on_around_the_circle_by_up_to_three_tenths() -> None:
    moved = set()
    for seed in SEEDS:
        red, green, blue = applied("hue", flat((255, 0, 0)), seed)[0, 0].tolist()
        assert min(green, blue) <= 2, "a pure hue stays pure"
        assert max(red, green, blue) >= 253
        # Red keeps its full value for 60° either way; 108° is the end.
        assert red >= 40
        moved.add("green" if green > blue else "blue")
    assert moved == {"green", "blue"}


def test_saturation_moves_colours_towards_grey_or_away_and_keeps_their_luminance() -> None:
    picture = flat((150, 110, 90))
    spread = []
    for seed in SEEDS:
        red, green, blue = applied("saturation", picture, seed)[0, 0].astype(float)
        assert 0.299 * red + 0.587 * green + 0.114 * blue == pytest.approx(119.7, abs=1.5)
        spread.append((red - blue) / 60)
    assert 0.45 <= min(spread) < 0.8
    assert 1.2 < max(spread) <= 1.55


def test_perspective_leaves_a_four_cornered_part_of_the_picture_on_black() -> None:
    for seed in SEEDS:
        changed = applied("perspective", flat(255), seed)
        assert changed.shape == (120, 100, 3)
        assert 0.25 < changed.mean() / 255 < 1.0
        assert changed[60, 50].tolist() == [255, 255, 255], "the middle is never left"


def test_affine_keeps_the_size_and_most_of_the_picture() -> None:
    for seed in SEEDS:
        changed = applied("affine", flat(255), seed)
        assert changed.shape == (120, 100, 3)
        # Half a turn of 10°, a tenth of a shift each way, and nine tenths of the size at most.
        assert 0.5 < changed.mean() / 255 <= 1.0


def test_jpeg_loses_a_little_once_and_hardly_more_a_second_time() -> None:
    picture = make_picture(6, (160, 160))
    once = applied("JPEG", picture)
    twice = applied("JPEG", once)
    lost, again = np.abs(once.astype(int) - picture).mean(), np.abs(twice.astype(int) - once).mean()
    assert 0.5 < lost < 15
    assert again < lost / 3


def test_blur_spreads_a_point_by_a_fixed_part_of_the_shorter_side() -> None:
    picture = flat(0, 400, 600)
    picture[150:250, 250:350] = 255
    edge = applied("blur", picture)[200, 200:300, 0].astype(float) / 255
    slope = np.diff(edge)
    places = np.arange(len(slope))
    centre = (slope * places).sum() / slope.sum()
    assert np.sqrt((slope * (places - centre) ** 2).sum()) == pytest.approx(0.015 * 400, rel=0.06)


def test_grey_is_the_luminance_in_all_three_channels() -> None:
    picture = make_picture(8)
    expected = 0.299 * picture[..., 0] + 0.587 * picture[..., 1] + 0.114 * picture[..., 2]
    changed = applied("grey", picture)
    assert np.abs(changed - expected[..., None]).max() <= 0.51


def test_a_border_surrounds_the_whole_picture_with_one_colour() -> None:
    picture = make_picture(9, (140, 100))
    for seed in SEEDS:
        changed = applied("border", picture, seed)
        width = (changed.shape[0] - 100) // 2
        assert changed.shape == (100 + 2 * width, 140 + 2 * width, 3)
        assert 8 <= width <= 15
        assert (changed[width:-width, width:-width] == picture).all()
        outside = np.ones(changed.shape[:2], dtype=bool)
        outside[width:-width, width:-width] = False
        assert (changed[outside] == changed[0, 0]).all()


def test_a_banner_covers_the_top_or_the_bottom_and_nothing_else() -> None:
    picture = make_picture(9, (140, 100))
    ends = set()
    for seed in SEEDS:
        changed = applied("banner", picture, seed)
        rows = np.flatnonzero((changed != picture).any(axis=(1, 2)))
        assert 15 <= len(rows) <= 25
        assert len(rows) == rows[-1] - rows[0] + 1
        ends.add("top" if rows[0] == 0 else "bottom")
        assert rows[0] == 0 or rows[-1] == 99
        assert len(np.unique(changed[rows].reshape(-1, 3), axis=0)) > 2, "there is a word on it"
    assert ends == {"top", "bottom"}


def test_a_new_background_leaves_the_product_and_what_is_inside_it() -> None:
    picture = product()
    down, across = np.mgrid[0:120, 0:120] - 60
    distance = np.hypot(down, across)
    for seed in SEEDS:
        changed = applied("background", picture, seed)
        inside, outside = distance < 35, distance > 46
        assert (changed[inside] == picture[inside]).all(), "the ring and the plain middle stay"
        assert np.abs(changed[outside].astype(int) - picture[outside]).max(axis=1).min() >= 40


def test_soft_noise_on_a_plain_ground_does_not_hide_it() -> None:
    noise = np.random.default_rng(2).integers(-6, 7, (120, 120, 3))
    ground = find_plain_background((product(ground=(200, 210, 205)) + noise).astype(np.uint8))
    assert ground is not None
    down, across = np.mgrid[0:120, 0:120] - 60
    assert (ground == (np.hypot(down, across) >= 40)).mean() > 0.99


@pytest.mark.parametrize(
    "picture",
    [
        np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype(np.uint8),
        flat((250, 250, 250)),
        np.tile(np.linspace(0, 255, 100).astype(np.uint8)[None, :, None], (100, 1, 3)),
    ],
    ids=["a full scene", "nothing but ground", "a slope of light"],
)
def test_without_a_product_on_a_plain_ground_there_is_no_new_background(picture: RGB) -> None:
    assert NAMED["background"].apply(picture, 0) is None
