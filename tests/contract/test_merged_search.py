"""A search in several collections is the best of all of them by their definitions, on both databases, page by page."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike import Calibration
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.merged_search import MergedSearch, MergedSource, RankBy
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import Refinement
from lookalike.filters import ANY_FIELDS, parse_filter
from lookalike.thresholds import Threshold
from tests.contract.test_filter_property import FILTERS, passes
from tests.contract.test_refined_search import CHANGES, COMPLETE, DRAFTS, Item, fill, unit, value_of
from tests.helpers.examples import examples
from tests.helpers.shop_collection import SPEC, Shop

NUMBERS = count()
KNOTS = st.tuples(st.floats(-0.9, 0.0), st.floats(0.1, 0.9))
"""Between which cosines a confidence goes from 0 to 1: below and above, many are equal."""
COLLECTIONS = st.lists(st.tuples(st.lists(DRAFTS, max_size=8), CHANGES, KNOTS), min_size=1, max_size=4)


def threshold(knots: tuple[float, float]) -> Threshold:
    calibration = Calibration(
        encoder=SPEC.name,
        encoder_digest=SPEC.digest,
        collection=None,
        threshold=0.5 + knots[1] / 4,
        rule="best F1",
        precision=1.0,
        recall=1.0,
        scores=(-1.0, *knots, 1.0),
        probabilities=(0.0, 0.0, 1.0, 1.0),
        method="isotonic",
        brier=0.0,
        calibration_error=0.0,
        positives=1,
        negatives=1,
        created_at="2026-01-01T00:00:00+00:00",
    )
    return Threshold.choose(None, calibration)


@given(
    collections=COLLECTIONS,
    rank_by=st.sampled_from(RankBy),
    dedupe=st.booleans(),
    group_by=st.sampled_from([None, None, "product_id"]),
    group_size=st.integers(1, 2),
    node=st.one_of(st.none(), FILTERS),
    k=st.integers(1, 7),
    seed=st.integers(0, 999),
)
@settings(max_examples=examples(25, thorough=60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pages_of_several_collections_are_the_best_of_all(
    catalogue: Catalogue,
    folder: Path,
    collections: list[tuple[list[dict[str, Any]], list[Any], tuple[float, float]]],
    rank_by: RankBy,
    dedupe: bool,
    group_by: str | None,
    group_size: int,
    node: dict[str, Any] | None,
    k: int,
    seed: int,
) -> None:
    (query,) = unit(np.random.default_rng(seed + 5000), 1)
    refinement = Refinement(group_by=group_by, group_size=group_size if group_by else 1)
    condition = None if node is None else parse_filter(node, ANY_FIELDS)
    sources = []
    ranked: list[tuple[tuple[float, ...], str, list[Item]]] = []
    for place, (drafts, changes, knots) in enumerate(collections):
        name = f"merged-{next(NUMBERS)}"
        shop = Shop(CollectionLayout.of(folder, name), catalogue)
        searcher, items = fill(shop, [*drafts, COMPLETE], changes, seed + place)
        search = RefinedSearch(searcher, QueryVectors(query[None]), k, refinement, condition=condition)
        limit = threshold(knots)
        sources.append(MergedSource(name, searcher, search, limit))
        groups: dict[Any, list[Item]] = {}
        passing = [item for item in items if node is None or passes(dict(item.draft.metadata), node)]
        for item in sorted(passing, key=lambda item: (-float(query @ item.vector), item.order)):
            value = None if group_by is None else value_of(item, group_by)
            groups.setdefault(("alone", item.key) if value is None else value, []).append(item)
        for number, members in enumerate(groups.values()):
            score = float(query @ members[0].vector)
            confidence = float(np.interp(score, (-1.0, *knots, 1.0), (0, 0, 1, 1)))
            by_score = (-score, place, number)
            key = by_score if rank_by is RankBy.SCORE else (-confidence, limit.cosine - score, place, number)
            ranked.append((key, name, members[: refinement.group_size]))
    dedupe = dedupe and group_by is None
    expected, digests = [], set[str]()
    for _, name, members in sorted(ranked, key=lambda entry: entry[0]):
        digest = members[0].draft.content_digest
        if not dedupe or digest not in digests:
            expected.append([(name, item.key) for item in members])
        digests.add(digest)
    search_in_all = MergedSearch(sources, rank_by, dedupe=dedupe)
    rank = 1
    for start in range(0, len(expected) + k, k):
        page = [entry for group in expected[start : start + k] for entry in group]
        hits = search_in_all.page(start, k)
        assert [(hit.collection, hit.key) for hit in hits] == page
        assert [hit.rank for hit in hits] == list(range(rank, rank + len(hits)))
        assert search_in_all.has_more(start + k) == (len(expected) > start + k)
        again = MergedSearch(sources, rank_by, dedupe=dedupe)
        assert [(hit.collection, hit.key) for hit in again.page(start, k)] == page
        rank += len(hits)
