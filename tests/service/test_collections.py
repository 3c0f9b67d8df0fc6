"""Collections and their items over HTTP: pages, rows, files, thumbnails, caching."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from lookalike import Encoder
from lookalike.images import decode
from tests.e2e.conftest import write_pictures
from tests.service.conftest import HARD_KEYS, PLAIN_KEYS, ROTATED_KEY, Shop
from tests.service.harness import Service, Trickle, index, item_path, serving, without_times

KEYS = [*HARD_KEYS, *PLAIN_KEYS, ROTATED_KEY]


def test_a_collection_is_listed_and_described(service: Service, shop: Shop) -> None:
    (row,) = service.get("/collections").json()["collections"]
    whole = service.get("/collections/shop")
    answer = whole.json()
    assert {name: row[name] for name in ("name", "ready", "count", "snapshot", "encoder", "problem")} == {
        "name": "shop",
        "ready": True,
        "count": 13,
        "snapshot": 1,
        "encoder": "bundled",
        "problem": None,
    }
    assert (answer["name"], answer["count"], answer["snapshot"], answer["engine"]) == ("shop", 13, 1, "faiss-flat")
    assert answer["source"] == {"kind": "manifest", "location": str(shop.source / "shop.jsonl")}
    spec = Encoder.load("bundled").spec
    assert answer["encoder"] == {
        "name": "bundled",
        "backbone": spec.backbone,
        "fusion": spec.fusion,
        "dimension": spec.dimension,
        "input_size": spec.input_size,
        "digest": spec.digest,
    }
    assert answer["recall"]["value"] == 1.0
    assert answer["calibration"] is None
    snapshot = shop.data / "collections/shop/snapshots/00000001"
    assert answer["bytes"] == sum((snapshot / name).stat().st_size for name in ("ids.npy", "vectors.npy", "index.bin"))
    assert answer["created_at"] == row["created_at"]
    assert whole.headers["x-snapshot"] == "1"


@pytest.mark.parametrize("limit", [1, 5, 12, 13, 14, 500])
def test_pages_of_items_give_every_item_once_in_order(service: Service, limit: int) -> None:
    keys, cursor, pages = [], None, 0
    while True:
        query = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        page = service.get("/collections/shop/items", params=query).json()
        assert (page["collection"], page["snapshot"]) == ("shop", 1)
        keys += [item["key"] for item in page["items"]]
        pages, cursor = pages + 1, page["next_cursor"]
        if cursor is None:
            break
    assert keys == KEYS
    assert pages == -(-13 // limit)


@pytest.mark.parametrize("query", ["cursor=x", "cursor=MS4x.eA", "limit=0", "limit=501"])
def test_a_page_that_cannot_be_is_refused(service: Service, query: str) -> None:
    refused = service.get(f"/collections/shop/items?{query}")
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert [error["field"] for error in refused.json()["errors"]] == [query.partition("=")[0]]


@pytest.mark.parametrize("key", KEYS)
def test_an_item_is_found_under_its_key_whatever_is_in_it(service: Service, shop: Shop, key: str) -> None:
    data = shop.picture(key)
    row = service.get(item_path(key)).json()
    assert row["key"] == key
    assert row["byte_size"] == len(data)
    assert row["content_digest"] == hashlib.sha256(data).hexdigest()
    kind = "JPEG" if key.endswith(".jpg") else "PNG"
    size = (64, 96) if key == ROTATED_KEY else (96, 72)
    assert (row["format"], row["width"], row["height"]) == (kind, *size)
    image = service.get(row["image_url"])
    assert image.content == data
    assert image.headers["content-type"] == f"image/{kind.lower()}"
    small = service.get(row["thumbnail_url"], params={"size": 64})
    drawn = decode(small.content)
    assert (drawn.format, drawn.width, drawn.height) == ("JPEG", *((43, 64) if key == ROTATED_KEY else (64, 48)))
    assert small.headers["content-type"] == "image/jpeg"


def test_what_a_row_says_of_a_product_comes_back(service: Service) -> None:
    row = service.get(item_path("shoes/red one.jpg")).json()
    assert (row["title"], row["product_id"]) == ("Red running shoe", "p-1")
    assert row["metadata"] == {"colour": "red", "price": 59.9, "sale": None}
    plain = service.get(item_path("plain-0")).json()
    assert (plain["title"], plain["product_id"], plain["metadata"]) == (None, None, {})


def test_a_thumbnail_is_upright_and_never_larger_than_the_picture(service: Service) -> None:
    drawn = decode(service.get(item_path(ROTATED_KEY, "thumbnail"), params={"size": 1024}).content)
    assert (drawn.width, drawn.height) == (64, 96)
    top, bottom = drawn.pixels[10, 32].astype(int), drawn.pixels[85, 32].astype(int)
    assert top[0] - top[2] > 150, "red"
    assert bottom[2] - bottom[0] > 150, "blue"


@pytest.mark.parametrize("size", ["63", "1025", "big"])
def test_a_thumbnail_has_a_size_within_bounds(service: Service, size: str) -> None:
    refused = service.get(item_path("plain-0", "thumbnail"), params={"size": size})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "size")


@pytest.mark.parametrize("key", KEYS)
def test_similar_items_are_those_of_a_search_by_key(service: Service, key: str) -> None:
    similar = service.get(item_path(key, "similar"), params={"k": 3, "threshold": 0.7}).json()
    assert without_times(similar) == without_times(service.search(key=key, k=3, threshold=0.7).json())
    assert key not in [hit["key"] for hit in similar["results"]]


def test_the_only_item_of_a_collection_has_nothing_similar(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 1)
    index(tmp_path / "data", "lonely", tmp_path / "pictures")
    with serving(tmp_path / "data") as service:
        answer = service.get(item_path("000.jpg", "similar", "lonely")).json()
    assert (answer["results"], answer["best_score"], answer["exhausted"]) == ([], None, True)


@pytest.mark.parametrize("part", ["", "image", "thumbnail", "similar"])
def test_an_item_that_is_not_there_is_missed_by_name(service: Service, part: str) -> None:
    refused = service.get(item_path("no/such.jpg", part))
    assert (refused.status_code, refused.json()["code"]) == (404, "item-not-found")
    assert "no/such.jpg" in refused.json()["detail"]


@pytest.mark.parametrize("body", [{"content": b"{}"}, {"json": {"snapshot": 1}}, {"data": {"snapshot": "1"}}])
def test_refresh_refuses_a_body(service: Service, body: dict[str, Any]) -> None:
    refused = service.post("/collections/shop/refresh", **body)
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    (error,) = refused.json()["errors"]
    assert (error["field"], error["message"]) == ("body", "this request takes no body: send it without one")


def test_refresh_refuses_a_body_of_unknown_length_without_reading_it(service: Service) -> None:
    pieces = Trickle(b"{", b"}")
    refused = service.post("/collections/shop/refresh", content=pieces, headers={"transfer-encoding": "chunked"})
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert pieces.fetched == 0
