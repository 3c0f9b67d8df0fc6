"""Live changes on both databases: what a reader of each snapshot sees, and who wins against a run of the indexer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from lookalike.catalogue.database import Database
from lookalike.catalogue.live_changes import ChangeStatus, LiveChange
from lookalike.catalogue.live_removals import digest_of_source
from lookalike.catalogue.records import (
    CollectionSettings,
    ItemDraft,
    ItemRecord,
    NewItem,
    SourceRecord,
)
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.overlay import Overlay
from lookalike.options import EncoderRequest

ENCODER = "e" * 64
SOURCE = SourceRecord("folder", "/pictures")
SETTINGS = CollectionSettings("exact", 3, 1000, 2000)
DIMENSION = 4


def draft(key: str, content: int) -> ItemDraft:
    return ItemDraft(key, f"in/{key}", f"{content:064x}", 1000, 40, 30, "JPEG", metadata={"content": content})


def vector(content: int) -> np.ndarray:
    return np.full(DIMENSION, content, np.float32)


class Shop:
    """A collection with a source, a publisher and a reader, as far as the catalogue is concerned."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.record = catalogue.start_run("shop", SOURCE, EncoderRequest("bundled"), SETTINGS)
        self.live = catalogue.live_changes(self.record.id)
        self.published = 0
        self.lag = 0  # by how many snapshots the process that makes changes is behind
        self.overlay = Overlay.empty(np.empty(0, np.int64), DIMENSION)
        self.publish()

    def put(self, key: str, content: int, expected_id: int | None = None) -> ChangeStatus:
        return self._apply(LiveChange(key, draft(key, content), vector(content), expected_id))

    def remove(self, key: str) -> ChangeStatus:
        return self._apply(LiveChange(key))

    def _apply(self, change: LiveChange) -> ChangeStatus:
        served = max(0, self.published - self.lag)
        (outcome,) = self.live.apply([change], published_generation=served, encoder_digest=ENCODER)
        return outcome.status

    def read(self, source: dict[str, int]) -> tuple[dict[str, int], dict[str, ItemRecord]]:
        """Begin a run: what the source has now, and the rows that it is compared with."""
        self.record = self.catalogue.start_run("shop", SOURCE, EncoderRequest("bundled"), SETTINGS)
        return dict(source), self.catalogue.live_by_key(self.record.id, list(source))

    def end(self, source: dict[str, int], items: dict[str, ItemRecord]) -> None:
        """End a run as the pipeline does: store what the source says anew, keep the rest, remove what it lost."""
        removals = self.live.removals(list(source))
        present, new, still_removed = [], [], []
        for key, content in source.items():
            said = digest_of_source(draft(key, content))
            item = items.get(key)
            if item is None and removals.get(key) == said:
                still_removed.append(key)
            elif (
                item is not None
                and (digest_of_source(item.draft) if item.source_digest is None else item.source_digest) == said
            ):
                present.append(item.id)
            else:
                new.append(NewItem(draft(key, content), vector(content), None if item is None else item.id))
        self.catalogue.mark_present(self.record, present)
        self.live.mark_removals_present(still_removed, self.record.run)
        self.catalogue.store(self.record, self.published + 1, ENCODER, new)
        self.catalogue.remove_absent(self.record, self.published + 1)

    def publish(self) -> None:
        """Publish all that there is, as a run does at its end and as folding does."""
        self.live.seal(self.published + 1)
        ids = np.concatenate(list(self.catalogue.visible_ids(self.record.id, self.published + 1)))
        self.published += 1
        self.overlay = Overlay.empty(ids, DIMENSION)

    def visible(self, *, afresh: bool = False) -> dict[str, int]:
        """By key, what a reader of the newest snapshot and its live changes sees."""
        start = Overlay.empty(self.overlay.snapshot_ids, DIMENSION) if afresh else self.overlay
        changes = self.live.since(start.change, self.published)
        assert changes is not None
        overlay = start.with_changes(changes)
        if not afresh:
            self.overlay = overlay
        left = overlay.snapshot_ids[overlay.snapshot_mask].tolist()
        rows = self.catalogue.snapshot_items(self.record.id, self.published).by_id(left)
        assert len(rows) == len(left)
        seen = [*rows.values(), *overlay.records]
        assert len({row.key for row in seen}) == len(seen) == len(overlay.snapshot_ids) + overlay.count_change
        for row, row_vector in zip(overlay.records, overlay.vectors, strict=True):
            assert row_vector.tolist() == vector(int(row.metadata["content"])).tolist()  # type: ignore[arg-type]
        return {row.key: int(row.metadata["content"]) for row in seen}  # type: ignore[arg-type]


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    catalogue = Catalogue(Database.open(database_url))
    yield Shop(catalogue)
    catalogue.close()


def test_a_change_is_visible_at_once_and_stays_when_it_is_folded_in(shop: Shop) -> None:
    assert shop.put("a", 1) is ChangeStatus.CREATED
    assert shop.visible() == {"a": 1}
    assert shop.put("a", 2) is ChangeStatus.REPLACED
    assert shop.put("b", 3) is ChangeStatus.CREATED
    assert shop.visible() == {"a": 2, "b": 3}
    shop.publish()
    assert shop.visible() == {"a": 2, "b": 3}
    assert shop.overlay.is_empty
    assert shop.remove("a") is ChangeStatus.REMOVED
    assert shop.remove("a") is ChangeStatus.MISSING
    assert shop.visible() == {"b": 3}
    shop.publish()
    assert shop.visible() == {"b": 3}


