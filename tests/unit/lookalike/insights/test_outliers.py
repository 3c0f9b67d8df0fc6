"""Outliers are far from their k-th nearest neighbour, by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.catalogue.live_changes import LiveChange
from lookalike.errors import FilterInvalidError
from tests.helpers.drawn_collection import directions, drawn_collection
from tests.helpers.shop_collection import Shop

COUNTS = (30, 20)


def distances(vectors: np.ndarray, k: int) -> np.ndarray:
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    return np.asarray(1 - np.sort(cosines, axis=1)[:, ::-1][:, k - 1])


@pytest.mark.parametrize("k", [1, 4, 15])
def test_the_score_is_the_distance_of_the_kth_nearest(shop: Shop, k: int) -> None:
    vectors = directions(COUNTS, spread=0.3)
    report = drawn_collection(shop, vectors).outliers(50, neighbours=k)
    expected = distances(vectors, k)
    assert [outlier.item.key for outlier in report.outliers] == [
        f"{number:03d}" for number in np.argsort(-expected, kind="stable")
    ]
    assert [outlier.score for outlier in report.outliers] == pytest.approx(np.sort(expected)[::-1], abs=1e-4)
    assert (report.count, report.neighbours) == (50, k)
    assert report.median == pytest.approx(np.median(expected), abs=1e-4)


def test_strangers_that_are_alike_do_not_hide_each_other(shop: Shop) -> None:
    vectors = np.concatenate([directions(COUNTS), directions((0, 0, 10), seed=2)])
    report = drawn_collection(shop, vectors).outliers(10)
    assert {outlier.item.key for outlier in report.outliers} == {f"{number:03d}" for number in range(50, 60)}
    assert all(outlier.score > report.median for outlier in report.outliers)


def test_an_outlier_has_its_nearest_neighbours(shop: Shop) -> None:
    vectors = directions(COUNTS, spread=0.3)
    (outlier,) = drawn_collection(shop, vectors).outliers(1).outliers
    cosines = vectors @ vectors[int(outlier.item.key)]
    nearest = [number for number in np.argsort(-cosines, kind="stable").tolist() if number != int(outlier.item.key)]
    assert [near.item.key for near in outlier.neighbours] == [f"{number:03d}" for number in nearest[:3]]
    assert [near.cosine for near in outlier.neighbours] == pytest.approx(cosines[nearest[:3]], abs=1e-4)


def test_a_filter_and_live_changes_count(shop: Shop) -> None:
    vectors = directions(COUNTS, spread=0.3)
    collection = drawn_collection(shop, vectors, [{"number": number} for number in range(50)])
    report = collection.outliers(30, where="number < 30", neighbours=2)
    expected = distances(vectors[:30], 2)
    assert [outlier.score for outlier in report.outliers] == pytest.approx(np.sort(expected)[::-1], abs=1e-4)
    draft = collection.item("049").draft
    collection.change_items([LiveChange("000"), LiveChange("049", draft, vectors[1])])
    now = collection.with_live_changes().outliers(49, neighbours=2)
    expected = distances(np.concatenate([vectors[1:49], vectors[1:2]]), 2)
    assert [outlier.score for outlier in now.outliers] == pytest.approx(np.sort(expected)[::-1], abs=1e-4)


def test_equal_vectors_are_no_outliers(shop: Shop) -> None:
    report = drawn_collection(shop, np.repeat(directions((1,)), 6, axis=0)).outliers()
    assert (report.neighbours, {round(outlier.score, 3) for outlier in report.outliers}) == (5, {0.0})
    assert [outlier.item.key for outlier in report.outliers] == [f"{number:03d}" for number in range(6)]


@pytest.mark.parametrize("count", [0, 1])
def test_where_there_is_nothing_to_compare_there_are_none(shop: Shop, count: int) -> None:
    report = drawn_collection(shop, directions((count,))).outliers()
    assert (report.outliers, report.count) == ((), count)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"top": 0}, "top: at least 1 item has to be listed, got 0"),
        ({"neighbours": 0}, "neighbours: 1 to 100 are possible, got 0"),
        ({"neighbours": 101}, "neighbours: 1 to 100 are possible, got 101"),
        ({"where": "size > 3"}, "there is no field 'size'|size"),
    ],
)
def test_options_that_cannot_be_are_refused(shop: Shop, options: dict[str, object], words: str) -> None:
    with pytest.raises(FilterInvalidError, match=words):
        drawn_collection(shop, directions(COUNTS)).outliers(**options)  # type: ignore[arg-type]
