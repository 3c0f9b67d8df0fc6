"""What an export has: the items that searches see, in the types of their columns, all of it or nothing."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lookalike import Collection
from lookalike.collection.lifecycle import fold_changes
from lookalike.errors import (
    DataPathError,
    DiskFullError,
    ExportInvalidError,
    FilterInvalidError,
    OutputExistsError,
    SnapshotDamagedError,
)
from lookalike.images import encode_jpeg, encode_png
from lookalike.item_export import selection
from lookalike.options import Places
from lookalike.testing import make_picture
from lookalike.wiring import INDEX_TYPES, open_catalogue
from tests.helpers.encoder_files import TINY, write_tiny

Table = Literal["jsonl", "csv", "parquet"]
TABLES: tuple[Table, ...] = ("jsonl", "csv", "parquet")
METADATA: dict[str, dict[str, Any]] = {
    "a/1": {"price": 12, "tags": ["red", "blue"], "new": True, "code": "0012", "mixed": 1, "released": "2024-05-31"},
    "b": {"price": 59, "tags": [], "code": "=1+1", "mixed": "one", "width": 3, "weight": 0.00001},
    "c": {"price": 1, "new": False, "weight": 2, "mixed": [True, "x"], "note": 'two\nlines, "quoted"'},
    "d": {},
}


def fold(data: Path) -> None:
    places = Places(data)
    with Collection.open(data, "shop") as collection, closing(open_catalogue(places)) as catalogue:
        fold_changes(collection.layout, catalogue, INDEX_TYPES)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of which ``a/1`` and ``b`` are in the snapshot, and the others live on top of it."""
    folder = tmp_path_factory.mktemp("data")
    write_tiny(folder / "tiny.safetensors")
    columns = {"price": "number", "released": "date", "stock": "list of number"}
    with Collection.create(folder, "shop", encoder=f"{TINY}:{folder / 'tiny.safetensors'}", columns=columns) as shop:
        for number, key in enumerate(["a/1", "b", "gone"]):
            shop.upsert(key, encode_jpeg(make_picture(number), 90), metadata=METADATA.get(key), product_id=f"p{number}")
    fold(folder)
    with Collection.open(folder, "shop") as shop:
        shop.delete("gone")
        shop.upsert("c", encode_png(make_picture(4)), title="Third", metadata=METADATA["c"])
        shop.upsert("d", encode_png(make_picture(5)))
    return folder


@pytest.fixture
def shop(data: Path) -> Iterator[Collection]:
    with Collection.open(data, "shop") as collection:
        yield collection


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "BLOCK", 3)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_json_lines_have_each_value_in_its_type_and_vectors_to_the_last_bit(shop: Collection, tmp_path: Path) -> None:
    result = shop.export(tmp_path / "items.jsonl")
    rows = read_jsonl(tmp_path / "items.jsonl")
    assert (result.items, result.bytes) == (4, (tmp_path / "items.jsonl").stat().st_size)
    assert [row["key"] for row in rows] == ["a/1", "b", "c", "d"]
    for row in rows:
        item = shop.item(row["key"])
        metadata = {name: value for name, value in row.items() if not name.startswith("_")}
        own = {"key", "path", "title", "product_id"}
        assert {name: value for name, value in metadata.items() if name not in own} == METADATA[row["key"]]
        assert np.array_equal(np.array(row["_vector"], np.float32), shop.vector(item))
        assert np.linalg.norm(row["_vector"]) == pytest.approx(1, abs=1e-5)
        draft = item.draft
        assert (row["_width"], row["_height"], row["_byte_size"]) == (96, 72, draft.byte_size)
        assert row["_content_digest"] == hashlib.sha256(Path(shop.path(item)).read_bytes()).hexdigest()
        assert row["path"] == item.location
    assert ("title" in rows[0], rows[2]["title"], rows[0]["product_id"]) == (False, "Third", "p0")


def test_a_parquet_table_has_typed_columns_and_vectors_of_fixed_size(shop: Collection, tmp_path: Path) -> None:
    shop.export(tmp_path / "items.parquet")
    table = pq.read_table(tmp_path / "items.parquet")
    dimension = shop.manifest.dimension
    types = {field.name: field.type for field in table.schema}
    assert types["_vector"] == pa.list_(pa.float32(), dimension)
    assert types["price"] == pa.int64()  # all are whole
    assert types["weight"] == pa.float64()
    assert types["new"] == pa.bool_()
    assert types["tags"] == pa.list_(pa.string())
    assert types["stock"] == pa.list_(pa.float64())  # declared, and without a value
    assert (types["mixed"], types["released"], types["_width"]) == (pa.string(), pa.string(), pa.int64())
    columns = table.to_pydict()
    assert columns["key"] == ["a/1", "b", "c", "d"]
    assert columns["mixed"] == ["1", "one", '[true, "x"]', None]
    assert columns["weight"] == [None, 0.00001, 2.0, None]
    assert columns["tags"] == [["red", "blue"], [], None, None]
    vectors = np.array(columns["_vector"], np.float32)
    assert np.array_equal(vectors, np.stack([shop.vector(key) for key in columns["key"]]))
    origin = json.loads(table.schema.metadata[b"lookalike"])
    assert (origin["collection"], origin["snapshot"], origin["dimension"]) == (
        "shop",
        shop.manifest.generation,
        dimension,
    )
    assert origin["encoder_digest"] == shop.manifest.encoder.digest


