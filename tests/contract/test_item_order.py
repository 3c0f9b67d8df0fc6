"""Pages of items in the order of a field are what sorting them in Python makes, on both databases, changed live too."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from lookalike.catalogue.database import Database
from lookalike.catalogue.item_order import OrderPlace
from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.catalogue.repository import Catalogue
from lookalike.collection import ordered_items
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.ordered_items import find_order, read_ordered_page
from lookalike.collection.searcher import Searcher
from lookalike.errors import FilterInvalidError
from lookalike.filters import ANY_FIELDS, parse_filter
from tests.contract.test_filter_property import FILTERS, SCALARS, kind, passes, place
from tests.helpers.shop_collection import SPEC, Shop

KINDS = ["text", "number", "boolean", "date"]
COLUMNS = st.sampled_from(["a", "b", "A"])
METADATA = st.dictionaries(COLUMNS, st.one_of(SCALARS, st.none()), max_size=3)
COMPLETE = {"a": "mug", "b": 1, "A": True}
"""The first item has a value in each column, so that none is unknown."""
CHANGES = st.lists(st.tuples(st.integers(0, 25), st.one_of(st.none(), METADATA)), max_size=6)
NAMES = count()
VECTOR = np.full(SPEC.dimension, SPEC.dimension**-0.5, np.float32)


def draft(key: str, metadata: dict[str, Any]) -> ItemDraft:
    return ItemDraft(key, key, f"{1:064x}", 10, 4, 4, "PNG", metadata=metadata)


def changed_shop(
    catalogue: Catalogue, folder: Path, items: list[dict[str, Any]], changes: list[tuple[int, dict[str, Any] | None]]
) -> tuple[Searcher, dict[str, dict[str, Any]]]:
    """A collection of these items with live changes on top, and the metadata by key in the order of arrival."""
    shop = Shop(CollectionLayout.of(folder, f"shop-{next(NAMES)}"), catalogue)
    expected = {str(number): metadata for number, metadata in enumerate(items)}
    with shop.run() as builder:
        builder.store([NewItem(draft(key, metadata), VECTOR) for key, metadata in expected.items()])
        builder.publish()
    searcher = shop.searcher()
    live = catalogue.live_changes(searcher.collection_id)
    for number, metadata in changes:
        key = str(number)
        expected.pop(key, None)
        if metadata is None:
            change = LiveChange(key)
        else:
            expected[key] = metadata
            change = LiveChange(key, draft(key, metadata), VECTOR)
        live.apply([change], published_generation=1, encoder_digest=SPEC.digest)
    changed = searcher.with_live_changes()
    assert changed is not None
    return changed, expected


def read_pages(searcher: Searcher, name: str, *, is_descending: bool, limit: int, where: Any = None) -> list[list[str]]:
    """The keys of all pages, and that each says how many items there are."""
    order = find_order(searcher, name, is_descending=is_descending)
    condition = None if where is None else parse_filter(where, ANY_FIELDS)
    pages: list[list[str]] = []
    after: OrderPlace | None = None
    while True:
        page = read_ordered_page(searcher, order, limit, after=after, condition=condition)
        pages.append([item.key for _, item in page.items])
        if len(page.items) < limit:
            assert sum(map(len, pages)) == page.count
            return pages
        after = page.items[-1][0]


def sort_place(value: Any, position: int) -> tuple[int, Any, str, int]:
    # Equal moments are ordered as they are written; text beyond 200 characters by its beginning alone.
    return KINDS.index(kind(value)), place(value), value if kind(value) == "date" else "", position


@pytest.mark.parametrize("named_ids", [0, 500])
@given(
    items=st.lists(METADATA, max_size=12),
    changes=CHANGES,
    name=COLUMNS,
    is_descending=st.booleans(),
    limit=st.integers(1, 6),
    where=st.one_of(st.none(), FILTERS),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_pages_are_in_the_order_of_the_values(
    catalogue: Catalogue,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    named_ids: int,
    items: list[dict[str, Any]],
    changes: list[tuple[int, dict[str, Any] | None]],
    name: str,
    is_descending: bool,
    limit: int,
    where: Any,
) -> None:
    monkeypatch.setattr(ordered_items, "MAX_NAMED_IDS", named_ids)
    searcher, expected = changed_shop(catalogue, folder, [COMPLETE, *items], changes)
    places = {
        key: sort_place(metadata[name], position)
        for position, (key, metadata) in enumerate(expected.items())
        if metadata.get(name) is not None and (where is None or passes(metadata, where))
    }
    pages = read_pages(searcher, name, is_descending=is_descending, limit=limit, where=where)
    listed = [key for page in pages for key in page]
    assert sorted(listed) == sorted(places)
    ends = [shortened(places[key]) for key in listed]
    assert ends == sorted(ends, reverse=is_descending)


def shortened(sort_key: tuple[int, Any, str, int]) -> tuple[int, Any, str, int]:
    """Without what is beyond 200 characters, and the order among equals then."""
    kind_number, value, text, position = sort_key
    is_long = isinstance(value, str) and len(value) >= 200
    return kind_number, value[:200] if is_long else value, text, 0 if is_long else position


def test_many_equal_values_are_listed_once_each(catalogue: Catalogue, folder: Path) -> None:
    items: list[dict[str, Any]] = [{"price": number % 3} for number in range(40)]
    searcher, _ = changed_shop(catalogue, folder, items, [(3, None), (4, {"price": 2})])
    expected = [str(number) for price in range(3) for number in range(40) if number % 3 == price]
    expected.remove("3")
    expected.remove("4")
    expected.append("4")
    for limit in (1, 7, 100):
        pages = read_pages(searcher, "price", is_descending=False, limit=limit)
        assert [key for page in pages for key in page] == expected
        pages = read_pages(searcher, "price", is_descending=True, limit=limit)
        assert [key for page in pages for key in page] == expected[::-1]


@pytest.mark.parametrize("is_descending", [False, True])
def test_a_page_is_a_range_of_the_index_and_nothing_is_sorted(tmp_path: Path, is_descending: bool) -> None:
    catalogue = Catalogue(Database.open(tmp_path / "catalogue.db"))
    searcher, _ = changed_shop(catalogue, tmp_path, [{"price": number % 3} for number in range(9)], [])
    order = find_order(searcher, "price", is_descending=is_descending)
    executed: list[tuple[str, Any]] = []

    def keep(_connection: object, _cursor: object, statement: str, values: Any, *_others: object) -> None:
        executed.append((statement, values))

    event.listen(Engine, "before_cursor_execute", keep)
    try:
        first = order.read(2)
        order.read(9, after=first[-1])
    finally:
        event.remove(Engine, "before_cursor_execute", keep)
    catalogue.close()
    with closing(sqlite3.connect(tmp_path / "catalogue.db")) as connection:
        plans = [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in executed
        ]
    assert len(plans) == 5
    assert [len(plan) for plan in plans] == [1] * 5, "no step beside the search of the index"
    fixed = ["kind=? AND number=? AND text=?", "kind=? AND number=?", "kind=?", ""]
    for plan, columns in zip(plans[1:], fixed, strict=True):
        assert "USING PRIMARY KEY" in plan[0]
        assert columns in plan[0]


def test_fields_that_every_item_has_are_orders_too(catalogue: Catalogue, folder: Path) -> None:
    searcher, _ = changed_shop(catalogue, folder, [{}, {}, {}], [(1, {})])
    assert read_pages(searcher, "key", is_descending=True, limit=9) == [["2", "1", "0"]]
    assert read_pages(searcher, "created_at", is_descending=False, limit=9) == [["0", "2", "1"]]
    assert read_pages(searcher, "title", is_descending=False, limit=9) == [[]]


def test_a_field_that_is_unknown_or_has_lists_is_no_order(catalogue: Catalogue, folder: Path) -> None:
    searcher, _ = changed_shop(catalogue, folder, [{"tags": ["a", "b"], "price": 1}], [])
    for name, message in (("tags", "has lists"), ("pricce", "did you mean 'price'?")):
        with pytest.raises(FilterInvalidError, match=message) as refused:
            find_order(searcher, name, is_descending=False)
        assert refused.value.subject == "order_by"
