"""Copies that show something else in places are told from plain copies, and the places are named."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from indexer.sample import camera
from indexer.sample.product import invent
from lookalike.copies import CopyVerdict, check_copy, compute_fingerprint
from lookalike.images import decode, encode_jpeg

RGB = npt.NDArray[np.uint8]
Change = Callable[[RGB], RGB]

WORDS = ("steel", "bolt", "washer", "gasket", "hinge", "bracket", "valve", "cable", "drum", "filter", "hose", "rivet")


def page(number: str, total: str, *, size: tuple[int, int] = (700, 500)) -> RGB:
    """A page of text, equal but for a number at its top and a total at its bottom."""
    picture = np.full((*size, 3), 255, np.uint8)
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice(WORDS, 7)) for _ in range((size[0] - 130) // 30)]
    write(picture, f"INVOICE {number}", (40, 50), 0.9)
    for row, line in enumerate(lines):
        write(picture, line, (40, 90 + 30 * row), 0.5)
    write(picture, f"TOTAL {total}", (260, size[0] - 25), 0.8)
    return picture


def write(picture: RGB, text: str, place: tuple[int, int], scale: float, colour: tuple[int, ...] = (0, 0, 0)) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, colour, 1, cv2.LINE_AA)


def captioned(photo: RGB, text: str, colour: tuple[int, ...] = (255, 255, 255)) -> RGB:
    picture = photo.copy()
    write(picture, text, (30, len(photo) - 30), 1.2, colour)
    return picture


def bannered(photo: RGB, text: str, ground: tuple[int, ...] = (10, 40, 160)) -> RGB:
    picture = photo.copy()
    top = round(0.85 * len(photo))
    picture[top:] = ground
    write(picture, text, (20, top + 40), 1.0, (250, 250, 250))
    return picture


def with_logo(photo: RGB) -> RGB:
    picture = photo.copy()
    cv2.circle(picture, (90, 90), 28, (230, 200, 20), -1, cv2.LINE_AA)
    cv2.circle(picture, (90, 90), 12, (20, 20, 20), -1, cv2.LINE_AA)
    return picture


def painted_over(photo: RGB) -> RGB:
    picture = photo.copy()
    middle = photo.shape[0] // 2, photo.shape[1] // 2
    picture[middle[0] - 25 : middle[0] + 25, middle[1] - 25 : middle[1] + 25] = 90
    return picture


def jpeg(picture: RGB, quality: int = 60) -> RGB:
    return decode(encode_jpeg(picture, quality)).pixels


def scaled(picture: RGB, factor: float = 0.7) -> RGB:
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def bordered(picture: RGB) -> RGB:
    return np.pad(picture, ((40, 40), (50, 50), (0, 0)), constant_values=255)


def cropped(picture: RGB) -> RGB:
    height, width = picture.shape[:2]
    return picture[height // 35 : -height // 90, width // 14 : -width // 11]


def compare(first: RGB, second: RGB) -> CopyVerdict:
    return check_copy(compute_fingerprint(first), compute_fingerprint(second))


@pytest.fixture(scope="module")
def photo() -> RGB:
    """An everyday photograph of a product."""
    product = invent(1, 7)
    random = product.rng("shown")
    shot = camera.everyday_shot(random, product.kind.pose)
    return decode(camera.photograph(product.draw(), product.kind.pose, shot, random)).pixels


UNCHANGED: dict[str, Change] = {
    "as it is": lambda picture: picture,
    "JPEG": jpeg,
    "scaled": lambda picture: jpeg(scaled(picture), 90),
    "enlarged": lambda picture: scaled(picture, 1.4),
    "with a border": bordered,
    "cropped": cropped,
    "mirrored": lambda picture: picture[:, ::-1],
    "turned": np.rot90,
    "brighter": lambda picture: np.clip(picture * 1.2, 0, 255).astype(np.uint8),
    "blurred": lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8),
    "grey": lambda picture: np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None].astype(np.uint8), 3, axis=2),
}


@pytest.mark.parametrize("change", UNCHANGED)
def test_what_shops_and_programs_do_to_a_picture_is_no_difference(photo: RGB, change: str) -> None:
    for picture in (photo, page("3051-12", "418.20")):
        verdict = compare(picture, UNCHANGED[change](picture))
        assert verdict.is_copy, verdict.why
        assert verdict.differs_at == ()


@pytest.mark.parametrize("change", ["as it is", "JPEG", "scaled", "with a border", "cropped", "mirrored", "turned"])
def test_a_page_with_another_number_is_told_apart(change: str) -> None:
    verdict = compare(page("3051-12", "418.20"), UNCHANGED[change](page("3077-90", "7,905.00")))
    assert not verdict.is_copy or verdict.differs_at


def small_print(changed: str | None = None, *, size: tuple[int, int] = (1400, 1000)) -> RGB:
    """A page of words and numbers whose small letters are 9 pixels high; one digit of a number may be another."""
    picture = np.full((*size, 3), 255, np.uint8)
    random = np.random.default_rng(3)
    for row, y in enumerate(range(50, size[0] - 50, 28)):
        amount = f"{random.integers(100_000, 999_999) / 100:,.2f}"
        if row == 17 and changed is not None:
            amount = f"{amount[:3]}{changed}{amount[4:]}"
        words = " ".join(random.choice(WORDS, 8))
        write(picture, f"{words:60} {amount}", (40, y), 0.42)
    return picture


@pytest.mark.parametrize("change", ["as it is", "JPEG", "brighter"])
def test_one_digit_in_small_print_is_told_apart(change: str) -> None:
    first, second, other = (small_print(digit) for digit in "386")
    assert compare(first, UNCHANGED[change](first)).differs_at == ()
    for page_with_another in (second, other):
        verdict = compare(first, UNCHANGED[change](page_with_another))
        (place,) = verdict.differs_at
        x0, y0, x1, y1 = place.first
        assert y0 < (50 + 17 * 28 - 5) / 1400 < y1
        assert max(x1 - x0, y1 - y0) < 0.05


@pytest.mark.parametrize("change", ["as it is", "JPEG"])
def test_a_price_tag_with_another_digit_in_a_photograph_is_told_apart(photo: RGB, change: str) -> None:
    tags = []
    for price in ("14.50", "74.50"):
        picture = photo.copy()
        write(picture, price, (photo.shape[1] // 3, photo.shape[0] // 4), 0.45, (20, 20, 20))
        tags.append(jpeg(picture, 90))
    assert compare(tags[0], UNCHANGED[change](tags[1])).differs_at


def test_of_two_screens_with_one_layout_and_other_words_everywhere_none_is_a_plain_copy() -> None:
    screens = []
    for seed in (1, 2):
        screen = np.full((800, 450, 3), 246, np.uint8)
        screen[:60] = (30, 90, 200)
        random = np.random.default_rng(seed)
        for row in range(11):
            centre = (40, 100 + 62 * row)
            cv2.circle(screen, centre, 22, (40 + 20 * row, 120, 160), -1)
            write(screen, " ".join(random.choice(WORDS, 3)), (75, centre[1] + 5), 0.55)
        screens.append(screen)
    verdict = compare(screens[0], screens[1])
    assert not verdict.is_copy or verdict.differs_at


def test_the_places_are_those_that_were_changed() -> None:
    first, second = page("3051-12", "418.20"), jpeg(page("3077-90", "418.20"))
    (place,) = compare(first, second).differs_at
    x0, y0, x1, y1 = place.first
    assert 0.2 < x0 < x1 < 0.7
    assert 0.02 < y0 < y1 < 0.09
    assert place.second == pytest.approx(place.first, abs=0.01)
    assert compare(second, first).differs_at[0].first == place.second


def test_a_place_in_a_turned_copy_is_given_for_either_picture() -> None:
    first, second = page("3051-12", "418.20"), np.rot90(page("3077-90", "418.20"))
    (place,) = compare(first, second).differs_at
    assert place.first[1] < 0.1
    assert place.second[0] < 0.1
    assert place.second[1] > 0.3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda photo: photo, lambda photo: captioned(photo, "SOLD OUT")),
        (lambda photo: captioned(photo, "SUMMER"), lambda photo: captioned(photo, "WINTER")),
        (lambda photo: photo, with_logo),
        (lambda photo: photo, painted_over),
        (lambda photo: bannered(photo, "NOW 20 EUR"), lambda photo: bannered(photo, "NOW 95 EUR")),
        (lambda photo: bannered(photo, "SALE"), lambda photo: bannered(photo, "NEW IN", (250, 250, 0))),
    ],
    ids=["a caption", "another caption", "a logo", "painted over", "another banner", "a banner of another colour"],
)
@pytest.mark.parametrize("change", ["as it is", "JPEG", "scaled"])
def test_an_edited_photograph_is_told_apart(photo: RGB, first: Change, second: Change, change: str) -> None:
    verdict = compare(first(photo), UNCHANGED[change](second(photo)))
    assert not verdict.is_copy or verdict.differs_at


def test_words_that_differ_from_their_ground_by_colour_alone_are_seen(photo: RGB) -> None:
    picture = photo.copy()
    picture[-90:-20, 20:-20] = 120
    red = (230, 76, 60)
    assert round(0.299 * red[0] + 0.587 * red[1] + 0.114 * red[2]) == 120
    for change in (lambda changed: changed, jpeg):
        assert compare(captioned(picture, "SUMMER", red), change(captioned(picture, "WINTER", red))).differs_at


def test_a_banner_or_border_is_no_difference_and_counted_as_added(photo: RGB) -> None:
    for changed, least in ((bannered(photo, "NEW IN STOCK"), 0.12), (bordered(photo), 0.15)):
        verdict = compare(photo, changed)
        assert verdict.is_copy, verdict.why
        assert verdict.differs_at == ()
        assert verdict.extents is not None
        original, decorated = verdict.extents
        assert original.added < 0.03
        assert least < decorated.added < 0.45


def test_the_ground_of_a_product_is_no_border_that_was_added_to_its_crop(photo: RGB) -> None:
    product = np.full((500, 500, 3), 255, np.uint8)
    product[120:380, 130:370] = np.asarray(cv2.resize(photo, (240, 260), interpolation=cv2.INTER_AREA), np.uint8)
    verdict = compare(product, product[60:440, 70:430])
    assert verdict.extents is not None
    assert [extent.added for extent in verdict.extents] == [0.0, 0.0]
    assert 0.3 < verdict.extents[0].ground < 0.5
    assert verdict.extents[1].ground == 0.0


def test_a_changed_digit_on_a_ground_of_another_colour_is_a_place_of_its_own() -> None:
    noise = np.random.default_rng(0).normal(128, 160, (260, 240, 3)).astype(np.float32)
    pattern = np.clip(cv2.GaussianBlur(noise, (0, 0), 3), 0, 255).astype(np.uint8)

    def tag(ground: tuple[int, int, int], price: str) -> RGB:
        picture = np.full((520, 500, 3), ground, np.uint8)
        picture[60:320, 130:370] = pattern
        cv2.putText(picture, price, (140, 440), cv2.FONT_HERSHEY_SIMPLEX, 2, (20, 20, 20), 5)
        return picture

    whole, digit = (
        place.first for place in compare(tag((255, 255, 255), "12.50"), tag((255, 210, 200), "72.50")).differs_at
    )
    assert whole[2] - whole[0] > 0.9
    assert digit[2] - digit[0] < 0.15
    assert 0.7 < digit[1] < digit[3] < 0.9


def test_what_was_cut_off_shows_in_the_extents(photo: RGB) -> None:
    verdict = compare(cropped(photo), photo)
    assert verdict.extents is not None
    part, whole = verdict.extents
    assert part.covered > 0.98
    assert 0.7 < whole.covered < 0.95
