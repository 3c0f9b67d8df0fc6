"""Wrong labels are found by what the classifier says of an item that it was not fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.errors import FilterInvalidError, LabelsMissingError
from lookalike.insights import mislabelled
from lookalike.insights.ridge import Moments, RidgeClassifier
from tests.helpers.drawn_collection import directions, drawn_collection
from tests.helpers.shop_collection import Shop

COUNTS = (20, 12, 8)
LABELS = ["mug"] * 20 + ["shoe"] * 12 + ["book"] * 8


def metadata(labels: list[str | None], column: str = "label") -> list[dict[str, str]]:
    return [{} if label is None else {column: label} for label in labels]


def exchanged(places: dict[int, str]) -> list[str | None]:
    return [places.get(number, label) for number, label in enumerate(LABELS)]


def refitted_scores(vectors: np.ndarray, labels: np.ndarray, penalty: float) -> np.ndarray:
    """Each vector's scores by a classifier that is fitted to all others."""
    wide, rows = vectors.astype(np.float64), []
    for own in range(len(wide)):
        others = np.arange(len(wide)) != own
        mean, indicators = wide[others].mean(axis=0), np.eye(3)[labels[others]]
        centred = wide[others] - mean
        # The constant is free: with centred vectors it is the share of each label.
        scatter = centred.T @ centred + penalty * np.eye(wide.shape[1])
        weights = np.linalg.solve(scatter, centred.T @ (indicators - indicators.mean(axis=0)))
        rows.append((wide[own] - mean) @ weights + indicators.mean(axis=0))
    return np.array(rows)


@pytest.mark.parametrize("penalty", [0.1, 1.0, 10.0])
def test_leaving_one_out_is_what_fitting_to_all_others_gives(penalty: float) -> None:
    vectors, labels = directions(COUNTS, spread=0.4), np.repeat([0, 1, 2], COUNTS)
    moments = Moments(8, 3)
    for part in (slice(0, 15), slice(15, 40)):
        moments.add(vectors[part], labels[part])
    classifier = RidgeClassifier.fit(moments)
    expected = refitted_scores(vectors, labels, penalty)
    assert classifier.scores(vectors, labels, penalty) == pytest.approx(expected, abs=1e-5)
    own = expected[np.arange(40), labels]
    assert classifier.own_scores(vectors, labels, penalty) == pytest.approx(own, abs=1e-5)


def test_exchanged_labels_are_found_with_the_right_ones_and_nothing_else(shop: Shop) -> None:
    wrong = {3: "book", 25: "mug", 39: "shoe"}
    collection = drawn_collection(shop, directions(COUNTS), metadata(exchanged(wrong)))
    report = collection.mislabelled()
    found = {suspect.item.key: (suspect.label, suspect.suggested) for suspect in report.suspects}
    assert found == {"003": ("book", "mug"), "025": ("mug", "shoe"), "039": ("shoe", "book")}
    assert (report.total, report.judged, report.label_count, report.place) == (3, 40, 3, "the column label")
    margins = [suspect.margin for suspect in report.suspects]
    assert margins == sorted(margins, reverse=True)
    for suspect in report.suspects:
        assert suspect.confidence == pytest.approx(min(1, (1 + suspect.margin) / 2), abs=1e-3)
    by_key = {suspect.item.key: suspect for suspect in report.suspects}
    assert set(by_key["025"].neighbour_labels) == {"shoe"}
    assert len(collection.mislabelled(top=1).suspects) == 1
    assert collection.mislabelled(top=1).total == 3
    assert collection.mislabelled(margin=2).suspects == ()


def test_right_labels_are_left_alone(shop: Shop) -> None:
    report = drawn_collection(shop, directions(COUNTS), metadata(list(LABELS))).mislabelled()
    assert (report.suspects, report.total, report.judged) == ((), 0, 40)


