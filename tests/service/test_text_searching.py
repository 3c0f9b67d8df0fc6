"""Searches for words over HTTP: alone and with a picture, however they are sent, after changes, and refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lookalike import Collection
from lookalike.collection.text_candidates import WORDS_PROBLEM
from lookalike.images import encode_png
from lookalike.testing import make_picture
from lookalike.words.text_query import MAX_TEXT
from tests.service.harness import Service, item_path, serving, without_times

TITLES = ["Striped mug", "Red mug, large", "Blue cup", "Mugs of all kinds <b>"]
COUNT = 12
QUERY = encode_png(make_picture(2))
Hits = list[dict[str, Any]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("words") / "data"
    with Collection.create(data, "shop") as collection:
        for number in range(COUNT):
            collection.upsert(
                f"sku-{number}",
                make_picture(number),
                title=TITLES[number % 4],
                product_id=f"p-{number // 2}",
                metadata={"price": number, "tags": ["sale", "new in"] if number % 3 else []},
            )
    with serving(data) as opened:
        yield opened


def hits(response: httpx.Response) -> Hits:
    assert response.status_code == 200, response.text
    results: Hits = response.json()["results"]
    return results


def keys(response: httpx.Response) -> list[str]:
    return [hit["key"] for hit in hits(response)]


def test_words_alone_find_items_and_pretend_no_score(service: Service) -> None:
    response = service.search(text="red mug", k=2)
    answer = response.json()
    assert keys(response) == ["sku-1", "sku-5"]
    assert (answer["text_matches"], answer["exhausted"], answer["best_score"]) == (3, False, None)
    assert answer["query"] == {"width": None, "height": None, "box": None, "key": None}
    first = answer["results"][0]
    judged = {name: first[name] for name in ("score", "normalized_score", "similar", "confidence", "fused_score")}
    assert judged == {
        "score": None, "normalized_score": None, "similar": False, "confidence": None, "fused_score": None,
    }  # fmt: skip
    assert first["confidence_problem"] == WORDS_PROBLEM
    assert (first["text_rank"], first["text_score"] > 0) == (1, True)
    assert first["highlights"] == [
        {
            "field": "title",
            "pieces": [
                {"text": "Red", "match": True},
                {"text": " ", "match": False},
                {"text": "mug", "match": True},
                {"text": ", large", "match": False},
            ],
        }
    ]
    second = service.search(text="red mug", k=2, cursor=answer["next_cursor"])
    assert keys(second) == ["sku-9"]
    assert [hit["rank"] for hit in hits(second)] == [3]
    assert second.json()["exhausted"]


def test_highlights_have_no_markup_of_their_own(service: Service) -> None:
    (highlight,) = hits(service.search(text="kinds", k=1))[0]["highlights"]
    assert [piece["text"] for piece in highlight["pieces"]] == ["Mugs of all ", "kinds", " <b>"]


def test_a_picture_and_words_are_ranked_together(service: Service) -> None:
    by_picture = keys(service.search(QUERY, k=COUNT))
    by_words = keys(service.search(text="red mug", k=COUNT))
    for weight in (0, 0.25, 1):
        fused = hits(service.search(QUERY, text="red mug", text_weight=weight, k=COUNT))
        expected = {
            key: (1 - weight) / (60 + place) + (weight / (61 + by_words.index(key)) if key in by_words else 0)
            for place, key in enumerate(by_picture, 1)
        }
        assert {hit["key"]: hit["fused_score"] for hit in fused} == pytest.approx(expected, abs=1e-6)
        assert [hit["key"] for hit in fused] == sorted(expected, key=lambda key: -expected[key])
        assert all(-1 <= hit["score"] <= 1 for hit in fused)
        assert [hit["text_rank"] is not None for hit in fused] == [hit["key"] in by_words for hit in fused]
    left_out = hits(service.search(QUERY, text="mug -red", k=COUNT))
    assert {hit["key"] for hit in left_out} == set(by_picture) - {"sku-1", "sku-5", "sku-9"}


def test_forms_json_query_strings_and_paths_say_the_same(service: Service) -> None:
    def without_when(response: httpx.Response) -> Any:
        assert response.status_code == 200, response.text
        return without_times(response.json())

    form = without_when(service.search(text="blue sale", text_match="any", k=5))
    assert len(form["results"]) == 5
    body = {"text": "blue sale", "text_match": "any", "k": 5}
    assert without_when(service.post("/search", json=body)) == form
    assert without_when(service.post("/collections/shop/search", json=body)) == form
    by_key = without_when(service.search(key="sku-2", text="blue", text_weight=0.3, k=5))
    path = item_path("sku-2", "similar")
    assert without_when(service.get(path, params={"text": "blue", "text_weight": 0.3, "k": 5})) == by_key
    assert by_key["results"][0]["key"] in ("sku-6", "sku-10")


def test_filters_groups_facets_and_a_fallback_go_with_words(service: Service) -> None:
    answer = service.search(text="mug", filter="price >= 4", facets="tags", k=3)
    assert answer.json()["text_matches"] == len([n for n in range(4, COUNT) if n % 4 != 2])
    assert answer.json()["passing"] == COUNT - 4
    values = {value["value"]: value["count"] for value in answer.json()["facets"]["tags"]["values"]}
    assert values == dict.fromkeys(("sale", "new in"), len([n for n in range(4, COUNT) if n % 4 != 2 and n % 3]))
    grouped = hits(service.search(text="mug", group_by="product_id", group_size=2, k=2))
    assert [hit["group"] for hit in grouped] == sorted([hit["group"] for hit in grouped], key=str)
    relaxed = service.search(text="cup", filter="price > 5", fallback="relax_filter")
    assert [(hit["key"], hit["passed_filter"]) for hit in hits(relaxed)] == [
        ("sku-6", True), ("sku-10", True), ("sku-2", False),
    ]  # fmt: skip
    assert relaxed.json()["fallback"] == "relax_filter"


def test_a_search_without_words_says_so(service: Service) -> None:
    answer = service.search(QUERY, k=1, text="").json()
    (hit,) = answer["results"]
    assert answer["text_matches"] is None
    assert [hit[name] for name in ("text_score", "text_rank", "fused_score", "highlights")] == [None] * 4


def test_a_change_is_found_by_the_next_search(service: Service) -> None:
    path = item_path("sku-x")
    picture = {"image": ("x.png", encode_png(make_picture(77)))}
    assert keys(service.search(text="teapot")) == []
    assert service.request("PUT", path, data={"title": "Teapot"}, files=picture).status_code == 201
    assert keys(service.search(text="teapot")) == ["sku-x"]
    metadata = {"auto_tags": ["pitcher", "white"]}
    assert service.request("PATCH", path, data={"title": "Kettle", "metadata": json.dumps(metadata)}).status_code == 200
    assert (keys(service.search(text="teapot")), keys(service.search(text="pitcher"))) == ([], ["sku-x"])
    assert service.post("/collections/shop/fold").status_code == 200
    assert keys(service.search(text="kettle white")) == ["sku-x"]
    assert service.request("DELETE", path).status_code == 200
    assert keys(service.search(text="kettle")) == []


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"text": "  "}, "text", "blank"),
        ({"text": "!? - &"}, "text", "no letters or digits"),
        ({"text": "-red"}, "text", "only words to leave out"),
        ({"text": "x" * (MAX_TEXT + 1)}, "text", str(MAX_TEXT)),
        ({"text": "mug\0"}, "text", "NUL|not allowed"),
        ({"text": "mug", "text_weight": "2"}, "text_weight", "1"),
        ({"text": "mug", "text_match": "most"}, "text_match", "all"),
        ({"text": "mug", "min_score": "0.5"}, "min_score", "picture or a key"),
        ({"text": "mug", "tiers": "true"}, "tiers", "picture or a key"),
        ({"text": "mug", "box": "0,0,1,1"}, "box", "picture or a key"),
        ({"text": "mug", "diversity": "0.5"}, "diversity", "not possible with text"),
        ({"text": "mug", "boost": '{"field": "price", "weight": 0.1}'}, "boost", "not possible with text"),
        ({"text": "mug", "key": "sku-1", "like_keys": "sku-2"}, "like_keys", "not possible with text"),
        ({"text": "mug", "collections": "shop"}, "text", "one collection only"),
        ({"key": "sku-1", "text_weight": "0.3"}, "text_weight", "needs text"),
        ({"key": "sku-1", "text_match": "any"}, "text_match", "needs text"),
    ],
)
def test_what_cannot_be_is_refused_by_name(service: Service, fields: dict[str, str], field: str, problem: str) -> None:
    response = service.post("/search", data=fields)
    assert response.status_code == 422, response.text
    (error,) = response.json()["errors"]
    assert error["field"] == field
    assert any(part in response.text for part in problem.split("|")), response.text


def test_a_search_needs_something_to_search_with(service: Service) -> None:
    response = service.search(k=1)
    assert response.status_code == 422
    assert "or like_keys or text alone" in response.json()["detail"]


def test_the_pages_of_a_search_are_of_the_state_at_the_first_one(service: Service) -> None:
    first = service.search(text="mug", k=4).json()
    path = item_path("sku-new")
    picture = {"image": ("x.png", encode_png(make_picture(78)))}
    assert service.request("PUT", path, data={"title": "Mug"}, files=picture).status_code == 201
    try:
        second = service.search(text="mug", k=20, cursor=first["next_cursor"])
        listed = [hit["key"] for hit in first["results"]] + keys(second)
        assert sorted(listed) == sorted(f"sku-{number}" for number in range(COUNT) if number % 4 != 2)
        assert "sku-new" in keys(service.search(text="mug", k=20))
        other = service.search(text="cup", k=4, cursor=first["next_cursor"])
        assert (other.status_code, other.json()["code"]) == (422, "field-invalid")
    finally:
        service.request("DELETE", path)
