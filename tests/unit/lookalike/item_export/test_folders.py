"""Folders of pictures for other programs: what is in them, and what happens to pictures that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import Collection
from lookalike.errors import OutputExistsError
from lookalike.images import decode, encode_jpeg, encode_png
from lookalike.item_export.columns import ExportColumn
from lookalike.item_export.folders import FiftyOneFolder, ImageFolder
from lookalike.testing import make_picture
from tests.helpers.encoder_files import TINY, write_tiny
from tests.helpers.heic_files import UPRIGHT


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Collection]:
    write_tiny(tmp_path / "tiny.safetensors")
    with Collection.create(tmp_path, "shop", encoder=f"{TINY}:{tmp_path / 'tiny.safetensors'}") as collection:
        collection.upsert("mug", encode_jpeg(make_picture(1), 90), title="A mug", metadata={"price": 3, "image": "x"})
        collection.upsert("shoe/1", encode_png(make_picture(2)), metadata={"price": 2.5, "tags": ["red"]})
        yield collection


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_image_folder_has_a_line_with_all_columns_for_each_picture(shop: Collection, tmp_path: Path) -> None:
    result = shop.export(tmp_path / "out", format="imagefolder", vectors=True)
    rows = lines(tmp_path / "out/train/metadata.jsonl")
    assert result.items == 2
    assert [row["key"] for row in rows] == ["mug", "shoe/1"]
    assert list(rows[0]) == list(rows[1])
    assert (rows[0]["price"], rows[1]["price"], rows[1]["title"], rows[0]["tags"]) == (3.0, 2.5, None, None)
    assert isinstance(rows[0]["price"], float)
    assert rows[0]["image_"] == "x"  # image is the picture, for who loads it
    for row, key in zip(rows, ("mug", "shoe/1"), strict=True):
        file = tmp_path / "out/train" / row["file_name"]
        assert file.read_bytes() == Path(shop.path(shop.item(key))).read_bytes()
        assert np.array_equal(np.array(row["_vector"], np.float32), shop.vector(key))
    assert [Path(row["file_name"]).suffix for row in rows] == [".jpg", ".png"]
    assert json.loads((tmp_path / "out/lookalike.json").read_text())["collection"] == "shop"


def test_fiftyone_finds_samples_with_their_files_and_fields(shop: Collection, tmp_path: Path) -> None:
    shop.export(tmp_path / "out", format="fiftyone", where="price < 3")
    (sample,) = json.loads((tmp_path / "out/samples.json").read_text())["samples"]
    assert (sample["key"], sample["price"], sample["tags"], sample["tags_"]) == ("shoe/1", 2.5, [], ["red"])
    assert (tmp_path / "out" / sample["filepath"]).read_bytes() == encode_png(make_picture(2))
    assert sample["metadata"]["_cls"] == "ImageMetadata"
    assert (sample["metadata"]["width"], sample["width"], sample["metadata"]["height"]) == (96, 96, 72)
    assert not any(name.startswith("_") for name in sample)
    metadata = json.loads((tmp_path / "out/metadata.json").read_text())
    assert "version" not in metadata  # by which the format without a schema is known
    assert (metadata["media_type"], metadata["info"]["columns"]["tags_"]) == ("image", "tags")


def test_names_that_mean_something_else_are_changed_and_stay_different() -> None:
    names = ["image", "image_", "thumb_file_name", "file_names", "price"]
    folder = ImageFolder([ExportColumn(name, lambda _item: None) for name in names])
    assert [column.name for column in folder._columns] == [
        "image__",
        "image_",
        "thumb_file_name_",
        "file_names_",
        "price",
    ]
    names = ["tags", "a b", "a.b", "_x", "1st", "_vector", "vector", "_width", "größe"]
    fields = FiftyOneFolder([ExportColumn(name, lambda _item: None) for name in names])
    assert list(fields.field_names.values()) == [
        "tags_", "a_b", "a_b_", "x", "field_1st", "vector", "vector_", "width", "größe",
    ]  # fmt: skip
    assert fields.vector_name == "vector__"


def test_pictures_are_linked_where_that_is_asked_for(shop: Collection, tmp_path: Path) -> None:
    shop.export(tmp_path / "copied", format="imagefolder")
    shop.export(tmp_path / "linked", format="imagefolder", hard_links=True)
    stored = Path(shop.path(shop.item("mug")))
    assert (tmp_path / "linked/train/0000/00000000.jpg").samefile(stored)
    assert not (tmp_path / "copied/train/0000/00000000.jpg").samefile(stored)


def test_a_picture_of_a_format_that_others_do_not_read_is_written_as_png(shop: Collection, tmp_path: Path) -> None:
    shop.upsert("photo", UPRIGHT)
    result = shop.export(tmp_path / "out", format="imagefolder", hard_links=True)
    assert (result.items, result.converted) == (3, 1)
    written = decode((tmp_path / "out/train/0000/00000002.png").read_bytes(), name="written").pixels
    assert np.array_equal(written, decode(UPRIGHT, name="photo").pixels)


def test_pictures_that_are_gone_or_changed_are_left_out_and_named(shop: Collection, tmp_path: Path) -> None:
    shop.upsert("third", encode_png(make_picture(3)))
    Path(shop.path(shop.item("mug"))).unlink()
    Path(shop.path(shop.item("third"))).write_bytes(encode_png(make_picture(4)))
    result = shop.export(tmp_path / "out", format="fiftyone")
    assert (result.items, result.left_out_count) == (1, 2)
    assert [left_out.key for left_out in result.left_out] == ["mug", "third"]
    assert "has changed since it was indexed" in result.left_out[1].error.message
    assert [path.name for path in (tmp_path / "out/data/0000").iterdir()] == ["00000000.png"]


def test_only_a_folder_that_was_exported_is_replaced(shop: Collection, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("mine")
    with pytest.raises(OutputExistsError, match="was not exported"):
        shop.export(out, format="imagefolder", force=True)
    assert [path.name for path in out.iterdir()] == ["mine"]
    (out / "mine").unlink()
    shop.export(out, format="imagefolder", force=True)
    with pytest.raises(OutputExistsError, match="--force"):
        shop.export(out, format="fiftyone")
    shop.export(out, format="fiftyone", force=True)
    assert sorted(path.name for path in out.iterdir()) == ["data", "lookalike.json", "metadata.json", "samples.json"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
