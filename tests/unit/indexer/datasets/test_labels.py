"""Labels of pictures, and samples that are fair to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from indexer.datasets.labels import read_labelled, spread_sample
from lookalike.errors import ManifestError
from lookalike.sources.base import Entry, Value
from lookalike.sources.labels import Labels, choose_labels, folder_labels
from lookalike.sources.open_source import open_source


@pytest.mark.parametrize(
    ("key", "product", "metadata", "column", "label"),
    [
        ("cats/1.jpg", None, {}, None, "cats"),
        ("imagenette/val/n0123/x.jpg", None, {}, None, "n0123"),
        ("1.jpg", None, {}, None, None),
        ("cats/1.jpg", "p-1", {}, None, "p-1"),
        ("cats/1.jpg", "p-1", {"label": "tabby"}, None, "tabby"),
        ("cats/1.jpg", "p-1", {"label": None}, None, "p-1"),
        ("cats/1.jpg", "p-1", {"label": 0}, None, "0"),
        ("cats/1.jpg", "p-1", {"label": "tabby", "colour": "red"}, "colour", "red"),
        ("cats/1.jpg", "p-1", {"label": "tabby", "colour": None}, "colour", None),
        ("cats/1.jpg", "p-1", {"label": "tabby"}, "product_id", "p-1"),
    ],
)
def test_label_is_taken_from_the_first_place_that_has_one(
    key: str, product: str | None, metadata: dict[str, Value], column: str | None, label: str | None
) -> None:
    entry = Entry(key, key, product_id=product, metadata=metadata)
    assert choose_labels([entry], column).values == (label,)


def entries(*rows: tuple[str, str | None, str | None]) -> list[Entry]:
    return [Entry(key, key, product_id=product, metadata={"label": label}) for key, product, label in rows]


def test_labels_of_several_kinds_are_never_mixed() -> None:
    some = entries(("cats/1.jpg", "p-1", "tabby"), ("dogs/2.jpg", "p-2", None))
    assert choose_labels(some) == Labels("the column label", ("tabby", None))
    products = entries(("cats/1.jpg", "p-1", None), ("dogs/2.jpg", None, None))
    assert choose_labels(products) == Labels("the column product_id", ("p-1", None))
    assert folder_labels(products) == Labels("folder names", ("cats", "dogs"))


def test_folder_names_are_no_labels_where_they_may_not_be() -> None:
    plain = entries(("cats/1.jpg", None, None), ("dogs/2.jpg", None, None))
    assert choose_labels(plain).place == "folder names"
    assert choose_labels(plain, folders=False) == Labels(None, (None, None))


def test_labels_are_named_with_where_they_come_from() -> None:
    rows = entries(*((f"kind {number % 5}/{number}.jpg", None, None) for number in range(9)), ("x.jpg", None, None))
    labels = choose_labels(rows)
    assert labels.summary == "labels: folder names, 5 of them: kind 0, kind 1, kind 2, ... (9 of 10 pictures)"
    assert labels.fields() == {"from": "folder names", "count": 5, "pictures": 9}
    assert choose_labels(rows, folders=False).summary == "labels: none for 10 pictures"
    long = choose_labels(entries(("a" * 60 + "/1.jpg", None, None), ("b\n/2.jpg", None, None)))
    assert long.summary == f"labels: folder names, 2 of them: {'a' * 40}..., b\\n (2 of 2 pictures)"


def manifest(folder: Path, rows: list[str]) -> Path:
    path = folder / "list.csv"
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    path.write_text("\n".join(["path,label,colour", *rows]) + "\n")
    return path


def test_labels_stand_beside_their_entries_and_refusals_are_kept(tmp_path: Path) -> None:
    source = open_source(manifest(tmp_path, ["a.jpg,cat,red", "b.jpg,dog,", "../c.jpg,cat,red"]))
    found = read_labelled(source)
    assert [entry.key for entry in found.entries] == ["a.jpg", "b.jpg"]
    assert found.labels == Labels("the column label", ("cat", "dog"))
    assert found.rejections == (("../c.jpg", "entry-outside"),)
    assert read_labelled(source, "colour").labels == Labels("the column colour", ("red", None))


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    source = open_source(manifest(tmp_path, ["a.jpg,cat,red"]))
    with pytest.raises(ManifestError, match=r"no column 'kind' .* there are: colour, label"):
        read_labelled(source, "kind")


def test_a_sample_keeps_each_label_in_its_share_and_the_order(tmp_path: Path) -> None:
    labels: list[str | None] = [*["many"] * 80, *["some"] * 16, *["few"] * 4]
    kept = spread_sample(labels, 50)
    assert kept == sorted(set(kept))
    assert Counter(labels[row] for row in kept) == {"many": 40, "some": 8, "few": 2}
    assert spread_sample(labels, 50) == kept


def test_a_rare_label_keeps_two_pictures_so_that_one_can_find_the_other() -> None:
    labels: list[str | None] = [*["many"] * 96, *["rare"] * 4]
    assert Counter(labels[row] for row in spread_sample(labels, 10)) == {"many": 8, "rare": 2}


def test_a_sample_too_small_for_all_labels_keeps_whole_pairs_of_some() -> None:
    labels: list[str | None] = [str(row // 5) for row in range(100)]
    counts = Counter(labels[row] for row in spread_sample(labels, 10))
    assert list(counts.values()) == [2] * 5


def test_a_small_sample_of_strangers_has_a_picture_of_each_label_before_a_second_of_any() -> None:
    labels = [label for label in "abcdefgh" for _ in range(4)]
    sample = spread_sample(labels, 8, 1)
    assert sorted(labels[row] for row in sample) == list("abcdefgh")


def test_a_limit_above_the_number_of_pictures_changes_nothing(tmp_path: Path) -> None:
    source = open_source(manifest(tmp_path, ["a.jpg,cat,red", "b.jpg,dog,red"]))
    assert read_labelled(source, limit=5) == read_labelled(source)
