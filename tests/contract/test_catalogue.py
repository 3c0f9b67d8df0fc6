"""The catalogue on both databases: versions of items, generations, pending vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lookalike.catalogue import visible_items
from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.errors import CollectionNotFoundError
from lookalike.options import EncoderRequest, SourceOptions

ENCODER = "e" * 64
SOURCE = SourceRecord("folder", "/pictures")
SETTINGS = CollectionSettings(
    "exact", 2, 1000, 2000, source_options=SourceOptions(("raw/", "*.tmp"), ("a b/",), "cp932")
)


def draft(key: str, content: str = "a", **fields: object) -> ItemDraft:
    base = ItemDraft(key, f"in/{key}", content * 64, 1000, 40, 30, "JPEG")
    return replace(base, **fields)  # type: ignore[arg-type]  # fields come by name from the tests below


def new(key: str, content: str = "a", replaces: int | None = None, **fields: object) -> NewItem:
    vector = np.full(4, ord(content), dtype=np.float32)
    return NewItem(draft(key, content, **fields), vector, replaces)


@pytest.fixture
def catalogue(database_url: str) -> Iterator[Catalogue]:
    opened = Catalogue(Database.open(database_url))
    yield opened
    opened.close()


@pytest.fixture
def shoes(catalogue: Catalogue) -> CollectionRecord:
    return catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)


def visible(catalogue: Catalogue, record: CollectionRecord, generation: int) -> list[str]:
    return [item.draft.key for item in catalogue.visible_items(record.id, generation)]


def test_a_collection_is_made_once_and_each_run_is_numbered(catalogue: Catalogue) -> None:
    first = catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    again = catalogue.start_run(
        "shoes", SourceRecord("zip", "/x.zip", "/root"), EncoderRequest("resnet50:hub", "last", 64), SETTINGS
    )
    assert (first.id, first.run, again.run) == (again.id, 1, 2)
    found = catalogue.collection("shoes")
    assert (found.source, found.encoder) == (SOURCE, EncoderRequest("bundled")), (
        "a run that has not published changes nothing"
    )
    other = EncoderRequest("resnet50:hub", "last", 64)
    catalogue.update_collection(found.id, SourceRecord("zip", "/x.zip", "/root"), other, SETTINGS)
    found = catalogue.collection("shoes")
    assert found.source == SourceRecord("zip", "/x.zip", "/root")
    assert found.encoder == EncoderRequest("resnet50:hub", "last", 64)
    assert found.settings == SETTINGS
    assert [record.name for record in catalogue.collections()] == ["shoes"]


def test_settings_of_an_older_version_are_read() -> None:
    older = {"engine": "exact", "keep": 2, "max_bytes": 1000, "max_pixels": 2000}
    assert CollectionSettings.from_dict(older) == CollectionSettings("exact", 2, 1000, 2000)


def test_a_collection_that_does_not_exist_is_named_with_those_that_do(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    with pytest.raises(CollectionNotFoundError, match=r"'boots'.*shoes"):
        catalogue.collection("boots")


def test_what_is_stored_comes_back_as_it_was(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    words = {"colour": "rød", "price": 12.5, "stock": 3, "new": True, "note": None}
    item = new("a/ü.jpg", title="Tête-à-tête 靴", product_id="p-1", metadata=words)
    (item_id,) = catalogue.store(shoes, 1, ENCODER, [item])
    stored = catalogue.live_by_key(shoes.id, ["a/ü.jpg", "other"])["a/ü.jpg"]
    assert (stored.id, stored.encoder_digest, stored.created_generation) == (item_id, ENCODER, 1)
    assert stored.draft == item.draft
    assert catalogue.snapshot_items(shoes.id, 1).by_id([item_id, 10**6]) == {item_id: stored}
    np.testing.assert_array_equal(catalogue.pending_vectors([item_id])[item_id], item.vector)


def test_a_change_is_seen_by_the_new_generation_and_not_by_the_old(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    (old,) = catalogue.store(shoes, 1, ENCODER, [new("a", "a")])
    (changed,) = catalogue.store(shoes, 2, ENCODER, [new("a", "b", replaces=old)])
    assert changed > old
    for generation, content in ((1, "a"), (2, "b"), (9, "b")):
        item = catalogue.snapshot_items(shoes.id, generation).by_key("a")
        assert item is not None
        assert item.draft.content_digest == content * 64
    assert catalogue.snapshot_items(shoes.id, 0).by_key("a") is None
    assert catalogue.live_by_key(shoes.id, ["a"])["a"].id == changed


def test_the_names_of_a_snapshot_are_those_that_it_has(
    catalogue: Catalogue, shoes: CollectionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visible_items, "NAMES_PAGE", 2)
    a, b, c = catalogue.store(shoes, 1, ENCODER, [new("a", "a"), new("b", "b"), new("c", "c")])
    (changed,) = catalogue.store(shoes, 2, ENCODER, [new("a", "d", replaces=a)])
    names = {generation: list(catalogue.snapshot_items(shoes.id, generation).names()) for generation in (0, 1, 2)}
    assert names[0] == []
    assert names[1] == [(a, "a", "a" * 64), (b, "b", "b" * 64), (c, "c", "c" * 64)]
    assert names[2] == [(b, "b", "b" * 64), (c, "c", "c" * 64), (changed, "a", "d" * 64)]


def test_only_what_the_run_has_not_seen_is_removed(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    ids = catalogue.store(shoes, 1, ENCODER, [new("a"), new("b"), new("c")])
    run = catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    catalogue.mark_present(run, [ids[1]])
    catalogue.store(run, 2, ENCODER, [new("d")])
    assert catalogue.remove_absent(run, 2) == ["a", "c"]
    assert visible(catalogue, shoes, 1) == ["a", "b", "c"]
    assert visible(catalogue, shoes, 2) == ["b", "d"]
    assert catalogue.live_count(shoes.id) == 2


def test_what_a_run_has_not_found_is_lost_unless_it_has_moved(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    ids = catalogue.store(shoes, 1, ENCODER, [new(f"x/{name}", name) for name in "abcdef"])
    run = catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    catalogue.mark_present(run, [ids[0]])
    changed = new("x/b", "9", replaces=ids[1])
    catalogue.store(run, 2, ENCODER, [changed, new("y/c", "c"), new("y/new", "8")])
    lost = catalogue.lost_items(run, 2)
    assert [item.key for item in lost.items()] == ["x/d", "x/e", "x/f"]
    assert [item.location for item in lost.items()] == ["in/x/d", "in/x/e", "in/x/f"]
    assert lost.published_count() == 6
    assert sorted(lost.locations_in_source()) == ["in/x/a", "in/x/b", "in/y/c", "in/y/new"]
    assert visible(catalogue, shoes, 1) == [f"x/{name}" for name in "abcdef"], "asking changes nothing"
    # A run that published nothing has left its rows: they are no part of the collection, and lost is what was before.
    later = catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    lost = catalogue.lost_items(later, 2)
    assert [item.key for item in lost.items()] == [f"x/{name}" for name in "abcdef"]
    assert lost.published_count() == 6


def test_a_copy_that_was_there_before_does_not_make_up_for_a_lost_picture(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    first, _ = catalogue.store(shoes, 1, ENCODER, [new("a/1", "x"), new("b/1", "x")])
    run = catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    retitled = new("a/1", "x", replaces=first)
    catalogue.store(run, 2, ENCODER, [retitled])
    assert [item.key for item in catalogue.lost_items(run, 2).items()] == ["b/1"]


def test_changes_of_a_generation_are_noticed_but_not_what_came_and_went_within_it(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    assert not catalogue.has_changes(shoes.id, 1)
    (item_id,) = catalogue.store(shoes, 1, ENCODER, [new("a")])
    assert catalogue.has_changes(shoes.id, 1)
    assert not catalogue.has_changes(shoes.id, 2)
    catalogue.close_items([item_id], 1)
    assert not catalogue.has_changes(shoes.id, 1)
    (kept,) = catalogue.store(shoes, 1, ENCODER, [new("b")])
    catalogue.close_items([kept], 2)
    assert catalogue.has_changes(shoes.id, 2)


def test_a_twin_is_found_by_content_and_encoder(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    catalogue.store(shoes, 1, ENCODER, [new("a", "x")])
    twins = catalogue.live_by_content(shoes.id, ["y" * 64, "x" * 64], ENCODER)
    assert {content: twin.draft.key for content, twin in twins.items()} == {"x" * 64: "a"}
    assert catalogue.live_by_content(shoes.id, ["x" * 64], "f" * 64) == {}
    assert catalogue.live_by_content(shoes.id, [], ENCODER) == {}


def test_forgetting_keeps_what_some_snapshot_still_sees(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    old, stays = catalogue.store(shoes, 1, ENCODER, [new("a"), new("b")])
    (changed,) = catalogue.store(shoes, 2, ENCODER, [new("a", "b", replaces=old)])
    (pending,) = catalogue.store(shoes, 3, ENCODER, [new("c")])
    catalogue.prune(shoes.id, published_generation=2, oldest_generation=1)
    assert visible(catalogue, shoes, 1) == ["a", "b"]
    assert sorted(catalogue.pending_vectors([old, stays, changed, pending])) == [pending]
    catalogue.prune(shoes.id, published_generation=2, oldest_generation=2)
    assert visible(catalogue, shoes, 1) == ["b"]
    assert visible(catalogue, shoes, 3) == ["b", "a", "c"]


def test_forgetting_takes_what_came_and_went_between_two_snapshots(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    (stays,) = catalogue.store(shoes, 1, ENCODER, [new("a")])
    (brief,) = catalogue.store(shoes, 2, ENCODER, [new("b")])  # by a run that was interrupted
    catalogue.close_items([brief], 2)
    catalogue.prune(shoes.id, published_generation=1, oldest_generation=1)
    assert [item.id for item in catalogue.visible_items(shoes.id, 9)] == [stays]
    assert sorted(catalogue.pending_vectors([stays, brief])) == [], "the row went, and its vector with it"
    assert catalogue.pending_vectors([stays, brief]) == {}


def test_the_newest_generation_is_that_of_the_last_coming_or_going(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    assert catalogue.newest_generation(shoes.id) == 0
    first, _ = catalogue.store(shoes, 3, ENCODER, [new("a"), new("b")])
    assert catalogue.newest_generation(shoes.id) == 3
    catalogue.close_items([first], 5)
    assert catalogue.newest_generation(shoes.id) == 5


def test_a_folder_is_found_by_the_letter(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    catalogue.store(shoes, 1, ENCODER, [new(key) for key in ("a_b/1", "a_b/c/2", "A_B/3", "axb/4", "a_b")])
    assert [item.draft.key for item in catalogue.live_below(shoes.id, "a_b/")] == ["a_b/1", "a_b/c/2"]
    assert len(catalogue.live_below(shoes.id, "")) == 5


def test_ids_are_never_used_twice(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    (first,) = catalogue.store(shoes, 1, ENCODER, [new("a")])
    catalogue.close_items([first], 1)
    catalogue.prune(shoes.id, published_generation=1, oldest_generation=1)
    (second,) = catalogue.store(shoes, 2, ENCODER, [new("a")])
    assert second > first


def test_an_item_is_given_to_its_own_collection_and_generation_only(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    boots = catalogue.start_run("boots", SOURCE, EncoderRequest("bundled"), SETTINGS)
    (item_id,) = catalogue.store(shoes, 2, ENCODER, [new("a")])
    assert list(catalogue.snapshot_items(shoes.id, 2).by_id([item_id])) == [item_id]
    assert catalogue.snapshot_items(shoes.id, 1).by_id([item_id]) == {}
    assert catalogue.snapshot_items(boots.id, 2).by_id([item_id]) == {}


def test_the_unicode_forms_of_a_key_are_two_keys(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    composed, combining = "caf\u00e9", "cafe\u0301"
    ids = catalogue.store(shoes, 1, ENCODER, [new(composed), new(combining), new(f"{composed}/1")])
    items = catalogue.snapshot_items(shoes.id, 1)
    found = [items.by_key(key) for key in (composed, combining, f"{composed}/1", f"{combining}/1")]
    assert [None if item is None else item.id for item in found] == [*ids, None]


def test_collections_do_not_see_each_other(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    boots = catalogue.start_run("boots", SOURCE, EncoderRequest("bundled"), SETTINGS)
    catalogue.store(shoes, 1, ENCODER, [new("a")])
    catalogue.store(boots, 1, ENCODER, [new("a"), new("b")])
    assert visible(catalogue, shoes, 1) == ["a"]
    assert visible(catalogue, boots, 1) == ["a", "b"]
    run = catalogue.start_run("shoes", SOURCE, EncoderRequest("bundled"), SETTINGS)
    assert catalogue.remove_absent(run, 2) == ["a"]
    assert catalogue.live_count(boots.id) == 2


def test_thousands_of_rows_stream_by_in_order(
    catalogue: Catalogue, shoes: CollectionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.catalogue.repository.PAGE", 100)
    ids = catalogue.store(shoes, 1, ENCODER, [new(f"k{n:05d}") for n in range(1200)])
    pages = list(catalogue.visible_ids(shoes.id, 1))
    assert np.concatenate(pages).tolist() == ids
    assert max(len(page) for page in pages) == 100
    assert visible(catalogue, shoes, 1) == [f"k{n:05d}" for n in range(1200)]
    assert len(catalogue.pending_vectors(ids)) == 1200
