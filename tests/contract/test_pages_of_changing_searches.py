"""The pages of a search show what was there when it began, however the collection changes meanwhile.

What is there all the time is on one page, and what was removed is on none from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.candidates import QueryVectors, leave_out_removed
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.searcher import Searcher
from lookalike.filters import ANY_FIELDS, parse_filter
from tests.helpers.changing_shop import COUNT, LARGE_PRICE, STEPS
from tests.helpers.examples import examples
from tests.helpers.shop_collection import SPEC, Shop

NAMES = count()


def vector(price: int) -> np.ndarray:
    """A unit vector whose cosine with that of price 0 is the lower the higher the price."""
    angle = price / 10
    return np.array([np.cos(angle), np.sin(angle), *[0] * (SPEC.dimension - 2)], np.float32)


def draft(key: str, price: int) -> ItemDraft:
    return ItemDraft(key, key, f"{1:064x}", 10, 4, 4, "PNG", metadata={"price": price})


def open_shop(catalogue: Catalogue, folder: Path) -> Shop:
    """A collection of items with the prices 0 to COUNT - 1."""
    shop = Shop(CollectionLayout.of(folder, f"shop-{next(NAMES)}"), catalogue)
    with shop.run() as builder:
        builder.store([NewItem(draft(str(number), number), vector(number)) for number in range(COUNT)])
        builder.publish()
    return shop


@dataclass
class Model:
    """The prices by key: as they are, as the reader has seen them, and when its search began."""

    searcher: Searcher
    text: str
    prices: dict[str, int] = field(default_factory=lambda: {str(number): number for number in range(COUNT)})
    seen: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    lasting_keys: set[str] = field(default_factory=set)
    change: int = 0
    start: int = 0
    listed_keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seen = dict(self.prices)

    def put(self, key: str, price: int) -> None:
        self.prices[key] = price
        self._apply(LiveChange(key, draft(key, price), vector(price)))

    def delete(self, key: str) -> None:
        self.prices.pop(key, None)
        self._apply(LiveChange(key))
        self.lasting_keys.discard(key)

    def refresh(self) -> None:
        self.searcher = self.searcher.with_live_changes() or self.searcher
        self.seen = dict(self.prices)

    def begin(self) -> None:
        self.change, self.start, self.listed_keys = self.searcher.overlay.change, 0, []
        lowest = LARGE_PRICE if self.text else 0
        self.first = {key: price for key, price in self.seen.items() if price >= lowest}
        self.lasting_keys = self.first.keys() & self.prices.keys()

    def page(self, count: int) -> bool:
        """Read the next page as a service does that remembers nothing; whether there is another one."""
        earlier = self.searcher.at_change(self.change)
        assert earlier is not None
        condition = parse_filter(self.text, ANY_FIELDS) if self.text else None
        search = RefinedSearch(earlier, QueryVectors(vector(0)[None]), 3, condition=condition)
        candidates = search.page(self.start, count)
        hits = search.hits(leave_out_removed(candidates, earlier, self.searcher))
        prices = sorted(self.first.values())[self.start : self.start + count]
        assert [hit.metadata["price"] for hit in search.hits(candidates)] == prices
        assert all(self.first[hit.key] == hit.metadata["price"] for hit in hits), "as it was at first"
        assert all(hit.key in self.seen for hit in hits)
        self.listed_keys += [hit.key for hit in hits]
        self.start += count
        return search.has_more(self.start)

    def _apply(self, change: LiveChange) -> None:
        live = self.searcher.catalogue.live_changes(self.searcher.collection_id)
        live.apply([change], published_generation=1, encoder_digest=SPEC.digest)


@settings(
    max_examples=examples(25, thorough=60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=STEPS, during=STEPS, text=st.sampled_from(["", f"price >= {LARGE_PRICE}"]))
def test_pages_have_each_item_that_lasts_once_and_none_that_is_gone(
    catalogue: Catalogue,
    folder: Path,
    before: list[tuple[str, str, int]],
    during: list[tuple[str, str, int]],
    text: str,
) -> None:
    model = Model(open_shop(catalogue, folder).searcher(), text)
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
                    model.page(number)
    while model.page(2):
        pass
    assert len(set(model.listed_keys)) == len(model.listed_keys)
    assert model.lasting_keys <= set(model.listed_keys)


def test_what_a_publish_may_have_removed_is_not_searched(catalogue: Catalogue, folder: Path) -> None:
    shop = open_shop(catalogue, folder)
    model = Model(shop.searcher(), "")
    model.put("new", 1)
    model.refresh()
    model.put("new", 2)
    assert model.searcher.at_change(1) is not None
    assert model.searcher.at_change(3) is None, "it has not been made yet"
    with shop.run() as builder:
        builder.publish()
    assert model.searcher.at_change(1) is None
