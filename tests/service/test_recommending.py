"""Recommendations over HTTP: by items with weights and by pictures, with what searches have, and without either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lookalike import Collection
from lookalike.collection.preferences import REPRESENTATIVE_PROBLEM
from lookalike.images import encode_png
from lookalike.testing import make_picture
from lookalike.tiers import PLAIN_PROBLEM
from tests.service.harness import Service, item_path, serving, without_times
from tests.service.test_refined_searching import COUNT, QUERY, data

__all__ = ["data"]  # a fixture

KEYS = [f"{number:02}" for number in range(COUNT)]
OTHER_VIEW = encode_png(make_picture(901))
WEIGHTED = '["02", {"key": "09", "weight": 2}]'


@pytest.fixture(scope="module")
def shop(data: Path) -> Iterator[Service]:
    with serving(data) as service:
        yield service


@pytest.fixture(scope="module")
def vectors(data: Path) -> dict[str, np.ndarray]:
    with Collection.open(data, "shop") as collection:
        encoded = dict(zip(("query", "view"), collection.encoder.encode([QUERY, OTHER_VIEW]), strict=True))
        return {item.key: collection.vector(item) for item in collection.items()} | encoded


def recommend(service: Service, *pictures: bytes, **fields: Any) -> httpx.Response:
    files = [("image", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]
    return service.post("/recommend", data={name: str(value) for name, value in fields.items()}, files=files or None)


def hits(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def keys(response: httpx.Response) -> list[str]:
    return [hit["key"] for hit in hits(response)]


def pages(service: Service, *pictures: bytes, **fields: Any) -> list[dict[str, Any]]:
    answers = [recommend(service, *pictures, **fields).json()]
    while answers[-1]["next_cursor"] is not None:
        answers.append(recommend(service, *pictures, **fields, cursor=answers[-1]["next_cursor"]).json())
    return answers


def moved(vectors: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Rows moved away, of unit length."""
    moved_vectors = vectors - 0.25 * away
    return np.asarray(moved_vectors / np.linalg.norm(moved_vectors, axis=-1, keepdims=True))


@pytest.mark.parametrize("strategy", ["mean", "best"])
def test_hits_are_ranked_by_the_formula_of_the_strategy(
    shop: Service, vectors: dict[str, np.ndarray], strategy: str
) -> None:
    fields = {"like": WEIGHTED, "unlike": '[{"key": "04", "weight": 3}, "07"]', "strategy": strategy, "k": 100}
    answer = recommend(shop, QUERY, OTHER_VIEW, **fields)
    liked, weights = np.stack([vectors[name] for name in ("02", "09", "query", "view")]), np.array([1, 2, 1, 1])
    away = (3 * vectors["04"] + vectors["07"]) / 4
    mean = weights @ liked
    mean /= np.linalg.norm(mean)
    assert {hit["key"] for hit in hits(answer)} == set(KEYS) - {"02", "09", "04", "07"}
    for hit in hits(answer):
        vector = vectors[hit["key"]]
        best = float((moved(liked, away) @ vector * weights / 2).max())
        expected = float(moved(mean, away) @ vector) if strategy == "mean" else best
        assert hit["feedback_score"] == pytest.approx(expected, abs=1e-4)
        assert hit["score"] == pytest.approx(float((liked @ vector).max()), abs=1e-4)
    scores = [hit["feedback_score"] for hit in hits(answer)]
    assert scores == sorted(scores, reverse=True)
    body = answer.json()
    assert (body["basis"], body["strategy"], body["exhausted"]) == ("liked", strategy, True)
    assert body["best_score"] == pytest.approx(max(hit["score"] for hit in hits(answer)), abs=1e-6)


def test_one_liked_item_is_a_search_by_its_key(shop: Service) -> None:
    similar = shop.get(item_path("05", "similar"), params={"k": 100})
    for fields in ({"like": "05"}, {"like": '{"key": "05", "weight": 7}'}, {"like": "05,05", "strategy": "best"}):
        assert keys(recommend(shop, k=100, **fields)) == keys(similar)
    assert set(keys(recommend(shop, k=100, like="05", include_liked=True))) == set(KEYS)


