"""Measures of quality, on rankings small enough to work out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.train.quality import (
    NEAR_DUPLICATES,
    Pictures,
    TestSet,
    colour_histogram,
    copies_found,
    cosine_spread,
    measure,
    one_name_a_picture,
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
    assert copies_found(vectors, groups, kinds) == {
        "overall": pytest.approx(2 / 3),
        "copies": 3.0,
        "blur": 1.0,
        "crop": 0.0,
    }


def test_groups_made_of_the_same_picture_are_one() -> None:
    pixels = np.array([5, 7, 5, 8, 6], dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)
    kinds = ("orig", "blur", "original", "blur", "orig")
    joined = one_name_a_picture(TestSet(pixels, ("a", "a", "b", "b", "c"), kinds))
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


def write_set(folder: Path, second_column: str) -> None:
    folder.mkdir()
    Image.new("RGB", (8, 4), (255, 0, 0)).save(folder / "red.png")
    Image.new("RGB", (4, 8), (0, 0, 255)).save(folder / "blue.png")
    (folder / "labels.csv").write_text(f"path,{second_column}\nred.png,warm\nblue.png,cold\n")


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
