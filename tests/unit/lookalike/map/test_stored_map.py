"""A map as a file: it comes back as it was written, and one that cannot be used says what to do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lookalike.collection.layout import CollectionLayout
from lookalike.errors import DataPathError, MapNotMadeError, MapUnusableError
from lookalike.map.stored_map import FILE, StoredMap, content_mark, load_map, make_head, store_map

MAP = StoredMap(
    make_head(generation=12, change=3, encoder="e" * 64, fitted=2, seed=9),
    np.array([4, 7, 9], np.int64),
    np.array([1, 2**63, 3], np.uint64),
    np.array([[0, 1], [2.5, -3], [4, 5]], np.float32),
)
COMMAND = "python -m indexer map --collection shop"


@pytest.fixture
def shop_layout(tmp_path: Path) -> CollectionLayout:
    """The folder of a collection that has no map yet."""
    layout = CollectionLayout.of(tmp_path, "shop")
    layout.create_folders()
    return layout


def test_a_map_comes_back_as_it_was_written(shop_layout: CollectionLayout) -> None:
    store_map(shop_layout.root, MAP)
    loaded = load_map(shop_layout)
    assert loaded.head == MAP.head
    assert loaded.head.created_at.utcoffset() is not None
    for name in ("ids", "contents", "places"):
        written, read = getattr(MAP, name), getattr(loaded, name)
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)
    assert [path.name for path in shop_layout.root.iterdir() if path.is_file()] == [FILE]


def test_a_content_is_known_by_the_beginning_of_its_digest() -> None:
    assert content_mark("00000000000000ff" + "9" * 48) == 255
    assert content_mark("f" * 64) == 2**64 - 1


def test_without_a_map_the_error_says_how_to_make_one(shop_layout: CollectionLayout) -> None:
    with pytest.raises(MapNotMadeError, match=COMMAND):
        load_map(shop_layout)


@pytest.mark.parametrize("content", [b"", b"no map", b"PK\x03\x04 nor this"])
def test_a_damaged_map_is_told(shop_layout: CollectionLayout, content: bytes) -> None:
    (shop_layout.root / FILE).write_bytes(content)
    with pytest.raises(MapUnusableError, match=COMMAND):
        load_map(shop_layout)


def test_a_map_that_was_damaged_in_one_byte_is_told(shop_layout: CollectionLayout) -> None:
    store_map(shop_layout.root, MAP)
    content = bytearray((shop_layout.root / FILE).read_bytes())
    at = content.index(MAP.places.tobytes()) + 3
    content[at] ^= 255
    (shop_layout.root / FILE).write_bytes(bytes(content))
    with pytest.raises(MapUnusableError, match="cannot be read"):
        load_map(shop_layout)


@pytest.mark.parametrize(
    "other",
    [
        {"ids": np.array([4, 7], np.int64)},
        {"places": np.full((3, 2), np.nan, np.float32)},
        {"places": MAP.places.astype(np.float64)},
        {"head": np.frombuffer(msgspec.json.encode({**msgspec.to_builtins(MAP.head), "version": 2}), np.uint8)},
    ],
    ids=["count", "nan", "dtype", "version"],
)
def test_a_map_of_another_form_is_told(shop_layout: CollectionLayout, other: dict[str, Any]) -> None:
    head = np.frombuffer(msgspec.json.encode(MAP.head), np.uint8)
    arrays: dict[str, Any] = {"head": head, "ids": MAP.ids, "contents": MAP.contents, "places": MAP.places} | other
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (shop_layout.root / FILE).write_bytes(buffer.getvalue())
    with pytest.raises(MapUnusableError, match="another version"):
        load_map(shop_layout)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataPathError):
        store_map(tmp_path / "missing", MAP)
