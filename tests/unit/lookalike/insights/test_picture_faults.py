"""Faulty pictures are found with a number and a reason, and each file is read once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookalike import Collection
from lookalike.catalogue.records import ItemDraft, NewItem, SourceRecord
from lookalike.duplicates.quality import PictureQuality, measure_quality
from lookalike.errors import EntryMissingError, FilterInvalidError, SourceNotFoundError
from lookalike.images import encode_png
from lookalike.insights.picture_faults import (
    FaultKind,
    PictureAccess,
    QualityReport,
    find_faults,
    find_faulty_pictures,
)
from lookalike.options import ImageLimits
from lookalike.testing import make_picture
from tests.helpers.drawn_collection import directions
from tests.helpers.shop_collection import Shop

GOOD = PictureQuality(blur=0.3, lightest=210.0, burnt=0.01, spread=50.0)
DRAFT = ItemDraft("a", "a", "0" * 64, 10, 400, 300, "PNG")


def textured(seed: int, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    """A picture with sharp detail everywhere, that reaches from dark to light without burning out."""
    noise = np.random.default_rng(seed).integers(-40, 41, (size[1], size[0], 3))
    return np.clip(make_picture(seed, size).astype(int) // 2 + 80 + noise, 5, 245).astype(np.uint8)


def blurred(pixels: np.ndarray, width: int) -> np.ndarray:
    """The mean of so many neighbours each way."""
    wide = pixels.astype(np.float64)
    for axis in (0, 1):
        wide = np.mean([np.roll(wide, shift, axis) for shift in range(width)], axis=0)
    return wide.astype(np.uint8)


PICTURES: dict[str, np.ndarray] = {
    "good": textured(1),
    "blurred": blurred(textured(2), 9),
    "dark": textured(3) // 4,
    "black": np.zeros((120, 160, 3), np.uint8),
    "tiny": textured(4, (60, 40)),
    "long": textured(5, (500, 100)),
}


class Files:
    """The files of a pretended source, which counts what is read."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.reads = files, 0

    def read(self, location: str, _most: int) -> bytes:
        self.reads += 1
        if location not in self.files:
            raise EntryMissingError(f"{location} is not there", subject=location)
        return self.files[location]


def fill(shop: Shop, pictures: dict[str, np.ndarray]) -> tuple[Collection, Files]:
    files = {key: encode_png(pixels) for key, pixels in pictures.items()}
    vectors = directions((len(files),))
    with shop.run() as builder:
        builder.store(
            [
                NewItem(
                    ItemDraft(
                        key, key, hashlib.sha256(data).hexdigest(), len(data), pictures[key].shape[1],
                        pictures[key].shape[0], "PNG", metadata={"name": key},
                    ),
                    vector,
                )
                for (key, data), vector in zip(files.items(), vectors, strict=True)
            ]
        )  # fmt: skip
        builder.publish()
    record = shop.catalogue.collection("shop")
    return Collection(shop.searcher(), record, shop.layout, encoders_dir=Path("encoders"), limits=None), Files(files)


def find(collection: Collection, files: Files, *, top: int | None = None, where: str | None = None) -> QualityReport:
    access = PictureAccess(files.read, str, ImageLimits(), threads=2)
    return find_faulty_pictures(collection.subset(where), access, top=top)


def test_each_fault_is_found_on_the_picture_that_has_it(shop: Shop) -> None:
    report = find(*fill(shop, PICTURES))
    kinds = {picture.item.key: {fault.kind for fault in picture.faults} for picture in report.pictures}
    assert kinds == {
        "blurred": {FaultKind.BLURRED},
        "dark": {FaultKind.DARK},
        "black": {FaultKind.EMPTY},
        "tiny": {FaultKind.TINY},
        "long": {FaultKind.SHAPE},
    }
    assert (report.total, report.checked, report.unreadable) == (5, 6, ())
    assert report.counts[FaultKind.DARK] == 1
    assert report.counts[FaultKind.OVEREXPOSED] == 0
    severities = [picture.faults[0].severity for picture in report.pictures]
    assert severities == sorted(severities, reverse=True)
    assert min(severities) > 1


def test_a_second_run_reads_nothing_and_says_the_same(shop: Shop) -> None:
    collection, files = fill(shop, PICTURES)
    first = find(collection, files)
    assert files.reads == len(PICTURES)
    assert find(collection, files) == first
    assert files.reads == len(PICTURES)


def test_pictures_that_are_gone_or_have_changed_are_told(shop: Shop) -> None:
    collection, files = fill(shop, PICTURES)
    del files.files["dark"]
    files.files["good"] = encode_png(textured(9))
    report = find(collection, files)
    assert (report.unreadable, report.checked) == (("dark", "good"), 4)


def test_a_filter_and_a_limit_count(shop: Shop) -> None:
    collection, files = fill(shop, PICTURES)
    report = find(collection, files, where="name in (dark, tiny, good)")
    assert {picture.item.key for picture in report.pictures} == {"dark", "tiny"}
    assert files.reads == 3
    few = find(collection, files, top=1)
    assert (len(few.pictures), few.total) == (1, 5)
    with pytest.raises(FilterInvalidError, match="top: at least 1 item has to be listed, got 0"):
        find(collection, files, top=0)


