"""Recommendations by the Python API: by items with weights and by pictures, page by page, and without either."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lookalike import Collection
from lookalike.collection.preferences import REPRESENTATIVE_PROBLEM
from lookalike.errors import FilterInvalidError, ItemNotFoundError, VectorsInvalidError
from lookalike.tiers import PLAIN_PROBLEM
from tests.unit.lookalike.test_search_options import COUNT, QUERY, data, query, shipped_calibrations, shop, vectors

__all__ = ["data", "query", "shipped_calibrations", "shop", "vectors"]  # fixtures


def test_items_and_pictures_are_liked_with_weights(
    shop: Collection, vectors: dict[str, np.ndarray], query: np.ndarray
) -> None:
    liked, weights = np.stack([vectors["02"], vectors["05"], query]), np.array([2, 1, 1])
    hits = shop.recommend([("02", 2), "05"], ["04"], COUNT, images=[QUERY], strategy="best")
    assert {hit.key for hit in hits} == set(vectors) - {"02", "04", "05"}
    moved = liked - 0.25 * vectors["04"]
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    for hit in hits:
        expected = float((moved @ vectors[hit.key] * weights / 2).max())
        assert hit.feedback_score == pytest.approx(expected, abs=1e-5)
        assert hit.score == pytest.approx(float((liked @ vectors[hit.key]).max()), abs=1e-5)
        assert hit.similar == shop.threshold().similar(hit.score)
    scores = [hit.feedback_score or 0 for hit in hits]
    assert scores == sorted(scores, reverse=True)
    mean = weights @ liked
    mean /= np.linalg.norm(mean)
    for hit in shop.recommend([("02", 2), "05"], k=COUNT, images=[QUERY]):
        assert hit.feedback_score == pytest.approx(float(mean @ vectors[hit.key]), abs=1e-5)
    alone, similar = shop.recommend(["05"], k=COUNT), shop.similar("05", COUNT)
    assert [hit.key for hit in alone] == [hit.key for hit in similar]
    assert [hit.score for hit in alone] == pytest.approx([hit.score for hit in similar])


@pytest.mark.parametrize("likes", [{"like": ["02"]}, {"images": [QUERY]}, {}])
@pytest.mark.parametrize("options", [{}, {"group_by": "product_id"}, {"dedupe": True, "where": "price > 2"}])
def test_pages_are_all_without_gaps_and_doubles(
    shop: Collection, likes: dict[str, Any], options: dict[str, Any]
) -> None:
    hits = [hit for page in shop.recommend_pages(k=2, **likes, **options) for hit in page]
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    if likes:
        assert [hit.key for hit in hits] == [hit.key for hit in shop.recommend(k=COUNT, **likes, **options)]
    else:
        assert len(hits) == (4 if "group_by" in options else 8 if options else COUNT)
        assert {hit.score_problem for hit in hits} == {REPRESENTATIVE_PROBLEM}
        assert not any(hit.similar for hit in hits)
    assert len({hit.group if "group_by" in options else hit.key for hit in hits}) == len(hits)


def test_a_picture_of_one_colour_says_nothing(shop: Collection) -> None:
    plain = np.full((64, 64, 3), 200, np.uint8)
    assert {hit.score_problem for hit in shop.recommend(images=[plain])} == {PLAIN_PROBLEM}
    assert {hit.score_problem for hit in shop.recommend(["02"], images=[plain])} == {None}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"like": "02"}, "like: must be a list of keys, not str"),
        ({"unlike": [2]}, "unlike: must be a list of keys, or of keys and weights"),
        ({"like": [("02", True)]}, "like: must be a list of keys, or of keys and weights"),
        ({"like": [("02", 0)]}, "like: the weight of '02' must be a finite number above 0, got 0.0"),
        ({"like": ["02"], "unlike": ["02"]}, "unlike: '02' is among like too"),
        ({"images": [QUERY] * 17}, "image: at most 16 pictures"),
        ({"like": ["02"], "strategy": "sum"}, "strategy: must be 'mean' or 'best', not 'sum'"),
        ({"group_size": 2}, "group_size: needs group_by"),
        ({"boost": (), "group_by": "prodct_id"}, "did you mean 'product_id'"),
    ],
)
def test_what_is_wrong_is_told(shop: Collection, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(FilterInvalidError, match=words):
        shop.recommend(**arguments)


def test_keys_options_and_pages_that_there_are_not(shop: Collection) -> None:
    with pytest.raises(ItemNotFoundError, match="none such"):
        shop.recommend(["none such"])
    with pytest.raises(TypeError, match="a recommendation has no option 'like_keys'"):
        shop.recommend(["02"], like_keys=["03"])  # type: ignore[call-arg]
    with pytest.raises(VectorsInvalidError, match="k must be at least 1"):
        shop.recommend(k=0)
    with pytest.raises(VectorsInvalidError, match=r"give \[picture\]"):
        shop.recommend(images=QUERY)  # type: ignore[arg-type]
