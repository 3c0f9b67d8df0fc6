"""Groups, copies, diversity, boosts, exclusions and pages are what their definitions say, on both databases.

With live changes too, and where each page is asked of a search that was begun anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.candidates import Combine, QueryVectors
from lookalike.collection.feedback import LIKED_WEIGHT, UNLIKED_WEIGHT
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import Boost, GroupScore, Refinement
from lookalike.collection.searcher import Searcher
from lookalike.filters import ANY_FIELDS, parse_filter
from tests.contract.test_filter_property import FILTERS, SCALARS, kind, passes, place
from tests.helpers.examples import examples
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
FIELDS = st.sampled_from(["product_id", "b", "key", "height"])
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "min_score": st.sampled_from([None, None, -0.2, 0.3]),
    "exclude_keys": st.sampled_from([(), (), ("1", "3", "none such"), ("0", "20")]),
    "diversity": st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    "relax_filter": st.booleans(),
}
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "dedupe": st.booleans(),
    "boosts": st.sampled_from([(), (), (Boost(field="popularity", weight=0.3, scale=20),)]),
    "include_liked": st.booleans(),
}
REFINEMENTS = st.one_of(
    st.builds(Refinement, **COMMON, **OTHERS),
    st.builds(Refinement, **COMMON, **OTHERS, group_by=FIELDS, group_size=st.integers(1, 3)),
    st.builds(
        Refinement, **COMMON, group_by=FIELDS, group_size=st.integers(1, 3), group_score=st.just(GroupScore.MEAN)
    ),
)
FEEDBACK = st.one_of(
    st.just(((), ())),
    st.tuples(st.lists(st.integers(0, 30), max_size=3), st.lists(st.integers(0, 30), max_size=2)),
)
"""Numbers of items that are liked, and of those that are not."""


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


@dataclass
class Scores:
    """The definitions of scores: of the item itself, what it is ranked by, and its cosines with the pictures."""

    queries: np.ndarray
    combine: Combine
    moved: np.ndarray | None = None

    @classmethod
    def of(cls, queries: np.ndarray, combine: Combine, items: list[Item], refinement: Refinement) -> Scores:
        vectors = {item.key: item.vector for item in items}
        base = queries.astype(np.float64)
        if combine is Combine.MEAN:
            base = base.mean(axis=0, keepdims=True)
            base /= np.linalg.norm(base)
        if not (refinement.like_keys or refinement.unlike_keys):
            return cls(queries, combine)
        for keys, weight in ((refinement.like_keys, LIKED_WEIGHT), (refinement.unlike_keys, -UNLIKED_WEIGHT)):
            if keys:
                base = base + weight * np.mean([vectors[key] for key in keys], axis=0)
        return cls(queries, combine, base / np.linalg.norm(base, axis=1, keepdims=True))

    def own(self, item: Item) -> float:
        cosines = self.queries @ item.vector
        return float(cosines.max() if self.combine is Combine.BEST else cosines.mean())

    def feedback(self, item: Item) -> float | None:
        return None if self.moved is None else float((self.moved @ item.vector).max())

    def of_group(self, items: list[Item]) -> float:
        return float(np.max([self.queries @ item.vector for item in items], axis=0).mean())


def shown_scores(item: Item, scores: Scores, refinement: Refinement) -> tuple[float, float]:
    """The cosine, and what is ranked by."""
    score = scores.own(item)
    moved = scores.feedback(item)
    ranked = score if moved is None else moved
    for boost in refinement.boosts:
        value = item.draft.metadata.get(boost.field)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        ranked += boost.weight * min(1, max(0, value / boost.scale)) if is_number else 0  # type: ignore[operator]
    return score, ranked


Groups = list[list[Item]]


class Definition:
    """What a search with a refinement is, in plain Python over all items."""

    def __init__(
        self, items: list[Item], definition: Scores, refinement: Refinement, query_item: Item | None = None
    ) -> None:
        self.definition, self.refinement = definition, refinement
        self.scores = {item.key: shown_scores(item, definition, refinement) for item in items}
        self.group_scores: dict[str, float] = {}
        self.seen_groups: set[Any] = set()
        self.digests: set[str] = set()
        reference_keys = set(refinement.unlike_keys) | (set() if query_item is None else {query_item.key})
        reference_keys |= set() if refinement.include_liked else set(refinement.like_keys)
        reference_groups = {self.name_of(item) for item in items if item.key in reference_keys} - {None}
        left_out = {*refinement.exclude_keys, *reference_keys}
        left_out |= {item.key for item in items if self.name_of(item) in reference_groups}
        ordered = sorted(items, key=lambda item: (-self.scores[item.key][1], -self.scores[item.key][0], item.order))
        self.ordered = [item for item in ordered if item.key not in left_out]
        if not self.is_mean:
            self.ordered = [item for item in self.ordered if self.is_high_enough(item)]

    @property
    def is_mean(self) -> bool:
        return self.refinement.group_score is GroupScore.MEAN

    def groups(self, node: dict[str, Any] | None, k: int) -> list[list[tuple[str, bool]]]:
        """Groups of keys, each with whether it passes the filter."""
        passing = [item for item in self.ordered if node is None or passes(dict(item.draft.metadata), node)]
        groups = self.groups_among(passing)
        result = [[(item.key, True) for item in group] for group in groups]
        if self.refinement.relax_filter and len(groups) < k:
            others = [item for item in self.ordered if item not in passing]
            result += [[(item.key, False) for item in group] for group in self.groups_among(others)]
        return result

    def groups_among(self, candidates: list[Item]) -> Groups:
        return self.diversified((self.mean_groups if self.is_mean else self.best_groups)(candidates))

    def best_groups(self, candidates: list[Item]) -> Groups:
        groups = []
        for item in candidates:
            name = self.name_of(item)
            if not self.is_new(item) or name in self.seen_groups:
                continue
            self.seen_groups |= set() if name is None else {name}
            group = [item]
            self.digests.add(item.draft.content_digest)
            for other in candidates if name is not None else []:
                is_member = other is not item and self.name_of(other) == name
                if is_member and len(group) < self.refinement.group_size and self.is_new(other):
                    self.digests.add(other.draft.content_digest)
                    group.append(other)
            groups.append(group)
        return groups

    def mean_groups(self, candidates: list[Item]) -> Groups:
        """All items that pass count for the score of a group, and the best that are high enough are its hits."""
        by_name: dict[Any, list[Item]] = {}
        for item in candidates:
            name = self.name_of(item)
            by_name.setdefault(("item", item.key) if name is None else name, []).append(item)
        groups = []
        for name in sorted(by_name, key=lambda name: -self.definition.of_group(by_name[name])):
            hits = [item for item in by_name[name] if self.is_high_enough(item)][: self.refinement.group_size]
            if hits and name not in self.seen_groups:
                self.seen_groups.add(name)
                self.group_scores[hits[0].key] = self.definition.of_group(by_name[name])
                groups.append(hits)
        return groups

    def diversified(self, groups: Groups) -> Groups:
        weight, left, chosen = self.refinement.diversity, list(groups), Groups()
        while left and weight:
            best = max(
                left,
                key=lambda group: (
                    (1 - weight) * self.relevance(group[0])
                    - weight * max((float(group[0].vector @ other[0].vector) for other in chosen), default=0.0)
                ),
            )
            left.remove(best)
            chosen.append(best)
        return chosen if weight else groups

    def relevance(self, head: Item) -> float:
        return self.group_scores.get(head.key, self.scores[head.key][1])

    def name_of(self, item: Item) -> Any:
        value = None if self.refinement.group_by is None else value_of(item, self.refinement.group_by)
        return None if value is None else (kind(value), place(value))

    def is_high_enough(self, item: Item) -> bool:
        low = self.refinement.min_score
        return low is None or bool(self.scores[item.key][0] >= np.float32(low))

    def is_new(self, item: Item) -> bool:
        return not self.refinement.dedupe or item.draft.content_digest not in self.digests


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
    combine=st.sampled_from(Combine),
    feedback=FEEDBACK,
    query_number=st.one_of(st.none(), st.integers(0, 30)),
)
@settings(max_examples=examples(60, thorough=200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
    combine: Combine,
    feedback: tuple[list[int], list[int]],
    query_number: int | None,
) -> None:
    shop = Shop(CollectionLayout.of(folder, f"shop-{next(NAMES)}"), catalogue)
    searcher, items = fill(shop, [*drafts, COMPLETE], changes, seed)
    queries = unit(np.random.default_rng(seed + 1000), query_count)
    query_item = items[query_number % len(items)] if items and query_number is not None else None
    exclude = None
    if query_item is not None:
        queries, exclude = query_item.vector[None], searcher.item(query_item.key).id
    condition = None if node is None else parse_filter(node, ANY_FIELDS)
    if refinement.group_score is GroupScore.BEST:
        liked, unliked = ([items[number % len(items)].key for number in numbers if items] for numbers in feedback)
        unliked = [key for key in unliked if key not in liked]
        refinement = replace(refinement, like_keys=tuple(dict.fromkeys(liked)), unlike_keys=tuple(unliked))

    def begin() -> RefinedSearch:
        vectors = QueryVectors.of(queries, combine)
        return RefinedSearch(searcher, vectors, k, refinement, condition=condition, exclude=exclude)

    search = begin()
    definition = Scores.of(queries, combine, items, refinement)
    expected = Definition(items, definition, refinement, query_item).groups(node, k)
    for start in range(0, len(expected) + k, k):
        page = [item for group in expected[start : start + k] for item in group]
        for running in (search, begin()):
            hits = running.hits(running.page(start, k))
            assert [(hit.key, hit.passed_filter) for hit in hits] == page
            assert running.has_more(start + k) == (len(expected) > start + k)
        by_key = {item.key: item for item in items}
        for hit in hits:
            score, ranked = shown_scores(by_key[hit.key], definition, refinement)
            assert abs(hit.score - score) < 1e-6
            moved = definition.feedback(by_key[hit.key])
            assert (hit.feedback_score is None) == (moved is None)
            assert moved is None or abs(float(hit.feedback_score or 0) - moved) < 1e-6
            assert (hit.group_score is not None) == (refinement.group_score is GroupScore.MEAN)
            assert hit.boosted_score is None or abs(hit.boosted_score - ranked) < 1e-6
            if refinement.group_by is not None:
                assert hit.group == value_of(by_key[hit.key], refinement.group_by) or hit.group is not None
