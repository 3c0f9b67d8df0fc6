"""Made copies are recognised, other photographs are not, and no picture is too odd to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from indexer.sample import camera
from indexer.sample.kinds import KINDS
from indexer.sample.product import Product, invent
from lookalike.copies import Fingerprint, check_copy, is_plain_picture
from lookalike.copies import compute_fingerprint as fingerprint_of
from lookalike.copies.fingerprint import side_factor
from lookalike.images import decode, encode_jpeg

RGB = npt.NDArray[np.uint8]


def _photo(product: Product, recipe: Callable[..., camera.Shot], purpose: str = "shown") -> RGB:
    rng = product.rng(purpose)
    return decode(camera.photograph(product.draw(), product.kind.pose, recipe(rng, product.kind.pose), rng)).pixels


def _jpeg(picture: RGB) -> RGB:
    return decode(encode_jpeg(picture, 20)).pixels


def _smaller(picture: RGB) -> RGB:
    return np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _stretched(picture: RGB) -> RGB:
    return np.asarray(cv2.resize(picture, None, fx=1.4, fy=0.9, interpolation=cv2.INTER_AREA), np.uint8)


def _blurred(picture: RGB) -> RGB:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 4.0), np.uint8)


def _brighter(picture: RGB) -> RGB:
    return np.asarray(np.clip(picture * 1.25, 0, 255), np.uint8)


def _grey(picture: RGB) -> RGB:
    return np.repeat((picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None], 3, axis=2)


def _cut(picture: RGB) -> RGB:
    height, width = picture.shape[:2]
    return picture[height // 10 : -height // 10, width // 10 : -width // 10]


def _bordered(picture: RGB) -> RGB:
    return np.pad(picture, ((40, 40), (60, 60), (0, 0)), constant_values=255)


def _with_banner(picture: RGB) -> RGB:
    covered = picture.copy()
    top = round(0.82 * len(covered))
    covered[top:] = (250, 220, 0)
    cv2.putText(covered, "SALE 50%", (20, top + 40), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (200, 0, 0), 2)
    return covered


def _mirrored(picture: RGB) -> RGB:
    return picture[:, ::-1]


def _askew(picture: RGB) -> RGB:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 10, 0.85)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height)), np.uint8)


def _quarter(turns: int) -> Callable[[RGB], RGB]:
    return lambda picture: np.rot90(picture, turns)


COPIES: dict[str, Callable[[RGB], RGB]] = {
    "saved as a poor JPEG": _jpeg,
    "half as large": _smaller,
    "stretched": _stretched,
    "blurred": _blurred,
    "brighter": _brighter,
    "grey": _grey,
    "cut": _cut,
    "bordered": _bordered,
    "under a banner": _with_banner,
    "mirrored": _mirrored,
    "askew": _askew,
    "turned by 90": _quarter(1),
    "turned by 180": _quarter(2),
    "turned by 270": _quarter(3),
    "mirrored, cut and half as large": lambda picture: _smaller(_cut(_mirrored(picture))),
}


@pytest.fixture(scope="module")
def photos() -> list[RGB]:
    """Everyday photographs of one product of each of four kinds."""
    return [_photo(invent(number, 7), camera.everyday_shot) for number in range(4)]


@pytest.fixture(scope="module")
def prints(photos: list[RGB]) -> list[Fingerprint]:
    return [fingerprint_of(photo) for photo in photos]


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_photograph_is_still_a_copy(photos: list[RGB], prints: list[Fingerprint], change: str) -> None:
    verdicts = [
        check_copy(one, fingerprint_of(COPIES[change](photo))) for one, photo in zip(prints, photos, strict=True)
    ]
    assert [verdict.why for verdict in verdicts if not verdict.is_copy] == []


def test_photographs_of_different_products_are_no_copies(prints: list[Fingerprint]) -> None:
    flagged = [(a, b) for a in range(4) for b in range(a) if check_copy(prints[a], prints[b]).is_copy]
    assert flagged == []


@pytest.mark.parametrize("slug", ["chair", "headphones", "sneaker", "speaker", "tote-bag", "watch"])
def test_two_products_of_one_kind_on_white_are_no_copies(slug: str) -> None:
    kind = [known.slug for known in KINDS].index(slug)
    shown = [fingerprint_of(_photo(invent(kind + turn * len(KINDS), 7), camera.studio_shot)) for turn in range(3)]
    verdicts = [check_copy(shown[a], shown[b]) for a in range(3) for b in range(a)]
    assert [verdict.why for verdict in verdicts if verdict.is_copy] == []


def test_the_same_drawing_in_another_colour_is_no_copy(photos: list[RGB]) -> None:
    picture = np.full((300, 300, 3), 250, np.uint8)
    random = np.random.default_rng(3)
    for x, y in random.integers(40, 260, (30, 2)):
        cv2.circle(picture, (int(x), int(y)), 22, (200, 40, 40), -1)
        cv2.circle(picture, (int(x), int(y)), 22, (90, 10, 10), 2)
    assert not check_copy(fingerprint_of(picture), fingerprint_of(np.ascontiguousarray(picture[..., ::-1]))).is_copy
    assert check_copy(fingerprint_of(picture), fingerprint_of(_jpeg(picture))).is_copy


def test_the_order_of_the_two_does_not_matter(photos: list[RGB], prints: list[Fingerprint]) -> None:
    for one, photo in zip(prints, photos, strict=True):
        for other in (fingerprint_of(_askew(photo)), fingerprint_of(_cut(photo)), prints[0]):
            assert check_copy(one, other) == check_copy(other, one).swapped()


def test_the_verdict_says_how_the_copy_was_made(photos: list[RGB], prints: list[Fingerprint]) -> None:
    assert "mirrored" in check_copy(prints[0], fingerprint_of(_mirrored(photos[0]))).why
    assert "turned by" in check_copy(prints[0], fingerprint_of(_quarter(1)(photos[0]))).why
    assert 0.85 <= check_copy(prints[0], fingerprint_of(_jpeg(photos[0]))).strength <= 1.0


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_pictures_are_copies_of_none(level: int) -> None:
    plain = np.full((50, 80, 3), level, np.uint8), np.full((100, 160, 3), level, np.uint8)
    assert not check_copy(fingerprint_of(plain[0]), fingerprint_of(plain[1])).is_copy


@pytest.mark.parametrize("side", [1, 10, 15])
def test_tiny_pictures_are_copies_of_none(photos: list[RGB], prints: list[Fingerprint], side: int) -> None:
    tiny = fingerprint_of(np.asarray(cv2.resize(photos[0], (side, side), interpolation=cv2.INTER_AREA), np.uint8))
    for other in (tiny, prints[0]):
        verdict = check_copy(tiny, other)
        assert not verdict.is_copy
        assert "pixels" in verdict.why


@pytest.mark.parametrize("size", [(1, 1), (40, 300), (64, 64), (500, 700)])
def test_a_picture_of_one_colour_is_told_without_its_fingerprint(size: tuple[int, int]) -> None:
    height, width = size
    flat = np.full((height, width, 3), (200, 30, 90), np.uint8)
    assert is_plain_picture(flat)
    assert fingerprint_of(flat).is_plain
    if height > 1:
        drawn = flat.copy()
        drawn[: height // 2, : width // 3] = (90, 200, 10)
        assert not is_plain_picture(drawn)
        assert not fingerprint_of(drawn).is_plain


def test_a_plain_picture_is_no_copy_of_a_photograph(prints: list[Fingerprint]) -> None:
    assert not check_copy(prints[0], fingerprint_of(np.full((100, 100, 3), 128, np.uint8))).is_copy


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (2, 1), (1, 3000), (3000, 1), (2, 70000), (33, 33), (17, 400), (5, 5)]
)
@pytest.mark.parametrize("filling", ["flat", "noise", "dot"])
def test_no_size_and_no_filling_is_refused(prints: list[Fingerprint], shape: tuple[int, int], filling: str) -> None:
    height, width = shape
    picture = np.zeros((height, width, 3), np.uint8)
    if filling == "noise":
        picture = np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8)
    elif filling == "dot":
        picture[height // 2, width // 2] = 255
    odd = fingerprint_of(picture)
    assert odd.nbytes <= 64_000 * side_factor(picture.shape) + 3 * height * width
    assert not check_copy(odd, prints[0]).is_copy
    for turned in (picture[::-1], picture[:, ::-1], picture.transpose(1, 0, 2)):
        assert 0.0 <= check_copy(odd, fingerprint_of(turned)).strength <= 1.0


def test_a_fingerprint_stays_small_and_is_the_same_each_time(photos: list[RGB], prints: list[Fingerprint]) -> None:
    again = fingerprint_of(photos[0])
    for part in ("grey", "detail", "detail_colour", "colour", "points", "descriptors", "mirrored_descriptors"):
        np.testing.assert_array_equal(getattr(again, part), getattr(prints[0], part))
    for photo, one in zip(photos, prints, strict=True):
        assert one.nbytes <= 64_000 + 1.6 * photo[..., 0].size
    assert fingerprint_of(np.tile(photos[0], (5, 5, 1))).nbytes <= 64_000 + 1.6 * 1024 * 1024


def test_many_threads_come_to_the_verdicts_of_one(photos: list[RGB], prints: list[Fingerprint]) -> None:
    changed = [_askew(photo) for photo in photos]
    alone = [check_copy(one, fingerprint_of(change)) for one, change in zip(prints, changed, strict=True)]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(
            lambda pair: check_copy(pair[0], fingerprint_of(pair[1])),
            zip(prints * 4, changed * 4, strict=True),
        )
        assert list(together) == alone * 4
