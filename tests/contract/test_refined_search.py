"""Groups, copies, diversity, boosts, exclusions and pages are what their definitions say, on both databases.

With live changes too, and where each page is asked of a search that was begun anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalogue.database import Database
from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import Boost, Refinement
from lookalike.collection.searcher import Searcher
from lookalike.filters import ANY_FIELDS, parse_filter
from tests.contract.test_filter_property import FILTERS, SCALARS, kind, passes, place
from tests.helpers.databases import new_postgres_database
from tests.helpers.shop_collection import SPEC, Shop

VALUES = st.one_of(SCALARS, st.none())
DRAFTS = st.fixed_dictionaries(
    {
        "product_id": st.sampled_from([None, "p-1", "p-2", "p-3", ""]),
        "content": st.integers(0, 12),
        "metadata": st.dictionaries(st.sampled_from(["a", "b", "A"]), VALUES, max_size=3),
        "popularity": st.one_of(st.none(), st.integers(-5, 30), st.just("much")),
    }
)
COMPLETE = {"product_id": "p-1", "content": 0, "metadata": {"b": "mug"}, "popularity": 3}
"""An item with a value in each column, so that none is unknown."""
CHANGES = st.lists(st.tuples(st.integers(0, 25), st.one_of(st.none(), DRAFTS)), max_size=6)
REFINEMENTS = st.builds(
    Refinement,
    min_score=st.sampled_from([None, None, -0.2, 0.3]),
    exclude_keys=st.sampled_from([(), (), ("1", "3", "none such"), ("0", "20")]),
    group_by=st.sampled_from([None, "product_id", "b", "key", "height"]),
    group_size=st.integers(1, 3),
    dedupe=st.booleans(),
    diversity=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    relax_filter=st.booleans(),
    boosts=st.sampled_from([(), (), (Boost(field="popularity", weight=0.3, scale=20),)]),
)


@dataclass
class Item:
    """What plain Python knows of an item."""

    key: str
    draft: ItemDraft
    vector: np.ndarray
    order: tuple[int, int]


def new_draft(key: str, fields: dict[str, Any]) -> ItemDraft:
    metadata = fields["metadata"] | ({} if fields["popularity"] is None else {"popularity": fields["popularity"]})
    size = 4 + fields["content"] % 3
    digest = f"{fields['content']:064x}"
    return ItemDraft(key, key, digest, 10, 4, size, "PNG", product_id=fields["product_id"], metadata=metadata)


def value_of(item: Item, field: str) -> Any:
    if field == "product_id":
        return item.draft.product_id
    if field == "height":
        return item.draft.height
    return item.key if field == "key" else item.draft.metadata.get(field)


def shown_scores(item: Item, queries: np.ndarray, refinement: Refinement) -> tuple[float, float]:
    """The cosine, and what is ranked by."""
    score = float((queries @ item.vector).max())
    ranked = score
    for boost in refinement.boosts:
        value = item.draft.metadata.get(boost.field)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        ranked += boost.weight * min(1, max(0, value / boost.scale)) if is_number else 0  # type: ignore[operator]
    return score, ranked


def expected_groups(
    items: list[Item], queries: np.ndarray, refinement: Refinement, node: dict[str, Any] | None, k: int
) -> list[list[tuple[str, bool]]]:
    """The definition: groups of keys, each with whether it passes the filter."""
    scores = {item.key: shown_scores(item, queries, refinement) for item in items}
    ordered = sorted(items, key=lambda item: (-scores[item.key][1], -scores[item.key][0], item.order))
    ordered = [item for item in ordered if item.key not in refinement.exclude_keys]
    low = -2 if refinement.min_score is None else np.float32(refinement.min_score)
    ordered = [item for item in ordered if scores[item.key][0] >= low]
    seen_groups: set[Any] = set()
    digests: set[str] = set()

    def is_new(item: Item) -> bool:
        return not refinement.dedupe or item.draft.content_digest not in digests

    def groups_among(candidates: list[Item]) -> list[list[Item]]:
        groups = []
        for item in candidates:
            if not is_new(item):
                continue
            value = None if refinement.group_by is None else value_of(item, refinement.group_by)
            name = None if value is None else (kind(value), place(value))
            if name is not None and name in seen_groups:
                continue
            seen_groups.add(name)
            group = [item]
            digests.add(item.draft.content_digest)
            for other in candidates if name is not None else []:
                other_value = value_of(other, str(refinement.group_by))
                if other is item or other_value is None or (kind(other_value), place(other_value)) != name:
                    continue
                if len(group) < refinement.group_size and is_new(other):
                    digests.add(other.draft.content_digest)
                    group.append(other)
            groups.append(group)
        return diversified(groups)

    def diversified(groups: list[list[Item]]) -> list[list[Item]]:
        weight, left, chosen = refinement.diversity, list(groups), list[list[Item]]()
        while left and weight:
            best = max(
                left,
                key=lambda group: (
                    (1 - weight) * scores[group[0].key][1]
                    - weight * max((float(group[0].vector @ other[0].vector) for other in chosen), default=0.0)
                ),
            )
            left.remove(best)
            chosen.append(best)
        return chosen if weight else groups

    passing = [item for item in ordered if node is None or passes(dict(item.draft.metadata), node)]
    groups = groups_among(passing)
    result = [[(item.key, True) for item in group] for group in groups]
    if refinement.relax_filter and len(groups) < k:
        others = [item for item in ordered if item not in passing]
        result += [[(item.key, False) for item in group] for group in groups_among(others)]
    return result


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def catalogue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    url = f"sqlite:///{tmp_path_factory.mktemp('refined') / 'catalogue.db'}"
    if request.param == "postgresql":
        url = new_postgres_database(request.getfixturevalue("postgres"))
    opened = Catalogue(Database.open(url))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("collections")


NAMES = count()


def unit(random: np.random.Generator, rows: int) -> np.ndarray:
    vectors = random.normal(size=(rows, SPEC.dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def fill(
    shop: Shop, drafts: list[dict[str, Any]], changes: list[tuple[int, dict[str, Any] | None]], seed: int
) -> tuple[Searcher, list[Item]]:
    """A searcher over published items and live changes, and the same in plain Python."""
    random = np.random.default_rng(seed)
    vectors = unit(random, len(drafts) + len(changes))
    items: dict[str, Item] = {}
    with shop.run() as builder:
        rows = [NewItem(new_draft(str(n), fields), vectors[n]) for n, fields in enumerate(drafts)]
        builder.store(rows)
        builder.publish()
    for number, row in enumerate(rows):
        items[row.draft.key] = Item(row.draft.key, row.draft, row.vector, (0, number))
    searcher = shop.searcher()
    live = shop.catalogue.live_changes(searcher.collection_id)
    for number, (key, fields) in enumerate(changes):
        vector = vectors[len(drafts) + number]
        draft = None if fields is None else new_draft(str(key), fields)
        change = LiveChange(str(key)) if draft is None else LiveChange(str(key), draft, vector)
        live.apply([change], published_generation=1, encoder_digest=SPEC.digest)
        items.pop(str(key), None)
        if draft is not None:
            items[draft.key] = Item(draft.key, draft, vector, (1, number))
    changed = searcher.with_live_changes()
    assert changed is not None
    return changed, list(items.values())


@given(
    drafts=st.lists(DRAFTS, min_size=1, max_size=24),
    changes=CHANGES,
    refinement=REFINEMENTS,
    node=st.one_of(st.none(), FILTERS),
    k=st.integers(1, 9),
    seed=st.integers(0, 999),
    query_count=st.integers(1, 3),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pages_of_a_refined_search_are_what_its_definition_says(
    catalogue: Catalogue,
    folder: Path,
    drafts: list[dict[str, Any]],
    changes: list[tuple[int, dict[str, Any] | None]],
    refinement: Refinement,
    node: dict[str, Any] | None,
    k: int,
    seed: int,
    query_count: int,
) -> None:
    shop = Shop(CollectionLayout.of(folder, f"shop-{next(NAMES)}"), catalogue)
    searcher, items = fill(shop, [*drafts, COMPLETE], changes, seed)
    queries = unit(np.random.default_rng(seed + 1000), query_count)
    condition = None if node is None else parse_filter(node, ANY_FIELDS)

    def begin() -> RefinedSearch:
        return RefinedSearch(searcher, QueryVectors(queries), k, refinement, condition=condition)

    search = begin()
    expected = expected_groups(items, queries, refinement, node, k)
    for start in range(0, len(expected) + k, k):
        page = [item for group in expected[start : start + k] for item in group]
        for running in (search, begin()):
            hits = running.hits(running.page(start, k))
            assert [(hit.key, hit.passed_filter) for hit in hits] == page
            assert running.has_more(start + k) == (len(expected) > start + k)
        by_key = {item.key: item for item in items}
        for hit in hits:
            score, ranked = shown_scores(by_key[hit.key], queries, refinement)
            assert abs(hit.score - score) < 1e-6
            assert hit.boosted_score is None or abs(hit.boosted_score - ranked) < 1e-6
            if refinement.group_by is not None:
                assert hit.group == value_of(by_key[hit.key], refinement.group_by) or hit.group is not None
