"""What the search for duplicates remembers, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.duplicate_store import DuplicateStore, digest_pair
from lookalike.catalogue.records import CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.options import EncoderRequest


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def collection_ids(database: Database) -> list[int]:
    catalogue = Catalogue(database)
    settings = CollectionSettings("exact", 2, 1000, 2000)
    return [
        catalogue.start_run(name, SourceRecord("folder", "/p"), EncoderRequest("bundled"), settings).id
        for name in ("hats", "shoes")
    ]


def test_marks_are_remembered_by_content_and_version(database: Database) -> None:
    store = DuplicateStore(database)
    store.store_marks({"a": b"1", "b": b"2"}, version=1)
    store.store_marks({"b": b"3", "c": b"4"}, version=2)
    assert store.marks(["a", "b", "c", "d"], 1) == {"a": b"1"}
    assert store.marks(["a", "b", "c", "d"], 2) == {"b": b"3", "c": b"4"}


def test_marks_of_files_that_no_collection_has_are_dropped(database: Database, collection_ids: list[int]) -> None:
    store, catalogue = DuplicateStore(database), Catalogue(database)
    item = NewItem(ItemDraft("k", "k", "a" * 64, 1, 1, 1, "PNG"), np.ones(4, np.float32))
    catalogue.store(catalogue.collection("hats"), 1, "e" * 64, [item])
    store.store_marks({"a" * 64: b"1", "b" * 64: b"2"}, version=1)
    store.drop_unused_marks()
    assert store.marks(["a" * 64, "b" * 64], 1) == {"a" * 64: b"1"}


def test_a_decision_holds_for_its_collection_until_it_is_withdrawn(
    database: Database, collection_ids: list[int]
) -> None:
    store = DuplicateStore(database)
    hats, shoes = collection_ids
    pairs = [digest_pair("b", "a"), digest_pair("c", "c")]
    assert store.add_not_duplicates(hats, pairs) == 2
    assert store.add_not_duplicates(hats, [("a", "b"), ("a", "c")]) == 1
    assert store.not_duplicates(hats) == {("a", "b"), ("a", "c"), ("c", "c")}
    assert store.not_duplicates(shoes) == frozenset()
    assert store.remove_not_duplicates(hats, [("a", "b"), ("x", "y")]) == 1
    assert store.not_duplicates(hats) == {("a", "c"), ("c", "c")}