def test_a_change_of_another_version_than_expected_is_a_conflict(shop: Shop) -> None:
    shop.put("a", 1)
    (row,) = shop.overlay.records if shop.visible() else ()
    assert shop.put("a", 2, expected_id=row.id) is ChangeStatus.REPLACED
    assert shop.put("a", 3, expected_id=row.id) is ChangeStatus.CONFLICT
    assert shop.put("z", 3, expected_id=row.id) is ChangeStatus.MISSING
    assert shop.visible() == {"a": 2}


def test_keys_that_were_changed_since_a_snapshot_are_counted_once_each(shop: Shop) -> None:
    shop.end(*shop.read({"a": 1, "b": 2, "c": 3}))
    shop.publish()
    assert shop.live.count_pending(shop.published) == 0, "what a run has stored is not changed live"
    for content in (10, 11):
        shop.put("a", content)
    shop.remove("b")
    shop.put("new", 4)
    shop.put("brief", 5)
    shop.remove("brief")
    assert shop.live.count_pending(shop.published) == len(["a", "b", "new"])
    shop.publish()
    assert shop.live.count_pending(shop.published) == 0
    assert shop.live.count_pending(shop.published - 1) == 3, "as for a collection that is pinned to that snapshot"


def test_a_version_that_was_replaced_live_stays_until_the_next_publish(shop: Shop, database_url: str) -> None:
    def prune_and_count() -> int:
        shop.catalogue.prune(shop.record.id, published_generation=shop.published, oldest_generation=1)
        engine = create_engine(database_url)
        with engine.connect() as connection:
            count = connection.scalar(text("SELECT count(*) FROM items"))
        engine.dispose()
        return int(count or 0)

    for content in (1, 2):
        shop.put("a", content)
    assert prune_and_count() == 2, "who lists items meanwhile needs its place"
    shop.publish()
    assert prune_and_count() == 1


def test_a_run_does_not_bring_back_what_was_changed_live(shop: Shop) -> None:
    source = {"a": 1, "b": 2, "c": 3}
    shop.end(*shop.read(source))
    shop.publish()
    shop.put("a", 10)
    shop.remove("b")
    shop.put("sent", 20)
    for _ in range(2):
        shop.end(*shop.read(source))
        shop.publish()
        assert shop.visible() == {"a": 10, "c": 3, "sent": 20}


def test_what_the_source_changes_later_wins_again(shop: Shop) -> None:
    shop.end(*shop.read({"a": 1, "b": 2, "c": 3}))
    shop.publish()
    shop.put("a", 10)
    shop.remove("b")
    shop.put("c", 30)
    shop.end(*shop.read({"a": 4, "b": 5}))
    shop.publish()
    assert shop.visible() == {"a": 4, "b": 5}


def test_a_change_during_a_run_is_later_than_what_the_run_has_read(shop: Shop) -> None:
    shop.end(*shop.read({"a": 1, "b": 2}))
    shop.publish()
    run = shop.read({"a": 7, "b": 8})
    shop.put("a", 10)
    shop.remove("b")
    shop.end(*run)
    assert shop.visible() == {"a": 10}
    shop.publish()
    assert shop.visible() == {"a": 10}
    shop.end(*shop.read({"a": 7, "b": 8}))
    shop.publish()
    assert shop.visible() == {"a": 10}


def test_rows_of_a_run_that_has_not_published_are_not_seen(shop: Shop) -> None:
    shop.end(*shop.read({"a": 1}))
    shop.put("b", 2)
    assert shop.visible() == {"b": 2}
    shop.put("a", 3)
    assert shop.visible() == {"a": 3, "b": 2}
    shop.publish()
    assert shop.visible() == {"a": 3, "b": 2}


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_changes_runs_and_publishes_leaves_the_last_change_of_each_key(shop: Shop, seed: int) -> None:
    random = np.random.default_rng(seed)
    keys = list("abcdef")
    source: dict[str, int] = {}
    said: dict[str, int] = {}
    expected: dict[str, int] = {}  # with a run's changes, which are seen once it has published
    shown: dict[str, int] = {}
    for number in range(1, 60):
        key = str(random.choice(keys))
        action, shop.lag = int(random.integers(6)), int(random.integers(2))
        if action <= 1:
            shop.put(key, number)
            expected[key] = shown[key] = number
        elif action == 2:
            removed = shop.remove(key) is ChangeStatus.REMOVED
            assert removed == (key in shown)
            if removed:
                expected.pop(key, None)
                shown.pop(key)
        elif action == 3:
            source = {name: content for name, content in source.items() if random.random() < 0.7}
            source |= {str(name): number for name in random.choice(keys, 2)}
        elif action == 4:
            shop.end(*shop.read(source))
            expected |= {name: content for name, content in source.items() if said.get(name) != content}
            for name in set(said) - set(source):
                expected.pop(name, None)
            said = dict(source)
            shop.publish()
            shown = dict(expected)
        else:
            shop.publish()
            shown = dict(expected)
        assert shop.visible() == shown
        assert shop.visible(afresh=True) == shown
