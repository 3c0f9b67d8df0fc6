"""A pass over the items in the order in which they came is what a model in Python makes of it, however they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalogue.live_changes import ChangeStatus, LiveChange
from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.catalogue.repository import Catalogue
from lookalike.catalogue.snapshot_filter import Check, ignore_check
from lookalike.collection.arrival_order import read_arrival_page
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.searcher import Searcher
from lookalike.filters import ANY_FIELDS, Condition, parse_filter
from lookalike.index.base import Mask
from tests.helpers.changing_shop import COUNT, LARGE_PRICE, STEPS
from tests.helpers.examples import examples
from tests.helpers.shop_collection import SPEC, Shop

NAMES = count()
VECTOR = np.full(SPEC.dimension, SPEC.dimension**-0.5, np.float32)


def draft(key: str, price: int) -> ItemDraft:
    return ItemDraft(key, key, f"{1:064x}", 10, 4, 4, "PNG", metadata={"price": price})


def open_shop(catalogue: Catalogue, folder: Path) -> Shop:
    """A collection of items with the prices 0 to COUNT - 1."""
    shop = Shop(CollectionLayout.of(folder, f"shop-{next(NAMES)}"), catalogue)
    with shop.run() as builder:
        builder.store([NewItem(draft(str(number), number), VECTOR) for number in range(COUNT)])
        builder.publish()
    return shop


@dataclass
class Model:
    """The prices by key in the order of arrival: as they are, as the reader has seen them, and when its pass began."""

    searcher: Searcher
    prices: dict[str, int] = field(default_factory=lambda: {str(number): number for number in range(COUNT)})
    reader_prices: dict[str, int] = field(default_factory=dict)
    pass_keys: list[str] = field(default_factory=list)
    change: int = 0
    after: int = 0
    listed_keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader_prices = dict(self.prices)

    def put(self, key: str, price: int) -> None:
        is_there = self.prices.pop(key, None) is not None
        self.prices[key] = price
        expected = ChangeStatus.REPLACED if is_there else ChangeStatus.CREATED
        assert self._apply(LiveChange(key, draft(key, price), VECTOR)) is expected

    def delete(self, key: str) -> None:
        expected = ChangeStatus.MISSING if self.prices.pop(key, None) is None else ChangeStatus.REMOVED
        assert self._apply(LiveChange(key)) is expected

    def refresh(self) -> None:
        self.searcher = self.searcher.with_live_changes() or self.searcher
        self.reader_prices = dict(self.prices)

    def begin(self) -> None:
        self.pass_keys, self.change = list(self.reader_prices), self.searcher.overlay.change
        self.after, self.listed_keys = 0, []

    def page(self, limit: int, text: str) -> bool:
        """Read the next page, and compare it; whether there was anything on it."""
        condition = parse_filter(text, ANY_FIELDS) if text else None
        page = read_arrival_page(self.searcher, limit, change=self.change, after=self.after, condition=condition)
        keys = [item.key for _, item in page.items]
        start = self.pass_keys.index(self.listed_keys[-1]) + 1 if self.listed_keys else 0
        lowest = LARGE_PRICE if text else 0
        expected = [key for key in self.pass_keys[start:] if self.reader_prices.get(key, -1) >= lowest]
        assert keys == expected[:limit]
        assert [item.draft.metadata["price"] for _, item in page.items] == [self.reader_prices[key] for key in keys]
        assert page.has_newcomers or set(self.reader_prices) <= set(self.pass_keys)
        if keys:
            self.after = page.items[-1][0]
            self.listed_keys += keys
        return bool(keys)

    def _apply(self, change: LiveChange) -> ChangeStatus:
        live = self.searcher.catalogue.live_changes(self.searcher.collection_id)
        (outcome,) = live.apply([change], published_generation=1, encoder_digest=SPEC.digest)
        return outcome.status


@settings(
    max_examples=examples(30, thorough=60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=STEPS, during=STEPS, text=st.sampled_from(["", f"price >= {LARGE_PRICE}"]))
def test_a_pass_lists_each_item_once_as_it_is_now(
    catalogue: Catalogue,
    folder: Path,
    before: list[tuple[str, str, int]],
    during: list[tuple[str, str, int]],
    text: str,
) -> None:
    model = Model(open_shop(catalogue, folder).searcher())
    for steps in (before, during):
        model.begin()
        for name, key, number in steps:
            match name:
                case "put":
                    model.put(key, number)
                case "delete":
                    model.delete(key)
                case "refresh":
                    model.refresh()
                case _:
                    model.page(number, text)
    while model.page(2, text):
        pass
    assert len(set(model.listed_keys)) == len(model.listed_keys)


def test_a_pass_that_changes_every_item_that_it_lists_ends(catalogue: Catalogue, folder: Path) -> None:
    model = Model(open_shop(catalogue, folder).searcher())
    model.begin()
    while model.page(2, ""):
        for key in model.listed_keys[-2:]:
            model.put(key, 100)
        model.refresh()
    assert model.listed_keys == [str(number) for number in range(COUNT)]


def test_a_version_of_the_next_snapshot_keeps_its_place_when_a_publish_cleans_up(
    catalogue: Catalogue, folder: Path
) -> None:
    shop = open_shop(catalogue, folder)
    model = Model(shop.searcher())
    model.put("new", 1)
    model.refresh()
    model.begin()
    model.page(2, "")
    model.put("new", 2)
    model.refresh()
    catalogue.prune(model.searcher.collection_id, published_generation=1, oldest_generation=1)
    while model.page(3, ""):
        pass
    assert model.listed_keys[-1] == "new"


class CancelledError(Exception):
    """What a check raises here."""


@pytest.mark.parametrize("has_changes", [False, True])
def test_a_filtered_page_is_cancelled_and_asks_for_its_filter_once(
    catalogue: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch, has_changes: bool
) -> None:
    model = Model(open_shop(catalogue, folder).searcher())
    if has_changes:
        for key in "123456":
            model.put(key, LARGE_PRICE)
        model.refresh()
    condition = parse_filter(f"price >= {LARGE_PRICE}", ANY_FIELDS)

    def cancel() -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        read_arrival_page(model.searcher, 1, change=0, condition=condition, check=cancel)
    compute, computed = Searcher.mask, []

    def count_masks(searcher: Searcher, asked: Condition | None, check: Check = ignore_check) -> Mask:
        computed.append(asked)
        return compute(searcher, asked, check)

    monkeypatch.setattr(Searcher, "mask", count_masks)
    read_arrival_page(model.searcher, 1, change=0, condition=condition)
    assert computed == [condition]


def test_a_reader_sees_no_part_of_a_change_that_comes_while_it_reads(
    catalogue: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(open_shop(catalogue, folder).searcher())
    model.put("1", 5)
    live = catalogue.live_changes(model.searcher.collection_id)
    model.put("1", 6)
    # As if the number had been read before the second change was committed.
    with monkeypatch.context() as patched:
        patched.setattr("sqlalchemy.orm.Session.scalar", lambda *_, **__: 1)
        changes = live.since(0, 1)
    assert changes is not None
    assert [record.draft.metadata["price"] for record in changes.added] == [5]
    assert len(changes.removed_ids) == 1
