"""The map as a collection has it now: what is gone is left out, what came later has its place among its neighbours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.records import ItemDraft
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.errors import MapUnusableError
from lookalike.index.base import ignore_progress
from lookalike.map import current_map
from lookalike.map.current_map import CurrentMap, SnapshotNames, locate
from lookalike.map.make import make_map
from lookalike.map.stored_map import StoredMap
from lookalike.options import Places
from lookalike.wiring import open_catalogue
from tests.helpers.shop_collection import SPEC, Shop, digest, vector

PICTURES = {f"item-{number:02d}": f"{number:x}" for number in range(16)}
"""The content of each, a digit of its digest."""
NEW = ["ab", "ac", "ad", "bd", "ce"]
"""Contents that none of them has."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A collection of sixteen items, each of a content of its own."""
    layout = CollectionLayout.of(tmp_path / "collections", "shop")
    made = Shop(layout, open_catalogue(Places(tmp_path)))
    made.index(PICTURES)
    return made


def mapped(searcher: Searcher) -> StoredMap:
    return make_map(searcher, threads=1, report_progress=ignore_progress)


def located(stored: StoredMap, searcher: Searcher) -> CurrentMap:
    return locate(stored, searcher, SnapshotNames.read(searcher.without_live_changes()))


def places_of(current: CurrentMap) -> dict[str, tuple[float, float]]:
    return {key: (float(x), float(y)) for key, (x, y) in zip(current.keys, current.places, strict=True)}


def change(shop: Shop, *changes: LiveChange) -> Searcher:
    """The collection after live changes."""
    record = shop.catalogue.collection("shop")
    shop.catalogue.live_changes(record.id).apply(
        list(changes), published_generation=shop.layout.current(), encoder_digest=SPEC.digest
    )
    changed = shop.searcher().with_live_changes()
    assert changed is not None
    return changed


def draft(key: str, content: str, **metadata: str) -> ItemDraft:
    return ItemDraft(key, key, digest(content), 10, 4, 4, "PNG", metadata=metadata)


def test_a_map_of_a_snapshot_has_all_its_items(shop: Shop) -> None:
    stored = mapped(shop.searcher())
    current = located(stored, shop.searcher())
    assert current.keys == sorted(PICTURES)
    np.testing.assert_array_equal(current.places, stored.places)
    assert (current.placed, current.missing, current.head.generation) == (0, 0, 1)


def test_items_that_are_gone_are_left_out(shop: Shop) -> None:
    stored = mapped(shop.searcher())
    before = places_of(located(stored, shop.searcher()))
    current = located(stored, change(shop, LiveChange("item-03")))
    assert places_of(current) == {key: place for key, place in before.items() if key != "item-03"}
    np.testing.assert_array_equal(current.rows, np.arange(15))


def test_an_item_whose_metadata_changed_stays_where_it_was(shop: Shop) -> None:
    stored = mapped(shop.searcher())
    before = places_of(located(stored, shop.searcher()))
    content = PICTURES["item-05"]
    searcher = change(shop, LiveChange("item-05", draft("item-05", content, colour="red"), vector(content)))
    current = located(stored, searcher)
    assert places_of(current) == before
    assert (current.placed, current.missing) == (0, 0)


def test_an_item_that_came_later_is_put_beside_the_one_that_it_is_most_like(shop: Shop) -> None:
    stored = mapped(shop.searcher())
    before = places_of(located(stored, shop.searcher()))
    like = vector(PICTURES["item-07"]) + 0.01 * vector("z")
    like = (like / np.linalg.norm(like)).astype(np.float32)
    searcher = change(shop, LiveChange("new", draft("new", NEW[0]), like))
    current = located(stored, searcher)
    places = places_of(current)
    assert (current.placed, current.missing) == (1, 0)
    distances = {key: np.hypot(*np.subtract(places["new"], place)) for key, place in before.items()}
    assert min(distances, key=lambda key: distances[key]) == "item-07"


def test_after_the_next_snapshot_each_item_is_where_it_was(shop: Shop) -> None:
    stored = mapped(shop.searcher())
    before = places_of(located(stored, shop.searcher()))
    pictures = {key: content for key, content in PICTURES.items() if key != "item-00"} | {"late": NEW[1]}
    shop.index(pictures)
    current = located(stored, shop.searcher())
    places = places_of(current)
    assert current.placed == 1
    assert {key: place for key, place in places.items() if key != "late"} == {
        key: place for key, place in before.items() if key != "item-00"
    }


def test_more_items_than_can_be_put_are_told_as_missing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_map, "MAX_PLACED", 2)
    stored = mapped(shop.searcher())
    changes = [LiveChange(f"n-{content}", draft(f"n-{content}", content), vector(content)) for content in NEW]
    current = located(stored, change(shop, *changes))
    assert (current.placed, current.missing) == (2, 3)
    assert current.keys == [*sorted(PICTURES), "n-ab", "n-ac"]


def test_a_map_with_live_changes_has_them(shop: Shop) -> None:
    searcher = change(shop, LiveChange("item-01"), LiveChange("new", draft("new", NEW[2]), vector(NEW[2])))
    stored = mapped(searcher)
    current = located(stored, searcher)
    assert current.keys == [*(key for key in sorted(PICTURES) if key != "item-01"), "new"]
    assert (current.placed, current.missing) == (0, 0)


def test_a_map_of_no_items_gives_none_a_place(shop: Shop) -> None:
    empty = mapped(shop.searcher())
    empty = replace(empty, ids=empty.ids[:0], contents=empty.contents[:0], places=empty.places[:0])
    current = located(empty, shop.searcher())
    assert (list(current.keys), current.placed, current.missing) == ([], 0, 16)


def test_the_map_of_another_encoder_is_refused(shop: Shop) -> None:
    stored = mapped(shop.searcher())
    shop.index(PICTURES, replace(SPEC, weights_digest="1" * 64), other=True)
    with pytest.raises(MapUnusableError, match="another encoder"):
        located(stored, shop.searcher())