def test_all_kinds_of_bodies_and_both_paths_say_the_same(shop: Service) -> None:
    form = recommend(shop, like=WEIGHTED, unlike="04", k=5)
    in_json = {"like": json.loads(WEIGHTED), "unlike": ["04"], "k": 5}
    for path in ("/recommend", "/collections/shop/recommend"):
        for body in ({"json": in_json}, {"data": {"like": WEIGHTED, "unlike": "04", "k": "5"}}):
            response = shop.post(path, **body)
            assert without_times(response.json()) == without_times(form.json())
            assert response.headers["x-snapshot"] == str(form.json()["snapshot"])
    named = shop.post("/recommend", json=in_json | {"collection": "shop"})
    assert without_times(named.json()) == without_times(form.json())
    picture = shop.post("/recommend?k=5&like=02", content=QUERY, headers={"content-type": "image/png"})
    assert keys(picture) == keys(recommend(shop, QUERY, like="02", k=5))


@pytest.mark.parametrize("likes", [{"like": WEIGHTED, "unlike": "04", "strategy": "best"}, {"unlike": "04"}, {}])
@pytest.mark.parametrize("pictures", [(), (QUERY,)])
@pytest.mark.parametrize(
    "options",
    [{}, {"group_by": "product_id"}, {"filter": "price > 3", "dedupe": "true"}],
)
def test_pages_are_all_without_gaps_and_doubles(
    shop: Service, likes: dict[str, Any], pictures: tuple[bytes, ...], options: dict[str, Any]
) -> None:
    answers = pages(shop, *pictures, k=3, **likes, **options)
    found = [hit for answer in answers for hit in answer["results"]]
    assert [hit["rank"] for hit in found] == list(range(1, len(found) + 1))
    assert len({hit["key"] for hit in found}) == len(found)
    if likes or pictures:
        assert "04" not in {hit["key"] for hit in found} or "unlike" not in likes
    if "like" in likes or pictures:
        assert [hit["key"] for hit in found] == keys(recommend(shop, *pictures, k=100, **likes, **options))
    if "group_by" in options:
        groups = [hit["group"] for hit in found if hit["group"] is not None]
        assert len(set(groups)) == len(groups)
        assert {"p-2"}.isdisjoint(groups) or "unlike" not in likes, "the group of an unliked item"
        assert {"p-1", "p-4"}.isdisjoint(groups) or "like" not in likes


def test_a_cursor_of_other_likes_is_refused(shop: Service) -> None:
    cursor = recommend(shop, like="02", k=3).json()["next_cursor"]
    assert recommend(shop, like="02", k=3, cursor=cursor).status_code == 200
    for fields in ({"like": "03"}, {"like": '{"key": "02", "weight": 2}'}, {"like": "02", "strategy": "best"}, {}):
        refused = recommend(shop, k=3, cursor=cursor, **fields)
        assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    search = shop.search(key="02", k=3, cursor=cursor)
    assert search.status_code == 422


def test_filters_facets_boosts_and_exclusions_are_those_of_a_search(
    shop: Service, vectors: dict[str, np.ndarray]
) -> None:
    answer = recommend(
        shop,
        like="02",
        k=100,
        filter="price < 12",
        facets="category",
        exclude_keys="03,05",
        boost='{"field": "price", "weight": 0.4, "scale": 12}',
    )
    boosted = {key: float(vectors["02"] @ vectors[key]) + 0.4 * int(key) / 12 for key in KEYS[:12]}
    expected = sorted(set(boosted) - {"02", "03", "05"}, key=lambda key: -boosted[key])
    assert keys(answer) == expected
    assert answer.json()["passing"] == 12
    assert answer.json()["facets"]["category"]["distinct"] == 3
    near = recommend(shop, like="02", min_score=0.5, k=100)
    assert keys(near) == [key for key in keys(recommend(shop, like="02", k=100)) if vectors["02"] @ vectors[key] >= 0.5]