def test_csv_has_text_as_it_is_and_no_vectors_unless_they_are_asked_for(shop: Collection, tmp_path: Path) -> None:
    shop.export(tmp_path / "items.csv")
    with (tmp_path / "items.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    assert "_vector" not in rows["b"]
    assert (rows["a/1"]["new"], rows["a/1"]["tags"], rows["a/1"]["code"]) == ("true", '["red", "blue"]', "0012")
    assert (rows["b"]["weight"], rows["b"]["code"], rows["b"]["width"]) == ("0.00001", "=1+1", "3")
    assert (rows["c"]["note"], rows["d"]["price"]) == (METADATA["c"]["note"], "")
    shop.export(tmp_path / "vectors.csv", vectors=True, fields=["title"])
    with (tmp_path / "vectors.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert list(first) == ["key", "title", "_vector"]
    assert np.array_equal(np.array(json.loads(first["_vector"]), np.float32), shop.vector("a/1"))


@pytest.mark.parametrize("kind", TABLES)
def test_a_filter_and_fields_choose_what_is_written(shop: Collection, tmp_path: Path, kind: Table) -> None:
    out = tmp_path / "chosen"
    fields = ["price", "metadata.width", "width", "path"]
    shop.export(out, format=kind, where="price > 11", fields=fields, vectors=False)
    if kind == "jsonl":
        rows = read_jsonl(out)
    elif kind == "csv":
        with out.open(newline="") as file:
            rows = [{name: text for name, text in row.items() if text} for row in csv.DictReader(file)]
    else:
        rows = [{n: v for n, v in row.items() if v is not None} for row in pq.read_table(out).to_pylist()]
    assert [(row["key"], str(row["price"])) for row in rows] == [("a/1", "12"), ("b", "59")]
    assert set(rows[0]) == {"key", "path", "price", "_width"}
    assert set(rows[1]) == {"key", "path", "price", "_width", "width"}
    assert (str(rows[1]["width"]), str(rows[1]["_width"])) == ("3", "96")


def test_a_column_that_a_manifest_reads_otherwise_has_a_name_of_its_own(data: Path, tmp_path: Path) -> None:
    encoder = f"{TINY}:{data / 'tiny.safetensors'}"
    with Collection.create(tmp_path, "odd", encoder=encoder) as odd:
        odd.upsert("a", encode_png(make_picture(1)), metadata={"Path": "x", "_vector": 1, "metadata.key": 2, "ok": 3})
        odd.export(tmp_path / "odd.jsonl")
    (row,) = read_jsonl(tmp_path / "odd.jsonl")
    assert row["path"].startswith("stored:")
    assert (row["metadata.Path"], row["metadata._vector"], row["metadata.metadata.key"], row["ok"]) == ("x", 1, 2, 3)


def test_items_are_given_one_by_one(shop: Collection) -> None:
    assert [item.key for item in shop.items()] == ["a/1", "b", "c", "d"]
    assert [item.key for item in shop.items(where="price < 13")] == ["a/1", "c"]


@pytest.mark.parametrize("kind", TABLES)
def test_nothing_is_replaced_unasked_and_nothing_is_left_of_what_failed(
    shop: Collection, tmp_path: Path, kind: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "items"
    out.write_text("mine")
    with pytest.raises(OutputExistsError, match="--force"):
        shop.export(out, format=kind)

    def fail(_self: object, _positions: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(type(shop.searcher), "vectors_at", fail)
        with pytest.raises(DiskFullError, match="no room is left"):
            shop.export(out, format=kind, force=True, vectors=True)
    assert out.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["items"]
    shop.export(out, format=kind, force=True)
    assert out.stat().st_size > 100
    with pytest.raises(DataPathError):
        shop.export(tmp_path / "none" / "items", format=kind)


def test_what_cannot_be_exported_is_refused_by_name(shop: Collection, tmp_path: Path) -> None:
    for problem, arguments in (
        ("ends in none of", {"out": tmp_path / "items.xlsx"}),
        ("no format of exports", {"out": tmp_path / "items", "format": "xml"}),
        ("hard links", {"out": tmp_path / "items.csv", "hard_links": True}),
    ):
        with pytest.raises(ExportInvalidError, match=problem):
            shop.export(**arguments)
    with pytest.raises(FilterInvalidError, match="did you mean 'price'"):
        shop.export(tmp_path / "items.csv", fields=["prise"])
    with pytest.raises(FilterInvalidError, match="created_at cannot be exported"):
        shop.export(tmp_path / "items.csv", fields=["created_at"])
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_gone_fail_the_export(data: Path, tmp_path: Path) -> None:
    with Collection.open(data, "shop") as shop:
        chosen = shop.searcher.visible_items
        object.__setattr__(shop.searcher, "visible_items", type(chosen)(chosen._database, 99, 1))
        with pytest.raises(SnapshotDamagedError, match="lacks"):
            shop.export(tmp_path / "items.csv")
    assert list(tmp_path.iterdir()) == []
