"""A collection that is made and changed with the Python API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lookalike import Collection
from lookalike.collection.lifecycle import delete_collection, fold_changes, purge_collection, restore_collection
from lookalike.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    CollectionPinnedError,
    ColumnConflictError,
    ImageEmptyError,
    ItemNotFoundError,
    MetadataInvalidError,
)
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from lookalike.wiring import INDEX_TYPES, open_catalogue

MUG, SHOE = make_picture(1), make_picture(2)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Collection]:
    with Collection.create(tmp_path, "shop") as collection:
        yield collection


def test_what_is_put_is_found_at_once_by_whoever_has_it_open(shop: Collection, tmp_path: Path) -> None:
    with Collection.open(tmp_path, "shop") as other:
        shop.upsert("mug", MUG, title="A mug", metadata={"price": 12, "tags": ["red"]})
        shop.upsert("shoe", encode_png(SHOE), product_id="p-2", metadata={"price": 70})
        (hit,) = shop.search(MUG, k=1)
        assert (hit.key, hit.title, round(hit.score, 3)) == ("mug", "A mug", 1.0)
        assert [found.key for found in shop.search(MUG, where="price > 50")] == ["shoe"]
        assert len(other) == 0
        seen = other.with_live_changes()
        assert (len(seen), seen.item("shoe").product_id) == (2, "p-2")
        assert np.array_equal(seen.vector("mug"), shop.vector("mug"))
    with Collection.open(tmp_path, "shop") as later:
        assert [item.key for item in later.items()] == ["mug", "shoe"]
        assert later.count("tags contains red") == 1
        assert {column.name: column.count for column in later.columns()} == {"price": 2, "tags": 1}


def test_a_part_of_an_item_is_replaced_and_the_item_removed(shop: Collection) -> None:
    shop.upsert("a", MUG, title="First", metadata={"price": 1})
    assert dict(shop.upsert("a", metadata={"stock": True}).metadata) == {"stock": True}
    assert shop.upsert("a", SHOE).title == "First"
    assert round(shop.search(SHOE, k=1)[0].score, 3) == 1.0
    shop.delete("a")
    assert shop.search(SHOE) == []
    for wrong in (lambda: shop.delete("a"), lambda: shop.upsert("a", title="no picture")):
        with pytest.raises(ItemNotFoundError):
            wrong()
    with pytest.raises(ImageEmptyError):
        shop.upsert("a", b"")
    with pytest.raises(ValueError, match="price"):
        shop.upsert("a", MUG, metadata={"price": {"amount": 1}})  # type: ignore[dict-item]
    assert len(shop) == 0


COMPOSED, COMBINING = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize("first", [COMPOSED, COMBINING])
@pytest.mark.parametrize("folded", [0, 1, 2])
def test_an_item_of_exactly_a_key_goes_before_one_of_its_other_unicode_form(
    shop: Collection, tmp_path: Path, first: str, folded: int
) -> None:
    second = COMPOSED if first == COMBINING else COMBINING
    pictures = {first: MUG, second: SHOE}

    def fold() -> None:
        with closing(open_catalogue(Places(tmp_path))) as catalogue:
            fold_changes(shop.layout, catalogue, INDEX_TYPES)

    for number, (key, picture) in enumerate(pictures.items(), start=1):
        shop.upsert(key, picture, title=key)
        if number == folded:
            fold()
    with Collection.open(tmp_path, "shop", encoder=shop.encoder) as opened:
        assert {key: opened.item(key).title for key in pictures} == {key: key for key in pictures}
        for key, other in ((first, second), (second, first)):
            assert [hit.key for hit in opened.similar(key)] == [other]
            assert [hit.key for hit in opened.search(MUG, exclude_keys=[key])] == [other]
            assert [hit.key for hit in opened.search(MUG, like_keys=[key])] == [other]
            assert [hit.key for hit in opened.search(MUG, unlike_keys=[key])] == [other]
            opened.upsert(key, metadata={"name": ascii(key)})
        assert {key: opened.item(key).metadata["name"] for key in pictures} == {key: ascii(key) for key in pictures}
        opened.delete(first)
        assert {opened.item(key).key for key in pictures} == {second}, "of the same letters, where there is no other"
        with pytest.raises(ItemNotFoundError):
            opened.delete(first)
        opened.delete(second)
        with pytest.raises(ItemNotFoundError):
            opened.item(first)


def test_a_declared_column_takes_values_of_its_type_alone(tmp_path: Path) -> None:
    with Collection.create(tmp_path, "shop", columns={"price": "number", "since": "date"}, keep=5) as shop:
        assert shop.settings.keep == 5
        assert [(column.name, column.count, column.is_declared) for column in shop.columns()] == [
            ("price", 0, True),
            ("since", 0, True),
        ]
        assert shop.count("price < 60") == 0
        shop.upsert("a", MUG, metadata={"price": 12, "since": "2024-05-31", "colour": "red"})
        with pytest.raises(MetadataInvalidError, match=r"'b'.*'price'.*number.*'12', which is text"):
            shop.upsert("b", SHOE, metadata={"price": "12"})
        with pytest.raises(MetadataInvalidError, match=r"'a'.*'since'.*date"):
            shop.upsert("a", metadata={"since": "31.05.2024"})
        assert dict(shop.item("a").metadata) == {"price": 12, "since": "2024-05-31", "colour": "red"}
        assert len(shop) == 1


def test_columns_are_declared_later_unless_items_say_otherwise(shop: Collection) -> None:
    shop.upsert("a", MUG, metadata={"price": "cheap", "stock": 5})
    with pytest.raises(ColumnConflictError, match=r"'price'.*1 item has.*'a' with 'cheap'"):
        shop.configure(columns={"stock": "number", "price": "number"}, keep=4)
    assert (shop.settings.keep, [column.is_declared for column in shop.columns()]) == (3, [False, False])
    shop.configure(columns={"stock": "number"}, keep=4)
    assert (shop.settings.keep, [column.is_declared for column in shop.columns()]) == (4, [False, True])
    shop.configure(columns={"stock": None})
    shop.upsert("a", metadata={"stock": "many"})
    for wrong in ({"columns": {"price": "nummer"}}, {"columns": {"": "text"}}, {"keep": 1}, {"keep": 1001}):
        with pytest.raises(ValueError, match=r"there are: text|cannot name|from 2 to 1000"):
            shop.configure(**wrong)


def test_changes_are_folded_into_a_snapshot_and_stay(shop: Collection, tmp_path: Path) -> None:
    shop.upsert("a", MUG)
    shop.upsert("b", SHOE)
    shop.delete("b")
    catalogue = open_catalogue(Places(tmp_path))
    manifest = fold_changes(shop.layout, catalogue, INDEX_TYPES)
    assert (manifest.generation, manifest.count) == (2, 1)
    assert fold_changes(shop.layout, catalogue, INDEX_TYPES).generation == 2
    catalogue.close()
    with Collection.open(tmp_path, "shop") as folded:
        assert folded.searcher.overlay.is_empty
        assert folded.search(MUG, k=1)[0].key == "a"
        folded.layout.point_to(1, pinned=True)
        with pytest.raises(CollectionPinnedError):
            folded.upsert("c", SHOE)


def test_a_picture_that_comes_after_a_collection_was_deleted_does_not_prevent_that_it_is_restored(
    shop: Collection, tmp_path: Path
) -> None:
    shop.upsert("a", MUG)
    with closing(open_catalogue(Places(tmp_path))) as catalogue:
        delete_collection(shop.layout, catalogue)
        with pytest.raises(CollectionNotFoundError, match="deleted meanwhile"):
            shop.upsert("b", SHOE)
        restore_collection(shop.layout, catalogue)
    with Collection.open(tmp_path, "shop") as restored:
        assert restored.search(MUG, k=2)[0].key == "a"


def test_a_deleted_collection_comes_back_until_it_is_purged(shop: Collection, tmp_path: Path) -> None:
    shop.upsert("a", MUG)
    catalogue = open_catalogue(Places(tmp_path))
    with pytest.raises(CollectionExistsError):
        Collection.create(tmp_path, "shop")
    delete_collection(shop.layout, catalogue)
    with pytest.raises(CollectionNotFoundError):
        Collection.open(tmp_path, "shop")
    restore_collection(shop.layout, catalogue)
    with Collection.open(tmp_path, "shop") as restored:
        assert restored.search(MUG, k=1)[0].key == "a"
    delete_collection(shop.layout, catalogue)
    Collection.create(tmp_path, "shop").close()
    with pytest.raises(CollectionExistsError):
        restore_collection(shop.layout, catalogue)
    assert purge_collection(shop.layout, catalogue) == 1
    delete_collection(shop.layout, catalogue)
    assert purge_collection(shop.layout, catalogue) == 1
    with pytest.raises(CollectionNotFoundError):
        restore_collection(shop.layout, catalogue)
    assert [path.name for path in (tmp_path / "collections").iterdir()] == []
    catalogue.close()