def test_without_likes_hits_are_representative_and_the_same_each_time(shop: Service, data: Path) -> None:
    answer = recommend(shop, k=5)
    body = answer.json()
    assert (body["basis"], body["strategy"], body["best_score"]) == ("representative", None, None)
    assert (len(hits(answer)), body["exhausted"]) == (5, False)
    for hit in hits(answer):
        assert (hit["similar"], hit["confidence"], hit["feedback_score"]) == (False, None, None)
        assert hit["confidence_problem"] == REPRESENTATIVE_PROBLEM
    assert without_times(shop.post("/recommend", json={"k": 5}).json()) == without_times(body)
    with serving(data) as again:
        assert hits(recommend(again, k=5)) == hits(answer)
    assert keys(recommend(shop, k=5, min_score=0.99, diversity=1)) == keys(answer)
    mugs = recommend(shop, k=3, filter="category = mug", group_by="product_id")
    assert {hit["metadata"]["category"] for hit in hits(mugs)} == {"mug"}
    assert keys(recommend(shop, k=5, unlike=keys(answer)[0]))[0] != keys(answer)[0]


def test_a_picture_of_one_colour_is_told(shop: Service) -> None:
    plain = encode_png(np.full((64, 64, 3), 200, np.uint8))
    for fields, problem in (({}, PLAIN_PROBLEM), ({"like": "02"}, "the scores are not calibrated")):
        assert {hit["confidence_problem"] for hit in hits(recommend(shop, plain, **fields))} == {problem}


MANY = json.dumps([f"{number:02}" for number in range(17)])


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"like": '{"key": "02", "weight": 0}'}, "like", "must be a finite number above 0"),
        ({"like": '{"key": "02", "weight": -1}'}, "like", "must be a finite number above 0"),
        ({"like": '{"key": "02", "weight": NaN}'}, "like", "must be a finite number above 0"),
        ({"unlike": '{"key": "02", "weight": 1e999}'}, "unlike", "must be a finite number above 0"),
        ({"unlike": f'{{"key": "02", "weight": 1{"0" * 400}}}'}, "unlike", "must be a finite number above 0"),
        ({"like": '{"key": "02", "weight": "2"}'}, "like", "weight must be a number"),
        ({"like": '{"key": "02", "weight": true}'}, "like", "weight must be a number"),
        ({"like": '{"key": 2}'}, "like", "key must be text"),
        ({"like": '{"weight": 2}'}, "like", 'objects such as {"key": "sku-1", "weight": 2}'),
        ({"like": "[2]"}, "like", 'objects such as {"key": "sku-1", "weight": 2}'),
        ({"like": "[02"}, "like", "is not JSON"),
        ({"like": ""}, "like", "1 to 1024 characters"),
        ({"like": MANY}, "like", "at most 16 items"),
        ({"unlike": MANY}, "unlike", "at most 16 items"),
        ({"like": "02,03", "unlike": "03"}, "unlike", "'03' is among like too"),
        ({"like": "02", "strategy": "sum"}, "strategy", "'mean' or 'best'"),
        ({"group_size": "2"}, "group_size", "needs group_by"),
        ({"like_keys": "02"}, "like_keys", "is unknown"),
        ({"like": "02", "group_score": "mean"}, "group_score", "is unknown"),
    ],
)
def test_what_is_wrong_is_told_by_field(shop: Service, fields: dict[str, str], field: str, words: str) -> None:
    refused = recommend(shop, **fields)
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert words in refused.text.replace('\\"', '"')
    assert field in refused.text


def test_keys_pictures_and_fields_that_there_are_not(shop: Service) -> None:
    for fields in ({"like": "02,none such"}, {"like": "02", "unlike": "none such"}):
        missing = recommend(shop, **fields)
        assert (missing.status_code, missing.json()["code"]) == (404, "item-not-found")
    assert recommend(shop, *[QUERY] * 17).status_code == 422
    assert recommend(shop, b"no picture").status_code == 415
    assert recommend(shop, filter="categry = mug").json()["code"] == "filter-invalid"
    assert recommend(shop, collection="none").status_code == 404
