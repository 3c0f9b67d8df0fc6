"""The life of a collection: taking in, publishing, finding, changing, rolling back, pruning."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.collection.layout import CollectionLayout
from lookalike.errors import (
    CollectionBusyError,
    CollectionNameError,
    CollectionNotReadyError,
    ItemNotFoundError,
    SnapshotNotFoundError,
)
from tests.helpers.shop_collection import Shop, search, vector


@pytest.fixture(params=["faiss-flat", "exact"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_was_taken_in_is_found_with_its_words(shop: Shop, engine: str) -> None:
    manifest = shop.index({"a.jpg": "cat", "b.jpg": "dog", "c.jpg": "hen"}, engine=engine)
    assert (manifest.generation, manifest.count, manifest.engine) == (1, 3, engine)
    (hit,) = shop.find("dog")
    assert (hit.rank, hit.key, hit.title) == (1, "b.jpg", "the dog")
    assert hit.score == pytest.approx(1.0, abs=1e-6)
    assert hit.normalized_score == pytest.approx(1.0, abs=1e-6)


def test_only_what_is_new_or_changed_is_encoded(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    shop.encoded.clear()
    manifest = shop.index({"a": "cat", "b": "cow", "c": "hen"})
    assert shop.encoded == ["b", "c"]
    assert manifest.count == 3
    assert shop.find("cow")[0].key == "b"
    assert shop.find("dog")[0].score < 0.999


def test_nothing_changed_publishes_nothing(shop: Shop) -> None:
    first = shop.index({"a": "cat"})
    again = shop.index({"a": "cat"})
    assert again == first
    assert shop.layout.complete_generations() == [1]


def test_what_is_gone_is_dropped_from_the_new_snapshot_only(shop: Shop) -> None:
    shop.index({"a": "cat", "b": "dog"})
    shop.index({"a": "cat"})
    assert shop.keys() == ["a"]
    assert shop.keys(generation=1) == ["a", "b"]


def test_an_emptied_collection_answers_nothing(shop: Shop) -> None:
    shop.index({"a": "cat"})
    manifest = shop.index({})
    assert (manifest.count, manifest.recall) == (0, None)
    assert shop.find("cat", k=3) == []


def test_k_is_k_until_the_collection_has_no_more(shop: Shop) -> None:
    shop.index({str(n): str(n) for n in range(5)})
    assert [hit.rank for hit in shop.find("3", k=4)] == [1, 2, 3, 4]
    assert len(shop.find("3", k=50)) == 5
    scores = [hit.score for hit in shop.find("3", k=50)]
    assert scores == sorted(scores, reverse=True)


def test_a_minimum_score_and_an_excluded_item_are_respected(shop: Shop) -> None:
    shop.index({str(n): str(n) for n in range(9)})
    searcher = shop.searcher()
    own = searcher.item("3")
    everything = search(searcher, vector("3"), 9)
    limit = everything[4].score
    strong = search(searcher, vector("3"), 9, min_score=limit)
    assert [hit.key for hit in strong] == [hit.key for hit in everything[:5]]
    others = searcher.hits(searcher.neighbours(searcher.vector(own.id)[None], 8, exclude=own.id))[0]
    assert [hit.key for hit in others] == [hit.key for hit in everything if hit.key != "3"]


def test_rolling_back_and_forth(shop: Shop) -> None:
    shop.index({"a": "cat"})
    shop.index({"a": "dog", "b": "hen"})
    shop.layout.point_to(1)
    assert shop.keys() == ["a"]
    assert shop.find("cat")[0].score == pytest.approx(1.0, abs=1e-6)
    assert shop.index({"a": "dog", "b": "hen"}).generation == 2
    assert shop.keys() == ["a", "b"]
    with pytest.raises(SnapshotNotFoundError, match="1, 2"):
        shop.layout.point_to(7)


def test_a_change_after_a_rollback_goes_on_from_the_newest(shop: Shop) -> None:
    shop.index({"a": "cat"})
    shop.index({"a": "cat", "b": "hen"})
    shop.layout.point_to(1)
    shop.encoded.clear()
    assert shop.index({"a": "cat", "b": "hen", "c": "cow"}).generation == 3
    assert shop.encoded == ["c"]
    assert shop.keys() == ["a", "b", "c"]


def test_old_snapshots_are_pruned_with_their_rows(shop: Shop) -> None:
    for generation in range(1, 7):
        shop.index({"a": f"content {generation}"}, keep=2)
    assert shop.layout.complete_generations() == [5, 6]
    record = shop.catalogue.collection("shop")
    assert shop.catalogue.live_count(record.id) == 1
    rows = [next(shop.catalogue.visible_ids(record.id, generation)).tolist() for generation in (4, 5, 6)]
    assert rows == [[], [5], [6]]
    assert shop.find("content 5", generation=5)[0].score == pytest.approx(1.0, abs=1e-6)


def test_two_indexers_do_not_work_on_one_collection(shop: Shop) -> None:
    with shop.run(), pytest.raises(CollectionBusyError, match="shop"), shop.run():
        pass


def test_before_the_first_publish_the_next_command_is_named(shop: Shop) -> None:
    with pytest.raises(CollectionNotReadyError, match="python -m indexer index"):
        shop.layout.current()


def test_an_item_that_is_not_there_is_named(shop: Shop) -> None:
    shop.index({"a": "cat"})
    with pytest.raises(ItemNotFoundError, match="'z'"):
        shop.searcher().item("z")


@pytest.mark.parametrize("name", ["", "Shoes", "../x", "a/b", "-a", "a" * 65, "ü", "a b", "a\n"])
def test_names_that_could_harm_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CollectionNameError):
        CollectionLayout.of(tmp_path, name)
