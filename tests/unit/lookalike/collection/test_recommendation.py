"""Recommendations are what their formulas say by brute force, and without likes the items that stand for all."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lookalike.catalogue.records import ItemDraft, NewItem
from lookalike.collection import representatives
from lookalike.collection.candidates import QueryVectors
from lookalike.collection.feedback import UNLIKED_WEIGHT
from lookalike.collection.preferences import MAX_PREFERENCES, Preferences, Strategy, WeightedKey
from lookalike.collection.refined_search import RefinedSearch
from lookalike.collection.refinement import Boost, GroupScore, Refinement
from lookalike.collection.searcher import Searcher
from lookalike.errors import FilterInvalidError, ItemNotFoundError
from lookalike.filters import ANY_FIELDS, parse_filter
from lookalike.index.clusters import cluster
from tests.helpers.shop_collection import SPEC, Shop

COUNT = 40
LIKE = (WeightedKey("3", 2), WeightedKey("7"), WeightedKey("11", 0.5))
UNLIKE = (WeightedKey("5", 3), WeightedKey("8"))
LARGE, MIDDLE, SMALL = 20, 12, 8
"""The sizes of the three groups of ``clustered``."""


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def fill(shop: Shop, vectors: np.ndarray) -> Searcher:
    """Items "0", "1" ... with these vectors, two of each product; every fourth is dear."""
    with shop.run() as builder:
        builder.store(
            [
                NewItem(
                    ItemDraft(
                        str(number), str(number), f"{number // 2:064x}", 10, 4, 4, "PNG",
                        product_id=f"p-{number // 2}", metadata={"dear": number % 4 == 0, "price": number},
                    ),
                    vector,
                )
                for number, vector in enumerate(vectors)
            ]
        )  # fmt: skip
        builder.publish()
    return shop.searcher()


def queries_of(searcher: Searcher, preferences: Preferences, pictures: np.ndarray) -> QueryVectors:
    liked = [searcher.vector(searcher.item(entry.key).id) for entry in preferences.like]
    return QueryVectors(np.concatenate([np.reshape(liked, (-1, SPEC.dimension)), pictures]).astype(np.float32))


def scores_by_formula(vectors: np.ndarray, preferences: Preferences, pictures: np.ndarray) -> np.ndarray:
    """What all items are ranked by."""
    vectors, pictures = vectors.astype(np.float64), pictures.astype(np.float64)
    liked = np.concatenate([vectors[[int(entry.key) for entry in preferences.like]], pictures])
    weights = np.array([*(entry.weight for entry in preferences.like), *[1.0] * len(pictures)])
    away = np.zeros(vectors.shape[1])
    if preferences.unlike:
        unlike_weights = [entry.weight for entry in preferences.unlike]
        away = np.average(vectors[[int(entry.key) for entry in preferences.unlike]], axis=0, weights=unlike_weights)
    if preferences.strategy is Strategy.MEAN:
        mean = np.average(liked, axis=0, weights=weights)
        moved = mean / np.linalg.norm(mean) - UNLIKED_WEIGHT * away
        return np.asarray(vectors @ moved / np.linalg.norm(moved))
    moved = liked - UNLIKED_WEIGHT * away
    cosines = vectors @ (moved / np.linalg.norm(moved, axis=1, keepdims=True)).T
    return np.asarray((cosines * weights / weights.max()).max(axis=1))


@pytest.fixture
def vectors() -> np.ndarray:
    return unit(np.random.default_rng(5).normal(size=(COUNT, SPEC.dimension)))


@pytest.fixture
def clustered(shop: Shop) -> tuple[Searcher, np.ndarray]:
    """Items around three directions, the largest group in the middle of the collection."""
    random = np.random.default_rng(7)
    directions = np.eye(SPEC.dimension)[np.repeat([0, 1, 2], [MIDDLE, LARGE, SMALL])]
    vectors = unit(directions + 0.1 * random.normal(size=directions.shape))
    return fill(shop, vectors), vectors


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("unlike", [(), UNLIKE])
@pytest.mark.parametrize("picture_count", [0, 2])
@pytest.mark.parametrize("like", [LIKE, LIKE[1:2]])
def test_hits_are_in_the_order_of_the_formula(
    shop: Shop,
    vectors: np.ndarray,
    strategy: Strategy,
    unlike: tuple[WeightedKey, ...],
    picture_count: int,
    like: tuple[WeightedKey, ...],
) -> None:
    searcher = fill(shop, vectors)
    pictures = unit(np.random.default_rng(6).normal(size=(picture_count, SPEC.dimension)))
    preferences = Preferences(like=like, unlike=unlike, picture_count=picture_count, strategy=strategy)
    queries = queries_of(searcher, preferences, pictures)
    expected = scores_by_formula(vectors, preferences, pictures)
    left_out = {entry.key for entry in like + unlike}
    keys = [str(number) for number in np.argsort(-expected) if str(number) not in left_out]
    search = RefinedSearch(searcher, queries, 7, Refinement(preferences=preferences))
    hits = [hit for start in range(0, COUNT, 7) for hit in search.hits(search.page(start, 7))]
    assert [hit.key for hit in hits] == keys
    for hit in hits:
        assert hit.feedback_score == pytest.approx(expected[int(hit.key)], abs=1e-6)
        assert hit.score == pytest.approx(float((queries.vectors @ vectors[int(hit.key)]).max()), abs=1e-6)
    with_liked = Refinement(
        preferences=Preferences(
            like=like, unlike=unlike, picture_count=picture_count, strategy=strategy, include_liked=True
        )
    )
    search = RefinedSearch(searcher, queries, COUNT, with_liked)
    assert {hit.key for hit in search.hits(search.page(0, COUNT))} == {*keys, *(entry.key for entry in like)}


def test_weights_decide_and_their_scale_does_not(shop: Shop, vectors: np.ndarray) -> None:
    searcher = fill(shop, vectors)
    rankings = []
    for first, second in ((1, 1), (1000, 1), (1, 1000), (3e-200, 3e-200), (1e308, 1e308)):
        for strategy in Strategy:
            preferences = Preferences(like=(WeightedKey("0", first), WeightedKey("1", second)), strategy=strategy)
            queries = queries_of(searcher, preferences, np.empty((0, SPEC.dimension)))
            search = RefinedSearch(searcher, queries, COUNT, Refinement(preferences=preferences))
            rankings.append([hit.key for hit in search.hits(search.page(0, 5))])
    equal, heavy_first, heavy_second, tiny, huge = (rankings[place : place + 2] for place in range(0, 10, 2))
    assert equal == tiny == huge
    near = {number: [str(n) for n in np.argsort(-vectors @ vectors[number]) if n > 1] for number in (0, 1)}
    assert [ranking[:3] for ranking in heavy_first] == [near[0][:3]] * 2
    assert [ranking[:3] for ranking in heavy_second] == [near[1][:3]] * 2


def test_a_key_that_comes_several_times_has_the_sum_of_its_weights() -> None:
    preferences = Preferences(like=(WeightedKey("a"), WeightedKey("b", 2), WeightedKey("a", 0.5)))
    assert preferences.like == (WeightedKey("a", 1.5), WeightedKey("b", 2))
    assert preferences.liked_weights().tolist() == [0.75, 1]
    with pytest.raises(FilterInvalidError, match="must be a finite number above 0"):
        Preferences(like=(WeightedKey("a", 1e308), WeightedKey("a", 1e308)))


def test_groups_filters_and_boosts_go_together_with_likes(shop: Shop, vectors: np.ndarray) -> None:
    searcher = fill(shop, vectors)
    preferences = Preferences(like=LIKE, unlike=UNLIKE, strategy=Strategy.BEST)
    queries = queries_of(searcher, preferences, np.empty((0, SPEC.dimension)))
    refinement = Refinement(
        preferences=preferences, group_by="product_id", boosts=(Boost(field="price", weight=0.3, scale=COUNT),)
    )
    search = RefinedSearch(searcher, queries, 50, refinement, condition=parse_filter("dear = false", ANY_FIELDS))
    scores = scores_by_formula(vectors, preferences, np.empty((0, SPEC.dimension)))
    boosted = {number: scores[number] + 0.3 * number / COUNT for number in range(COUNT) if number % 4}
    left_out = {int(entry.key) // 2 for entry in LIKE + UNLIKE}
    expected: dict[int, int] = {}
    for number in sorted(boosted, key=lambda number: -boosted[number]):
        if number // 2 not in left_out:
            expected.setdefault(number // 2, number)
    hits = search.hits(search.page(0, 50))
    assert [int(hit.key) for hit in hits] == list(expected.values())
    assert [hit.boosted_score for hit in hits] == pytest.approx([boosted[int(hit.key)] for hit in hits], abs=1e-6)


# Nothing liked


def representative(searcher: Searcher, k: int, *, condition: str | None = None, **options: object) -> list[str]:
    """The keys of all pages."""
    refinement = Refinement(preferences=options.pop("preferences", Preferences()), **options)  # type: ignore[arg-type]
    parsed = None if condition is None else parse_filter(condition, ANY_FIELDS)
    queries = QueryVectors(np.empty((0, SPEC.dimension), np.float32))
    search = RefinedSearch(searcher, queries, k, refinement, condition=parsed)
    hits = []
    for start in range(0, COUNT + k, k):
        hits += search.hits(search.page(start, k))
        assert search.has_more(start + k) == (search.group(start + k) is not None)
    assert search.best_score is None
    assert all(hit.feedback_score is None and hit.boosted_score is None for hit in hits)
    return [hit.key for hit in hits]


def test_without_likes_each_group_of_like_items_has_its_middle_the_largest_first(
    clustered: tuple[Searcher, np.ndarray],
) -> None:
    searcher, vectors = clustered
    keys = representative(searcher, 3)
    groups = [range(MIDDLE, MIDDLE + LARGE), range(MIDDLE), range(MIDDLE + LARGE, COUNT)]
    middles = []
    for numbers in groups:
        centre = unit(vectors[numbers].mean(axis=0))
        middles.append([str(numbers[place]) for place in np.argsort(-vectors[numbers] @ centre)])
    assert keys[:6] == [*(middle[0] for middle in middles), *(middle[1] for middle in middles)]
    assert sorted(keys) == sorted(map(str, range(COUNT))), "pages go on until all were there"
    assert representative(searcher, 3) == keys
    assert representative(searcher, 3, min_score=0.99, diversity=0.5) == keys, "there is nothing that these weigh"
    assert representative(searcher, 3, boosts=(Boost(field="price", weight=0.5, scale=1),)) == keys


def test_without_likes_what_is_asked_of_hits_holds(clustered: tuple[Searcher, np.ndarray]) -> None:
    searcher, _ = clustered
    everything = representative(searcher, 3)
    cheap = representative(searcher, 3, condition="dear = false")
    assert {int(key) % 4 for key in cheap} == {1, 2, 3}
    assert len(cheap) == COUNT * 3 // 4
    products = representative(searcher, 3, group_by="product_id")
    assert sorted(int(key) // 2 for key in products) == list(range(COUNT // 2))
    assert products[:3] == everything[:3]
    pairs = representative(searcher, 3, group_by="product_id", group_size=2)
    assert pairs[0::2] == products
    assert [int(key) // 2 for key in pairs[1::2]] == [int(key) // 2 for key in products]
    assert representative(searcher, 3, dedupe=True) == products, (
        "the two pictures of a product have the same bytes here"
    )
    assert representative(searcher, 3, exclude_keys=(everything[0],))[0] != everything[0]
    unliked = Preferences(unlike=(WeightedKey(everything[0]),))
    without = representative(searcher, 3, preferences=unliked, group_by="product_id")
    assert int(everything[0]) // 2 not in {int(key) // 2 for key in without}
    few = representative(searcher, 5, condition="price < 2", relax_filter=True)
    assert (sorted(few[:2]), len(few)) == (["0", "1"], COUNT)
    assert representative(searcher, 5, condition="price > 100") == []


def test_of_many_items_some_are_taken_at_even_distances(
    clustered: tuple[Searcher, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher, _ = clustered
    monkeypatch.setattr(representatives, "MAX_CLUSTERED", 14)
    keys = representative(searcher, 3)
    assert sorted(map(int, keys)) == [n * (COUNT - 1) // 13 for n in range(14)]


def test_clusters_of_equal_vectors_and_of_more_than_there_are() -> None:
    vectors = np.repeat(unit(np.random.default_rng(1).normal(size=(1, 8))), 5, axis=0)
    clusters = cluster(vectors, 9)
    assert clusters.cosines == pytest.approx(1, abs=1e-5)
    assert len(clusters.labels) == 5


# What is wrong


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["like", "unlike"])
def test_a_weight_that_is_none_is_refused(name: str, weight: float) -> None:
    with pytest.raises(FilterInvalidError, match=f"{name}: the weight of 'a' must be a finite number above 0"):
        Preferences(**{name: (WeightedKey("a", weight),)})  # type: ignore[arg-type]


def test_too_many_and_both_liked_and_unliked_are_refused() -> None:
    many = tuple(WeightedKey(str(number)) for number in range(MAX_PREFERENCES + 1))
    for name in ("like", "unlike"):
        with pytest.raises(FilterInvalidError, match=f"{name}: at most 16 items are possible, got 17"):
            Preferences(**{name: many})  # type: ignore[arg-type]
    with pytest.raises(FilterInvalidError, match="image: at most 16 pictures"):
        Preferences(picture_count=17)
    with pytest.raises(FilterInvalidError, match="unlike: '2' is among like too"):
        Preferences(like=many[:4], unlike=many[2:3])
    with pytest.raises(FilterInvalidError, match="is not possible with group_score=mean"):
        Refinement(preferences=Preferences(), group_by="product_id", group_score=GroupScore.MEAN)


def test_an_unknown_key_is_told(shop: Shop, vectors: np.ndarray) -> None:
    searcher = fill(shop, vectors)
    with pytest.raises(ItemNotFoundError, match="none such"):
        representative(searcher, 3, preferences=Preferences(unlike=(WeightedKey("none such"),)))