def test_the_python_api_reads_the_source_of_the_collection(shop: Shop, tmp_path: Path) -> None:
    _, files = fill(shop, PICTURES)
    for key, data in files.files.items():
        (tmp_path / key).write_bytes(data)
    stored = shop.catalogue.collection("shop")
    limits = replace(stored.settings, max_bytes=1_000_000, max_pixels=1_000_000)
    record = replace(stored, source=SourceRecord("folder", str(tmp_path)), settings=limits)
    collection = Collection(shop.searcher(), record, shop.layout, encoders_dir=tmp_path, limits=None)
    report = collection.faulty_pictures(1, where="name in (dark, good)", threads=1)
    (picture,) = report.pictures
    assert (picture.item.key, collection.path(picture.item), report.checked) == ("dark", str(tmp_path / "dark"), 2)
    gone = replace(record, source=SourceRecord("folder", str(tmp_path / "gone")))
    collection = Collection(shop.searcher(), gone, shop.layout, encoders_dir=tmp_path, limits=None)
    with pytest.raises(SourceNotFoundError):
        collection.faulty_pictures()


def test_an_empty_collection_has_no_faults(shop: Shop) -> None:
    assert find(*fill(shop, {})).checked == 0


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"blur": 0.5}, FaultKind.BLURRED, "blurred: another blur takes away 50% of its fine differences"),
        ({"lightest": 99.9}, FaultKind.DARK, "dark: 95 % of it is below the grey level 99.9 of 255"),
        ({"burnt": 0.12}, FaultKind.OVEREXPOSED, "overexposed: colours are burnt out on 12% of it"),
        ({"spread": 5.9}, FaultKind.EMPTY, "nearly empty: its levels vary by 5.9 of 255"),
    ],
)
def test_a_measure_beyond_its_limit_is_a_fault_with_a_reason(
    change: dict[str, float], kind: FaultKind, words: str
) -> None:
    (fault,) = find_faults(DRAFT, replace(GOOD, **change))
    assert (fault.kind, fault.value) == (kind, next(iter(change.values())))
    assert fault.reason.startswith(words)
    assert find_faults(DRAFT, GOOD) == ()


@pytest.mark.parametrize(
    ("size", "kind", "words"),
    [
        ((63, 400), FaultKind.SHAPE, "odd shape: 6.35 times as high as wide"),
        ((63, 63), FaultKind.TINY, "tiny: 63 × 63 pixels"),
        ((1000, 300), FaultKind.SHAPE, "odd shape: 3.33 times as wide as high"),
    ],
)
def test_a_size_that_is_unusual_is_a_fault(size: tuple[int, int], kind: FaultKind, words: str) -> None:
    faults = find_faults(replace(DRAFT, width=size[0], height=size[1]), GOOD)
    assert faults[0].kind is kind
    assert faults[0].reason.startswith(words)


def test_an_empty_picture_is_not_called_blurred_or_dark_too() -> None:
    (fault,) = find_faults(DRAFT, PictureQuality(0.9, 0.0, 0.5, 0.0))
    assert fault.kind is FaultKind.EMPTY


def _overexposed(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(pixels.astype(int) * 3, 0, 255), np.uint8)


@pytest.mark.parametrize(
    ("measure", "change"),
    [
        (lambda quality: quality.blur, lambda pixels: blurred(pixels, 9)),
        (lambda quality: -quality.lightest, lambda pixels: pixels // 3),
        (lambda quality: quality.burnt, _overexposed),
        (lambda quality: -quality.spread, lambda pixels: pixels // 8 + 100),
    ],
)
def test_measures_grow_with_what_they_measure(
    measure: Callable[[PictureQuality], float], change: Callable[[np.ndarray], np.ndarray]
) -> None:
    for seed in range(3):
        pixels = textured(seed)
        assert measure(measure_quality(change(pixels))) > measure(measure_quality(pixels))


def test_measures_are_those_of_the_formulas() -> None:
    grey = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (60, 1))
    quality = measure_quality(np.repeat(grey[..., None], 3, axis=2))
    # A slope loses nothing by a blur, but where the picture ends.
    assert quality.blur > 0.8
    assert quality.lightest == pytest.approx(np.percentile(grey, 95), abs=0.5)
    assert quality.burnt == 0.0
    white = np.full((50, 50, 3), 255, np.uint8)
    white[:10] = (255, 200, 40)
    white[10:20] = (90, 90, 90)
    assert measure_quality(white).burnt == pytest.approx(0.5, abs=0.06)
    assert measure_quality(np.full((5, 5, 3), 255, np.uint8)) == PictureQuality(0.0, 255.0, 0.0, 0.0)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (3, 500), (5000, 4)])
def test_pictures_of_any_size_have_measures(size: tuple[int, int]) -> None:
    quality = measure_quality(np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8))
    assert 0 <= quality.blur <= 1
    assert 0 <= quality.burnt <= 1
    assert 0 <= quality.lightest <= 255


def blur_by_formula(grey: np.ndarray) -> float:
    """Crete's measure along the columns, pixel by pixel."""
    height = len(grey)
    mirrored = [*range(3, -1, -1), *range(height), *range(height - 1, height - 5, -1)]
    blurred = np.array([grey[mirrored[row : row + 9]].mean(axis=0) for row in range(height)])
    before, after = np.abs(np.diff(grey, axis=0)), np.abs(np.diff(blurred, axis=0))
    return float(1 - np.maximum(0, before - after).sum() / before.sum())


@pytest.mark.parametrize("size", [(200, 90), (90, 200), (64, 64)])
def test_blur_is_that_of_the_worse_axis_and_no_shape_is_distorted(size: tuple[int, int]) -> None:
    pixels = blurred(textured(7, size), 3)
    grey = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    expected = max(blur_by_formula(grey), blur_by_formula(grey.T))
    assert measure_quality(pixels).blur == pytest.approx(expected, abs=0.002)
