"""The rows of a snapshot are read once and then kept, within bounds, and are always the snapshot's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lookalike.catalogue.database import Database
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemDraft, NewItem, SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.catalogue.visible_items import CHUNK, VisibleItems
from lookalike.options import EncoderRequest

SETTINGS = CollectionSettings("exact", 2, 1000, 2000)
ENCODER = "e" * 64


def new(key: str, replaces: int | None = None, **metadata: str) -> NewItem:
    draft = ItemDraft(key, f"/{key}", "c" * 64, 10, 20, 30, "JPEG", f"title of {key}", None, metadata)
    return NewItem(draft, np.ones(4, np.float32), replaces)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    opened = Catalogue(Database.open(f"sqlite:///{tmp_path / 'catalogue.db'}"))
    yield opened
    opened.close()


@pytest.fixture
def shoes(catalogue: Catalogue) -> CollectionRecord:
    return catalogue.start_run("shoes", SourceRecord("folder", "/p"), EncoderRequest("bundled"), SETTINGS)


def test_a_row_is_as_it_was_stored_by_id_and_by_key(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    (number,) = catalogue.store(shoes, 1, ENCODER, [new("a", colour="red")])
    rows = catalogue.snapshot_items(shoes.id, 1)
    for found in (rows.by_key("a"), rows.by_id([number])[number], rows.by_key("a")):
        assert found is not None
        assert (found.id, found.draft) == (number, new("a", colour="red").draft)
        assert (found.encoder_digest, found.created_generation, found.removed_generation) == (ENCODER, 1, None)
    assert rows.by_key("b") is None
    assert rows.by_id([number, number + 1]).keys() == {number}


def test_many_rows_are_found_by_key_as_their_snapshot_has_them(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    keys = [f"{number:04d}" for number in range(1200)]
    ids = catalogue.store(shoes, 1, ENCODER, [new(key) for key in keys])
    catalogue.close_items(ids[:2], 2)
    (changed,) = catalogue.store(shoes, 2, ENCODER, [new("0001")])
    before, after = (catalogue.snapshot_items(shoes.id, generation).by_keys([*keys, "none"]) for generation in (1, 2))
    assert [before[key].id for key in keys] == ids
    assert set(after) == set(keys[1:])
    assert after["0001"].id == changed


def test_an_open_snapshot_keeps_the_rows_that_it_read_though_they_are_gone_from_the_catalogue(
    catalogue: Catalogue, shoes: CollectionRecord
) -> None:
    read, unread = catalogue.store(shoes, 1, ENCODER, [new("read"), new("unread")])
    rows = catalogue.snapshot_items(shoes.id, 1)
    assert not rows.has_cached_ids([read])
    rows.by_id([read])
    catalogue.close_items([read, unread], 1)
    catalogue.prune(shoes.id, published_generation=2, oldest_generation=2)
    assert (rows.has_cached_ids([read]), rows.has_cached_key("read")) == (True, True)
    assert (rows.has_cached_ids([read, unread]), rows.has_cached_key("unread")) == (False, False)
    assert rows.by_id([read, unread]).keys() == {read}


def test_a_snapshot_is_never_given_another_ones_version_of_a_row(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    (old,) = catalogue.store(shoes, 1, ENCODER, [new("a", version="1")])
    catalogue.store(shoes, 2, ENCODER, [new("a", replaces=old, version="2")])
    for generation in (1, 2, 1):
        found = catalogue.snapshot_items(shoes.id, generation).by_key("a")
        assert found is not None
        assert found.draft.metadata == {"version": str(generation)}


def test_what_is_kept_stays_within_its_memory_and_the_oldest_goes_first(
    catalogue: Catalogue, shoes: CollectionRecord, tmp_path: Path
) -> None:
    ids = catalogue.store(shoes, 1, ENCODER, [new(f"k{number}") for number in range(20)])
    rows = VisibleItems(Database.open(f"sqlite:///{tmp_path / 'catalogue.db'}"), shoes.id, 1, memory=10_000)
    for number in ids:
        rows.by_id([number])
        rows.by_id([ids[0]])  # asked for all the time, so it stays
    kept = [number for number in ids if rows.has_cached_ids([number])]
    assert {ids[0], ids[-1]} <= set(kept)
    assert 2 <= len(kept) <= 10_000 // 1400
    assert [rows.has_cached_key(f"k{number}") for number in range(20)] == [number in kept for number in ids]


def test_more_rows_than_one_query_may_name_are_all_found(catalogue: Catalogue, shoes: CollectionRecord) -> None:
    ids = catalogue.store(shoes, 1, ENCODER, [new(f"k{number}") for number in range(CHUNK + 1)])
    assert sorted(catalogue.snapshot_items(shoes.id, 1).by_id(ids)) == ids