def test_blocks_and_a_sample_give_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = drawn_collection(shop, directions(COUNTS, spread=0.4), metadata(exchanged({3: "book", 25: "mug"})))
    at_once = collection.mislabelled(margin=0.0)
    monkeypatch.setattr(mislabelled, "_MAX_SCORES", 21)
    assert collection.mislabelled(margin=0.0).suspects == at_once.suspects


def test_labels_come_from_folders_or_from_the_first_place_that_has_some(shop: Shop) -> None:
    keys = [f"{label}/{number}.jpg" for number, label in enumerate(exchanged({3: "book"}))]
    collection = drawn_collection(shop, directions(COUNTS), metadata(["a", "b"] * 20, "other"), keys=keys)
    (suspect,) = collection.mislabelled().suspects
    assert (suspect.item.key, suspect.suggested) == ("book/3.jpg", "mug")
    assert collection.mislabelled(labels_from_folders=True).place == "folder names"
    assert collection.mislabelled("other").place == "the column other"


def test_rare_labels_and_items_without_one_are_not_judged_but_counted(shop: Shop) -> None:
    labels: list[str | None] = [None, "pen", "pen", *LABELS[3:]]
    report = drawn_collection(shop, directions(COUNTS), metadata(labels)).mislabelled()
    assert (report.judged, report.rare, report.unlabelled, report.rare_labels) == (37, 2, 1, ("pen",))
    assert report.suspects == ()


def test_a_filter_leaves_other_items_out(shop: Shop) -> None:
    rows = [row | {"shop": number % 2} for number, row in enumerate(metadata(exchanged({3: "book", 25: "mug"})))]
    collection = drawn_collection(shop, directions(COUNTS), rows)
    report = collection.mislabelled(where="shop = 1")
    assert report.judged == 20
    assert {suspect.item.key for suspect in report.suspects} == {"003", "025"}


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([{}] * 40, {}, r"the 40 items of 'shop' that are examined have no labels: no column label or product_id"),
        ([{"a": "x"}] * 40, {"label": "b"}, r"have no value in the column 'b' to take as label \(there are: a\)"),
        ([{}] * 40, {"labels_from_folders": True}, "lie in no folders whose names could be labels"),
        ([{"label": "mug"}] * 40, {}, r"label: all 40 labelled items have the label 'mug' \(the column label\)"),
        ([{"label": f"l{n}"} for n in range(40)], {}, "of the 40 labels .* none has 3 items or more"),
        ([{"label": "a"}] * 38 + [{"label": "b"}] * 2, {}, "of the 2 labels .* 1 has 3 items or more"),
    ],
)
def test_labels_that_cannot_be_compared_are_told(
    shop: Shop, rows: list[dict[str, str]], options: dict[str, object], words: str
) -> None:
    with pytest.raises(LabelsMissingError, match=words):
        drawn_collection(shop, directions(COUNTS), rows).mislabelled(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": -0.1}, "margin: must be from 0 to 2, got -0.1"),
        ({"margin": float("nan")}, "margin: must be from 0 to 2, got nan"),
        ({"top": 0}, "top: at least 1 item has to be listed, got 0"),
        ({"label": "label", "labels_from_folders": True}, "label: a column and the names of folders exclude"),
        ({"label": "tags"}, "label: the column 'tags' has lists, and a label is one value"),
    ],
)
def test_options_that_cannot_be_are_refused(shop: Shop, options: dict[str, object], words: str) -> None:
    rows = [row | {"tags": ["x"]} for row in metadata(list(LABELS))]
    with pytest.raises(FilterInvalidError, match=words):
        drawn_collection(shop, directions(COUNTS), rows).mislabelled(**options)  # type: ignore[arg-type]


def test_an_empty_collection_has_no_labels(shop: Shop) -> None:
    with pytest.raises(LabelsMissingError, match="the 0 items of 'shop'"):
        drawn_collection(shop, directions((0,))).mislabelled()
