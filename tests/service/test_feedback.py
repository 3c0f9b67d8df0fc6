"""More like this and less like this, and products by the mean of their best pictures, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lookalike import Collection
from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.harness import Service, item_path, serving
from tests.service.test_refined_searching import COUNT, QUERY, data, fields_of

__all__ = ["data"]

LIKED, UNLIKED = ("02", "09"), ("05",)
FEEDBACK: dict[str, Any] = {"like_keys": "02,09", "unlike_keys": "05"}


@pytest.fixture(scope="module")
def refined(data: Path) -> Iterator[Service]:
    with serving(data) as service:
        yield service


@pytest.fixture(scope="module")
def vectors(data: Path) -> dict[str, np.ndarray]:
    with Collection.open(data, "shop") as collection:
        vectors = {item.key: np.asarray(collection.vector(item)) for item in collection.items()}
        for number in (900, 901):
            (vectors[f"query {number}"],) = collection.encoder.encode([make_picture(number)])
    return vectors


def move(query: np.ndarray, vectors: dict[str, np.ndarray], unliked: tuple[str, ...] = UNLIKED) -> np.ndarray:
    """The formula of docs/search.md."""
    moved = query + 1.0 * np.mean([vectors[key] for key in LIKED], axis=0)
    if unliked:
        moved = moved - 0.25 * np.mean([vectors[key] for key in unliked], axis=0)
    return np.asarray(moved / np.linalg.norm(moved))


def hits(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def order_by(query: np.ndarray, vectors: dict[str, np.ndarray], left_out: set[str]) -> list[str]:
    scores = {key: float(vector @ query) for key, vector in vectors.items() if "query" not in key}
    return sorted((key for key in scores if key not in left_out), key=lambda key: -round(scores[key], 6))


def test_hits_are_ranked_by_the_moved_query_and_judged_by_the_picture(
    refined: Service, vectors: dict[str, np.ndarray]
) -> None:
    query = vectors["query 900"]
    moved = move(query, vectors)
    answer = refined.search(QUERY, k=100, **FEEDBACK)
    assert [hit["key"] for hit in hits(answer)] == order_by(moved, vectors, {*LIKED, *UNLIKED})
    for hit in hits(answer):
        assert hit["score"] == pytest.approx(float(vectors[hit["key"]] @ query), abs=1e-4)
        assert hit["feedback_score"] == pytest.approx(float(vectors[hit["key"]] @ moved), abs=1e-4)
        assert hit["similar"] == (hit["normalized_score"] >= answer.json()["threshold"]["value"])
    best = max(float(vectors[hit["key"]] @ query) for hit in hits(answer))
    assert answer.json()["best_score"] == pytest.approx(best, abs=1e-4)
    assert [hit["feedback_score"] for hit in hits(refined.search(QUERY, k=2))] == [None, None]
    with_liked = refined.search(QUERY, k=100, include_liked="true", **FEEDBACK)
    assert [hit["key"] for hit in hits(with_liked)] == order_by(moved, vectors, set(UNLIKED))
    least = sorted(hit["score"] for hit in hits(answer))[COUNT // 2] - 1e-5
    above = refined.search(QUERY, k=100, min_score=least, **FEEDBACK)
    expected = [hit["key"] for hit in hits(answer) if hit["score"] >= least]
    assert [hit["key"] for hit in hits(above)] == expected
    assert 0 < len(expected) < COUNT - 3


def test_by_key_by_several_pictures_and_by_liked_items_alone(refined: Service, vectors: dict[str, np.ndarray]) -> None:
    by_key = refined.get(item_path("07", "similar"), params={"k": "100"} | FEEDBACK)
    moved = move(vectors["07"], vectors)
    assert [hit["key"] for hit in hits(by_key)] == order_by(moved, vectors, {*LIKED, *UNLIKED, "07"})
    assert hits(refined.search(key="07", k=100, **FEEDBACK)) == hits(by_key)
    files = [("image", (f"{number}.png", encode_png(make_picture(number)))) for number in (900, 901)]
    by_pictures = refined.post("/search", files=files, data={"k": "100"} | FEEDBACK)
    queries = [vectors["query 900"], vectors["query 901"]]
    for hit in hits(by_pictures):
        vector = vectors[hit["key"]]
        assert hit["score"] == pytest.approx(max(float(vector @ query) for query in queries), abs=1e-4)
        best = max(float(vector @ move(query, vectors)) for query in queries)
        assert hit["feedback_score"] == pytest.approx(best, abs=1e-4)
    alone = refined.search(like_keys="02,09", k=100)
    for hit in hits(alone):
        vector = vectors[hit["key"]]
        assert hit["score"] == pytest.approx(max(float(vector @ vectors[key]) for key in LIKED), abs=1e-4)
        best = max(float(vector @ move(vectors[key], vectors, ())) for key in LIKED)
        assert hit["feedback_score"] == pytest.approx(best, abs=1e-4)
    scores = [hit["feedback_score"] for hit in hits(alone)]
    assert (scores, len(scores)) == (sorted(scores, reverse=True), COUNT - 2)
    assert alone.json()["query"]["key"] == "02"
    assert hits(refined.search(like_keys="02,09", k=100)) == hits(alone), "from the cache"
    batch = refined.post("/search/batch", files=files, data={"k": "100"} | FEEDBACK).json()
    # The last digit of a vector depends on what is encoded beside it.
    batch_hits, single_hits = batch["results"][0]["answer"]["results"], hits(refined.search(QUERY, k=100, **FEEDBACK))
    for hit, single_hit in zip(batch_hits, single_hits, strict=True):
        assert hit["key"] == single_hit["key"]
        assert hit["score"] == pytest.approx(single_hit["score"], abs=1e-5)
        assert hit["feedback_score"] == pytest.approx(single_hit["feedback_score"], abs=1e-5)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"filter": "price > 3"},
        {"group_by": "product_id", "group_size": "2"},
        {"min_score": "0.05", "dedupe": "true"},
        {"boost": '{"field": "price", "weight": 0.2, "scale": 20}'},
    ],
)
@pytest.mark.parametrize("query", [{}, {"key": "07"}, {"alone": True}])
def test_pages_of_feedback_have_no_gaps_and_no_doubles(
    refined: Service, fields: dict[str, str], query: dict[str, Any]
) -> None:
    picture = None if query else QUERY
    sent: dict[str, Any] = FEEDBACK | fields | {name: value for name, value in query.items() if name != "alone"}
    whole = hits(refined.search(picture, k=500, **sent))
    page = refined.search(picture, k=4, **sent)
    found = hits(page)
    while page.json()["next_cursor"] is not None:
        page = refined.search(picture, k=4, cursor=page.json()["next_cursor"], **sent)
        found += hits(page)
    if "boost" in fields:
        assert sorted(hit["key"] for hit in found) == sorted(hit["key"] for hit in whole)
    else:
        assert found == whole
    other = refined.search(picture, k=4, **sent | {"unlike_keys": "06"}, cursor=refined_cursor(refined, picture, sent))
    assert "belongs to another search" in other.json()["detail"]


def refined_cursor(service: Service, picture: bytes | None, fields: dict[str, Any]) -> str:
    cursor: str = service.search(picture, k=4, **fields).json()["next_cursor"]
    return cursor


def test_feedback_goes_with_diversity_and_a_fallback(refined: Service) -> None:
    diverse = hits(refined.search(QUERY, k=COUNT, diversity=0.5, **FEEDBACK))
    plain = hits(refined.search(QUERY, k=COUNT, **FEEDBACK))
    assert sorted(hit["key"] for hit in diverse) == sorted(hit["key"] for hit in plain)
    assert [hit["key"] for hit in diverse] != [hit["key"] for hit in plain]
    filled = hits(refined.search(QUERY, k=5, filter="price < 2", fallback="relax_filter", **FEEDBACK))
    assert [hit["passed_filter"] for hit in filled] == [True, True, False, False, False]
    tiers = hits(refined.search(QUERY, k=2, tiers="true", **FEEDBACK))
    assert all(hit["tier"] is not None for hit in tiers)


@pytest.mark.parametrize(
    ("fields", "status", "code", "words"),
    [
        ({"like_keys": "02,none such"}, 404, "item-not-found", "'none such'"),
        ({"unlike_keys": "none such"}, 404, "item-not-found", "'none such'"),
        ({"like_keys": "02", "unlike_keys": "03,02"}, 422, "field-invalid", "'02' is among like_keys too"),
        ({"like_keys": ",".join(map(str, range(17)))}, 422, "field-invalid", "at most 16"),
        (
            {"like_keys": "02", "group_by": "product_id", "group_score": "mean"},
            422,
            "field-invalid",
            "group_score=mean",
        ),
    ],
)
def test_feedback_that_cannot_be_used_is_refused(
    refined: Service, fields: dict[str, Any], status: int, code: str, words: str
) -> None:
    answer = refined.search(QUERY, **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.text


def test_liked_items_alone_have_no_box_and_no_tiers(refined: Service) -> None:
    others: list[dict[str, Any]] = [{"box": "0,0,1,0.5"}, {"tiers": "true"}]
    for other in others:
        answer = refined.search(like_keys="02", **other)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, *other)
    only_unliked = refined.search(unlike_keys="02")
    assert (only_unliked.status_code, only_unliked.json()["code"]) == (422, "image-missing")


@pytest.mark.parametrize("combine", ["best", "mean"])
def test_products_by_the_mean_of_the_best_of_their_pictures(
    refined: Service, vectors: dict[str, np.ndarray], combine: str
) -> None:
    queries = np.stack([vectors["query 900"], vectors["query 901"]])
    products: dict[str, list[str]] = {}
    for number in range(COUNT):
        key = f"{number:02}"
        products.setdefault(fields_of(number).get("product_id", key), []).append(key)
    means = {
        name: float(np.mean([max(float(vectors[key] @ query) for key in keys) for query in queries]))
        for name, keys in products.items()
    }
    files = [("image", (f"{number}.png", encode_png(make_picture(number)))) for number in (900, 901)]
    fields = {"combine": combine, "group_by": "product_id", "group_score": "mean", "k": "5"}
    page = refined.post("/search", files=files, data=fields)
    found = hits(page)
    while page.json()["next_cursor"] is not None:
        page = refined.post("/search", files=files, data=fields | {"cursor": page.json()["next_cursor"]})
        found += hits(page)
    order = sorted(means, key=lambda name: -round(means[name], 6))
    assert [hit["group"] or hit["key"] for hit in found] == order
    assert [hit["group_score"] for hit in found] == pytest.approx([means[name] for name in order], abs=1e-4)
    for hit in found:
        keys = products[hit["group"] or hit["key"]]
        combined = {key: getattr(queries @ vectors[key], "max" if combine == "best" else "mean")() for key in keys}
        assert hit["key"] == max(combined, key=lambda key: float(combined[key]))
        assert hit["score"] == pytest.approx(float(combined[hit["key"]]), abs=1e-4)
    for other, place in (({"dedupe": "true"}, "dedupe"), ({"boost": '{"field":"price","weight":0.1}'}, "boost")):
        refused = refined.post("/search", files=files, data=fields | other)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, place)
    alone = refined.search(QUERY, group_score="mean")
    assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "group_score")
