"""Measures of quality, on rankings small enough to work out by hand."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.train.pool import make_pool, read_manifest
from indexer.train.quality import (
    HELD_OUT,
    LABELLED_SETS,
    NEAR_DUPLICATES,
    SAMPLE,
    Pictures,
    Places,
    TestSet,
    all_sets,
    colour_histogram,
    copy_recall,
    cosine_spread,
    measure,
    merge_identical_originals,
    quality_table,
    read_set,
)
from lookalike.errors import SourceNotFoundError


def at_degrees(*angles: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Unit vectors in the plane: of two, the nearer angle is the more similar."""
    return np.array([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in angles], dtype=np.float32)


def test_copies_ask_for_their_original_among_originals_and_strangers() -> None:
    groups = ["one", "one", "one", "two", "two", "alone", "none"]
    kinds = ["orig", "blur", "crop", "orig", "blur", "distractor", "blur"]
    # The crop at 31 lies nearer to the stranger at 40; the blur of "two" lies at its original; "none" has no original.
    vectors = at_degrees(0, 3, 31, 90, 92, 40, 1)
    assert copy_recall(vectors, groups, kinds) == {
        "overall": pytest.approx(2 / 3),
        "copies": 3.0,
        "blur": 1.0,
        "crop": 0.0,
    }


def test_groups_made_of_the_same_picture_are_one() -> None:
    pixels = np.array([5, 7, 5, 8, 6], dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)
    kinds = ("orig", "blur", "original", "blur", "orig")
    joined = merge_identical_originals(TestSet(pixels, ("a", "a", "b", "b", "c"), kinds))
    assert joined.names == ("a", "a", "a", "a", "c")


def test_histogram_compares_colour_alone() -> None:
    red, blue = [255, 0, 0], [0, 0, 255]
    pixels = np.array([[[red, red], [blue, blue]], [[blue, red], [red, blue]], [[red] * 2] * 2], dtype=np.uint8)
    histograms = colour_histogram(pixels)
    assert histograms.shape == (3, 512)
    # The same colours elsewhere are the same; half red against all red is sqrt(1/2).
    assert histograms @ histograms[0] == pytest.approx([1.0, 1.0, math.sqrt(0.5)])


def test_spread_leaves_out_pictures_of_one_name() -> None:
    spread = cosine_spread(at_degrees(0, 0, 90), ["a", "a", "b"])
    assert spread["mean"] == pytest.approx(0.0, abs=1e-6)


def write_set(folder: Path, *columns: str, table: str = "labels.csv") -> None:
    """Two pictures, and the table that lists them: one is warm in every column, the other cold."""
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 4), (255, 0, 0)).save(folder / "red.png")
    Image.new("RGB", (4, 8), (0, 0, 255)).save(folder / "blue.png")
    rows = [["path", *columns], ["red.png", *["warm"] * len(columns)], ["blue.png", *["cold"] * len(columns)]]
    (folder / table).write_text("".join(",".join(row) + "\n" for row in rows))


def test_set_is_read_squashed_in_the_order_of_its_list(tmp_path: Path) -> None:
    write_set(tmp_path / "set", "label")
    found = read_set(tmp_path / "set", 6)
    assert found.names == ("warm", "cold")
    assert [picture.shape for picture in found.pixels] == [(6, 6, 3)] * 2
    assert found.pixels[0][0, 0].tolist() == [255, 0, 0]


def test_set_without_a_size_keeps_its_pictures_as_they_are(tmp_path: Path) -> None:
    write_set(tmp_path / "set", "label")
    assert [picture.shape for picture in read_set(tmp_path / "set", None).pixels] == [(4, 8, 3), (8, 4, 3)]


def test_file_that_is_no_picture_is_counted(tmp_path: Path) -> None:
    write_set(tmp_path / "set", "label")
    (tmp_path / "set" / "red.png").write_bytes(b"no picture")
    found = read_set(tmp_path / "set", 6)
    assert found.names == ("cold",)
    assert found.unreadable == 1


def test_missing_set_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="--data"):
        read_set(tmp_path / "nowhere", 6)


def test_mean_is_over_the_labelled_sets_alone() -> None:
    def angle_of(pictures: Pictures) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return at_degrees(*(float(picture[0, 0, 0]) for picture in pictures))

    def known(angles: list[int], names: str, kinds: tuple[str, ...] = ()) -> TestSet:
        pixels = np.array(angles, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)
        return TestSet(pixels, tuple(names), kinds)

    figures = measure(
        angle_of,
        [
            ("clothing_test", known([0, 1, 90, 91], "aabb")),
            ("trashnet_eval", known([0, 90, 1, 91], "aabb")),
            (NEAR_DUPLICATES, known([0, 1], "aa", ("orig", "blur"))),
        ],
    )
    assert figures["clothing_test"]["recall_at_1"] == 1.0
    assert figures["trashnet_eval"]["recall_at_1"] == 0.0
    assert figures["mean_of_labelled"]["recall_at_1"] == 0.5
    assert figures[NEAR_DUPLICATES]["blur"] == 1.0


def test_every_set_is_read_and_the_drawn_sample_by_its_products(tmp_path: Path) -> None:
    data, sample = tmp_path / "data", tmp_path / "sample"
    for name in LABELLED_SETS:
        write_set(data / name, "label")
    write_set(data / NEAR_DUPLICATES, "group", "transform")
    write_set(sample, "product_id", "category", table="truth.csv")
    write_held_out_class(data / "pool")
    pool = make_pool(read_manifest(data / "pool"))
    known = dict(all_sets(Places(data, sample), pool, 6))
    assert list(known) == [*LABELLED_SETS, HELD_OUT, SAMPLE, NEAR_DUPLICATES]
    assert known[SAMPLE].names == ("warm", "cold")
    assert known[HELD_OUT].names == ("grocery/Apple",) * 20
    assert known[NEAR_DUPLICATES].kinds == ("warm", "cold")
    assert all(pixels.shape == (6, 6, 3) for test_set in known.values() for pixels in test_set.pixels)


def write_held_out_class(folder: Path) -> None:
    """A pool of one class, as large as those that are left out of training."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        stream = io.BytesIO()
        Image.new("RGB", (5, 5)).save(stream, "PNG")
        for number in range(20):
            archive.writestr(f"{number}.png", stream.getvalue())
    rows = "".join(f"a.zip,{number}.png,grocery,Apple\n" for number in range(20))
    (folder / "manifest.csv").write_text(f"zip,path,source,label\n{rows}", encoding="utf-8")


def test_the_table_has_a_row_a_set_and_a_column_an_encoder() -> None:
    figures = {"recall_at_1": 0.5, "mean_average_precision": 0.25}
    report = {
        encoder: dict.fromkeys((*LABELLED_SETS, "mean_of_labelled", HELD_OUT, SAMPLE), figures)
        | {NEAR_DUPLICATES: {"overall": share, "copies": 8.0, "blur": share, "unreadable": 1.0}}
        for encoder, share in (("bundled", 0.75), ("efficientnet_lite2, untrained", 1.0))
    }
    lines = quality_table(report).splitlines()
    assert [line.split()[0] for line in lines[1:9]] == [*LABELLED_SETS, "mean_of_labelled", HELD_OUT, SAMPLE]
    assert "bundled" in lines[0]
    assert lines[0].endswith("efficientnet_lite2, untrained")
    assert all(line.count("0.500 / 0.250") == 2 for line in lines[1:9])
    assert [line.split() for line in lines[10:]] == [["overall", "0.750", "1.000"], ["blur", "0.750", "1.000"]]
