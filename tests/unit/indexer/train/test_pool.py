"""The pool is read as its manifest says, decoded once, and some of its classes are kept out of training."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.train.pool import (
    HELD_OUT_PER_SOURCE,
    Row,
    decode_pool,
    held_out_classes,
    make_pool,
    read_manifest,
    read_rgb,
)
from lookalike.errors import ManifestError, SourceNotFoundError


def many(source: str, classes: int, each: int) -> list[Row]:
    return [
        Row("a.zip", f"{source}/{name}/{number}.jpg", source, f"class{name}")
        for name in range(classes)
        for number in range(each)
    ]


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


def write_pool(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("one.png", encoded(Image.new("RGB", (9, 5), (10, 20, 30))))
        archive.writestr("two.png", encoded(Image.new("L", (5, 9), 200)))
    (folder / "manifest.csv").write_text(
        "zip,path,source,label\na.zip,one.png,grocery,Apple\na.zip,two.png,grocery,Pear\n", encoding="utf-8"
    )


def test_classes_left_out_are_the_same_whatever_the_order() -> None:
    rows = many("caltech101", 30, 25) + many("grocery", 20, 22)
    chosen = held_out_classes(rows)
    assert chosen == held_out_classes(list(reversed(rows)))
    counts = {source: sum(kind[0] == source for kind in chosen) for source in ("caltech101", "grocery")}
    assert counts == {source: HELD_OUT_PER_SOURCE[source] for source in counts}


def test_small_large_and_nameless_classes_are_never_left_out() -> None:
    remainder = [Row("a.zip", f"{n}.jpg", "caltech101", "BACKGROUND_Google") for n in range(50)]
    rows = many("caltech101", 3, 5) + many("clothing", 2, 300) + remainder
    assert held_out_classes(rows) == frozenset()


def test_training_sees_no_picture_of_a_class_left_out() -> None:
    rows = tuple(many("caltech101", 10, 25))
    pool = make_pool(rows)
    chosen = held_out_classes(rows)
    assert {rows[place].kind for place in pool.trainable}.isdisjoint(chosen)
    assert pool.held_out.sum() == 25 * len(chosen)
    assert (pool.classes[pool.held_out] == -1).all()
    assert sorted(set(pool.classes[pool.trainable])) == list(range(10 - len(chosen)))


def test_remainders_and_single_pictures_have_no_class() -> None:
    rows = (
        Row("a.zip", "1", "clothing", "other"),
        Row("a.zip", "2", "imagenet_sample1000", "n1"),
        Row("a.zip", "3", "trashnet", "glass"),
        Row("a.zip", "4", "grocery", ""),
    )
    pool = make_pool(rows)
    assert pool.classes.tolist() == [-1, -1, 0, -1]
    assert pool.class_sources.tolist() == [pool.sources[2]]


def test_pool_is_decoded_once_and_read_back(tmp_path: Path) -> None:
    write_pool(tmp_path)
    rows = read_manifest(tmp_path)
    cache = tmp_path / "work" / "pool-8.npy"
    pixels = decode_pool(tmp_path, rows, 8, cache)
    assert pixels.shape == (2, 8, 8, 3)
    assert pixels[0, 3, 3].tolist() == [10, 20, 30]
    assert pixels[1, 3, 3].tolist() == [200, 200, 200]
    (tmp_path / "a.zip").unlink()
    assert np.array_equal(decode_pool(tmp_path, rows, 8, cache), pixels)
    assert [entry.name for entry in cache.parent.iterdir()] == ["pool-8.npy"]


def test_missing_archive_is_named(tmp_path: Path) -> None:
    write_pool(tmp_path)
    (tmp_path / "a.zip").unlink()
    with pytest.raises(SourceNotFoundError, match=r"a\.zip"):
        decode_pool(tmp_path, read_manifest(tmp_path), 8, tmp_path / "pool.npy")


def test_missing_pool_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="--data"):
        read_manifest(tmp_path)


def test_manifest_without_a_column_names_it(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("zip,path,source\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="label"):
        read_manifest(tmp_path)


def test_transparent_picture_lies_on_white() -> None:
    data = encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))
    assert np.asarray(read_rgb(data)).min() == 255


def test_sideways_picture_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.new("RGB", (20, 10)).save(stream, "JPEG", exif=exif)
    assert read_rgb(stream.getvalue()).size == (10, 20)
