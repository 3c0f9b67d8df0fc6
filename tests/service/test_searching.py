"""Searching over HTTP, as someone with a picture meets it."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike import Collection
from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.conftest import ROTATED_KEY, Shop
from tests.service.harness import Service

UNINDEXED = encode_png(make_picture(900))
DEFAULT = {
    "value": 0.8,
    "source": "default, not calibrated for this encoder",
    "precision": None,
    "recall": None,
}


def test_a_picture_of_the_collection_finds_itself_first_with_score_one(service: Service, shop: Shop) -> None:
    for key in shop.keys:
        answer = service.search(shop.picture(key), k=3).json()
        best = answer["results"][0]
        assert best["key"] == key
        assert best["score"] == pytest.approx(1.0, abs=1e-4)
        assert [hit["rank"] for hit in answer["results"]] == [1, 2, 3]
        scores = [hit["score"] for hit in answer["results"]]
        assert scores == sorted(scores, reverse=True)


def test_an_answer_says_what_it_is_an_answer_to(service: Service, shop: Shop) -> None:
    response = service.search(shop.picture("shoes/red one.jpg"), collection="shop", k=1)
    answer = response.json()
    took = answer.pop("took_ms")
    (hit,) = answer.pop("results")
    assert answer.pop("best_score") == hit["score"]
    assert len(answer.pop("next_cursor")) < 100
    assert answer == {
        "collection": "shop",
        "snapshot": 1,
        "encoder": "bundled",
        "threshold": DEFAULT,
        "query": {"width": 96, "height": 72, "box": [0.0, 0.0, 1.0, 1.0], "key": None},
        "exhausted": False,
        "passing": None,
        "text_matches": None,
        "facets": None,
        "fallback": None,
    }
    assert hit.pop("score") == pytest.approx(1.0, abs=1e-4)
    assert hit.pop("normalized_score") == pytest.approx(1.0, abs=1e-4)
    assert hit == {
        "rank": 1,
        "key": "shoes/red one.jpg",
        "similar": True,
        "confidence": None,
        "confidence_problem": "the scores are not calibrated",
        "tier": None,
        "tier_problem": None,
        "title": "Red running shoe",
        "product_id": "p-1",
        "metadata": {"colour": "red", "price": 59.9, "sale": None},
        "image_url": "/collections/shop/items/shoes%2Fred%20one.jpg/image",
        "thumbnail_url": "/collections/shop/items/shoes%2Fred%20one.jpg/thumbnail",
        "group": None,
        "passed_filter": True,
        "boosted_score": None,
        "group_score": None,
        "group_count": None,
        "feedback_score": None,
        "text_score": None,
        "text_rank": None,
        "fused_score": None,
        "highlights": None,
    }
    assert set(took) == {"decode", "encode", "search", "catalogue", "total"}
    assert response.headers["x-snapshot"] == "1"
    assert [word.split(";")[0] for word in response.headers["server-timing"].split(", ")] == list(took)


def test_scores_are_those_of_the_library(service: Service, shop: Shop) -> None:
    with Collection.open(shop.data, "shop") as collection:
        expected = collection.search(UNINDEXED, k=5)
    hits = service.search(UNINDEXED, k=5).json()["results"]
    assert [hit["key"] for hit in hits] == [hit.key for hit in expected]
    assert [hit["score"] for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    assert [hit["normalized_score"] for hit in hits] == pytest.approx(
        [(hit.score + 1) / 2 for hit in expected], abs=1e-5
    )


def test_a_search_by_key_leaves_the_item_itself_out_and_encodes_nothing(service: Service, shop: Shop) -> None:
    by_file = service.search(shop.picture("plain-0"), k=5).json()["results"]
    answer = service.search(key="plain-0", k=4).json()
    assert [hit["key"] for hit in answer["results"]] == [hit["key"] for hit in by_file[1:]]
    assert [hit["score"] for hit in answer["results"]] == pytest.approx([hit["score"] for hit in by_file[1:]], abs=1e-5)
    assert answer["query"] == {"width": 96, "height": 72, "box": [0.0, 0.0, 1.0, 1.0], "key": "plain-0"}
    assert answer["took_ms"]["encode"] == 0
    assert [service.search(key="plain-0", k=k).json()["exhausted"] for k in (11, 12)] == [False, True], "of 13"
    everything = service.search(key="plain-0", k=1000).json()
    assert {hit["key"] for hit in everything["results"]} == set(shop.keys) - {"plain-0"}
    assert everything["exhausted"] is True


def test_a_form_without_a_file_may_be_urlencoded(service: Service) -> None:
    response = service.post("/search", data={"key": "plain-0", "k": "2"})
    assert response.request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert len(response.json()["results"]) == 2


def test_a_box_searches_with_that_part_alone(service: Service, shop: Shop) -> None:
    picture = make_picture(11)
    part = encode_png(np.ascontiguousarray(picture[18:54, 24:72]))
    boxed = service.search(encode_png(picture), box="0.25,0.25,0.75,0.75", k=1000).json()
    cropped = service.search(part, k=1000).json()
    whole = service.search(encode_png(picture), k=1000).json()
    assert boxed["results"] == cropped["results"]
    assert boxed["results"] != whole["results"]
    assert boxed["query"] == {"width": 96, "height": 72, "box": [0.25, 0.25, 0.75, 0.75], "key": None}


def test_a_box_of_an_indexed_picture_leaves_it_out_too(service: Service, shop: Shop) -> None:
    with_file = service.search(shop.picture("plain-1"), box="0,0,0.5,1", k=1000).json()["results"]
    with_key = service.search(key="plain-1", box="0,0,0.5,1", k=1000).json()
    assert [hit["key"] for hit in with_key["results"]] == [hit["key"] for hit in with_file if hit["key"] != "plain-1"]
    assert with_key["query"]["box"] == [0.0, 0.0, 0.5, 1.0]


def test_sizes_and_boxes_are_of_the_upright_picture(service: Service, shop: Shop) -> None:
    query = service.search(shop.picture(ROTATED_KEY)).json()["query"]
    assert (query["width"], query["height"]) == (64, 96)
    above, below = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)
    above[..., 0], below[..., 2] = 255, 255
    upper = service.post("/embed", data={"box": "0,0,1,0.4"}, files={"image": shop.picture(ROTATED_KEY)}).json()[
        "vector"
    ]
    red, blue = (service.post("/embed", files={"image": encode_png(half)}).json()["vector"] for half in (above, below))
    assert float(np.dot(upper, red)) > 0.95 > float(np.dot(upper, blue))


def test_min_score_leaves_out_what_is_below_it_and_the_best_score_is_told(service: Service, shop: Shop) -> None:
    everything = service.search(UNINDEXED, k=1000).json()
    scores = [hit["score"] for hit in everything["results"]]
    assert len(scores) == len(shop.keys)
    border = (scores[3] + scores[4]) / 2
    above = service.search(UNINDEXED, k=10, min_score=border).json()
    assert [hit["score"] for hit in above["results"]] == scores[:4]
    assert above["exhausted"] is True
    nothing = service.search(UNINDEXED, min_score=1).json()
    assert nothing["results"] == []
    assert nothing["exhausted"] is True
    assert nothing["best_score"] == above["best_score"] == everything["best_score"] == scores[0]


@pytest.mark.parametrize(("k", "exhausted"), [(1, False), (12, False), (13, True), (1000, True)])
def test_k_neighbours_come_as_long_as_there_are_so_many(service: Service, shop: Shop, k: int, exhausted: bool) -> None:
    answer = service.search(UNINDEXED, k=k).json()
    assert len(shop.keys) == 13
    assert len(answer["results"]) == min(k, 13)
    assert answer["exhausted"] is exhausted


def test_ten_neighbours_come_if_nobody_says_how_many(service: Service) -> None:
    assert len(service.search(UNINDEXED).json()["results"]) == 10


def test_the_threshold_is_the_default_or_the_one_given(service: Service, shop: Shop) -> None:
    picture = shop.picture("plain-2")
    default, given = service.search(picture).json(), service.search(picture, threshold=0.5).json()
    assert default["threshold"] == DEFAULT
    assert given["threshold"] == {"value": 0.5, "source": "given", "precision": None, "recall": None}
    for answer, value in ((default, 0.8), (given, 0.5)):
        assert [hit["similar"] for hit in answer["results"]] == [
            (hit["score"] + 1) / 2 >= value for hit in answer["results"]
        ]
    assert {hit["similar"] for hit in service.search(picture, threshold=0.9999).json()["results"]} == {True, False}
