"""Counts of groups, and the items that stand for them, are what their definitions say, on both databases."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalogue.repository import Catalogue
from lookalike.catalogue.snapshot_filter import ignore_check
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.grouping import FieldGrouping, choose_heads, count_members
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import FieldReader, Refinement
from lookalike.filters import ANY_FIELDS, parse_filter
from tests.contract.test_filter_property import FILTERS, kind, passes, place
from tests.contract.test_refined_search import CHANGES, COMPLETE, DRAFTS, Item, fill, unit, value_of
from tests.helpers.examples import examples
from tests.helpers.shop_collection import Shop


def name_of(item: Item, field: str) -> Any:
    """What makes two items one group; None for an item that is alone."""
    value = value_of(item, field)
    return None if value is None else (kind(value), place(value))


def passing(items: list[Item], node: dict[str, Any] | None) -> list[Item]:
    chosen = [item for item in items if node is None or passes(dict(item.draft.metadata), node)]
    return sorted(chosen, key=lambda item: item.order)


def sizes(items: list[Item], field: str) -> dict[str, int]:
    """By key, how many of the items are in the group of each."""
    names = [name_of(item, field) for item in items]
    return {item.key: 1 if name is None else names.count(name) for item, name in zip(items, names, strict=True)}


NAMES = count()


def test_false_and_zero_are_two_groups(catalogue: Catalogue, folder: Path) -> None:
    shop = Shop(CollectionLayout.of(folder, f"shop-{next(NAMES)}"), catalogue)
    drafts: list[dict[str, Any]] = [{"b": value} for value in (False, False, 0.0, True, 1, 1, None)]
    searcher, _ = fill(shop, [*(COMPLETE | {"metadata": draft} for draft in drafts), COMPLETE], [], seed=0)
    grouping = FieldGrouping(FieldReader.of("b", searcher.live_filter.fields, "group_by"))
    assert count_members(grouping, searcher, [False, 0.0, True, 1, None], searcher.mask(None)) == [2, 1, 1, 2, 1]


@given(
    drafts=st.lists(DRAFTS, max_size=16),
    changes=CHANGES,
    field=st.sampled_from(["product_id", "b", "height"]),
    node=st.one_of(st.none(), FILTERS),
    k=st.integers(1, 5),
    size=st.integers(1, 3),
)
@settings(max_examples=examples(25, thorough=150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_groups_are_counted_and_the_first_stands_for_each(
    catalogue: Catalogue,
    folder: Path,
    drafts: list[dict[str, Any]],
    changes: list[tuple[int, dict[str, Any] | None]],
    field: str,
    node: dict[str, Any] | None,
    k: int,
    size: int,
) -> None:
    shop = Shop(CollectionLayout.of(folder, f"shop-{next(NAMES)}"), catalogue)
    searcher, items = fill(shop, [*drafts, COMPLETE], changes, seed=0)
    condition = None if node is None else parse_filter(node, ANY_FIELDS)
    mask = searcher.mask(condition)
    grouping = FieldGrouping(FieldReader.of(field, searcher.live_filter.fields, "group_by"))
    expected = passing(items, node)

    heads = searcher.records(ids := choose_heads(searcher, grouping, mask, ignore_check).tolist())
    first: dict[Any, str] = {}
    for item in expected:
        first.setdefault(name_of(item, field) or item.key, item.key)
    assert {heads[item_id].key for item_id in ids} == set(first.values())

    values = [grouping.read(heads[item_id]) for item_id in ids]
    counts = count_members(grouping, searcher, values, mask)
    expected_sizes = sizes(expected, field)
    assert counts == [expected_sizes[heads[item_id].key] for item_id in ids]

    query = QueryVectors(unit(np.random.default_rng(7), 1))
    search = RefinedSearch(searcher, query, k, Refinement(group_by=field, group_size=size), condition=condition)
    hits = search.hits(search.page(0, 4 * k))
    assert [hit.group_count for hit in hits] == [expected_sizes[hit.key] for hit in hits]
