"""Lists of items over HTTP: in the order of a field, by their keys, by chance, and with their vectors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from lookalike import Collection
from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.harness import Service, index, item_path, serving

COUNT = 20
PATH = "/collections/shop/items"
ADDED = ["2024-05-31", "2024-05-31T10:00:00+02:00", "2023-01-01", "2025-02-03T04:05:06Z"]


def fields_of(number: int) -> dict[str, Any]:
    """Prices of which each is that of two items; the last four have none; a date for each."""
    fields: dict[str, Any] = {"category": ("mug", "cup")[number % 2], "added": ADDED[number % 4], "tags": ["x"]}
    if number < COUNT - 4:
        fields["price"] = (number * 7 % 8) - 3.5
    return fields


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("listing")
    rows = []
    for number in range(COUNT):
        (root / f"{number}.png").write_bytes(encode_png(make_picture(number)))
        rows.append({"path": f"{number}.png", "key": f"{number:02}", "title": f"a, {number}"} | fields_of(number))
    (root / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    index(root / "data", "shop", root / "shop.jsonl")
    with serving(root / "data") as running:
        # One with the lowest price of all, one that is gone, and one that has a price no more: all live.
        running.request("PATCH", item_path("19"), data={"metadata": '{"price": -100}'})
        running.request("DELETE", item_path("18"))
        running.request("PATCH", item_path("00"), data={"metadata": '{"price": null}'})
        yield running


def expected_prices() -> dict[str, float]:
    prices = {f"{number:02}": fields_of(number)["price"] for number in range(1, COUNT - 4)}
    return prices | {"19": -100}


def list_all(service: Service, limit: int, **parameters: Any) -> list[str]:
    keys: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = service.get(PATH, params={"limit": limit} | parameters | cursor)
        assert page.status_code == 200, page.text
        keys += [item["key"] for item in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            assert len(keys) == page.json()["count"]
            return keys
        cursor = {"cursor": page.json()["next_cursor"]}


@pytest.mark.parametrize("limit", [1, 3, 8, 500])
def test_items_are_listed_by_a_number(service: Service, limit: int) -> None:
    prices = expected_prices()
    ascending = list_all(service, limit, order_by="price")
    assert sorted(ascending) == sorted(prices)
    assert [prices[key] for key in ascending] == sorted(prices.values())
    assert list_all(service, limit, order_by="price", order="desc") == ascending[::-1]
    assert list_all(service, limit, order_by="price", order="asc") == ascending
    mugs = list_all(service, limit, order_by="price", filter="category = mug and price > -3")
    assert mugs == [key for key in ascending if int(key) % 2 == 0 and prices[key] > -3]
    assert list_all(service, limit, order_by="price", **{"filter[category]": "mug", "filter[price][gt]": "-3"}) == mugs
    assert sorted(list_all(service, limit, filter="price not exists")) == ["00", "16", "17"]


def test_items_are_listed_by_a_date_and_by_text(service: Service) -> None:
    newest = list_all(service, 5, order_by="added", order="desc")
    moments = ["2025-02-03T04:05:06Z"] * 5 + ["2024-05-31T10:00:00+02:00"] * 5 + ["2024-05-31"] * 5 + ["2023-01-01"] * 4
    assert [ADDED[int(key) % 4] for key in newest] == moments
    by_title = list_all(service, 4, order_by="title")
    assert by_title == sorted(by_title, key=lambda key: f"a, {int(key)}")
    assert list_all(service, 7, order_by="created_at", order="desc")[:2] == ["00", "19"], "changed last"


def test_items_are_listed_by_their_keys_in_the_order_of_these(service: Service) -> None:
    answer = service.get(PATH, params={"keys": "03,19,nowhere,18,01"}).json()
    assert [item["key"] for item in answer["items"]] == ["03", "19", "01"]
    assert answer["items"][1]["metadata"]["price"] == -100
    assert answer["missing"] == ["nowhere", "18"]
    assert (answer["count"], answer["next_cursor"]) == (3, None)
    as_json = service.get(PATH, params={"keys": json.dumps(["03", "a, b"])}).json()
    assert ([item["key"] for item in as_json["items"]], as_json["missing"]) == (["03"], ["a, b"])


def test_a_sample_has_other_items_each_time_and_only_those_that_pass(service: Service) -> None:
    samples = set()
    for _ in range(20):
        answer = service.get(PATH, params={"sample": 3, "filter": "category = mug"}).json()
        keys = [item["key"] for item in answer["items"]]
        assert len(set(keys)) == 3
        assert all(int(key) % 2 == 0 and key != "18" for key in keys)
        assert (answer["count"], answer["next_cursor"]) == (9, None)
        samples.add(tuple(keys))
    assert len(samples) > 1
    everything = service.get(PATH, params={"sample": 500}).json()
    assert len({item["key"] for item in everything["items"]}) == everything["count"] == COUNT - 1


@pytest.mark.parametrize("choice", [{"keys": "19,02"}, {"sample": "4"}, {"order_by": "price", "limit": "3"}, {}])
def test_vectors_are_sent_where_they_are_asked_for(service: Service, choice: dict[str, str]) -> None:
    items = service.get(PATH, params=choice | {"vectors": "true"}).json()["items"]
    with Collection.open(service.settings.places.data, "shop") as collection:
        for item in items:
            np.testing.assert_allclose(item["vector"], collection.vector(item["key"]), atol=1e-7)
    assert {item["vector"] is None for item in service.get(PATH, params=choice).json()["items"]} == {True}


def next_cursor(service: Service, **parameters: str) -> str:
    cursor = service.get(PATH, params={"limit": "2"} | parameters).json()["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


@pytest.mark.parametrize(
    ("parameters", "field", "message"),
    [
        ({"order": "desc"}, "order", "needs order_by"),
        ({"order_by": "price", "order": "up"}, "order", "'asc' or 'desc'"),
        ({"order_by": "tags"}, "order_by", "has lists"),
        ({"order_by": "pricee"}, "order_by", "did you mean 'price'?"),
        ({"keys": "a", "filter": "price > 1"}, "filter", "together with keys"),
        ({"keys": "a", "order_by": "price"}, "order_by", "together with keys"),
        ({"keys": "a", "sample": "1"}, "sample", "together with keys"),
        ({"sample": "1", "order_by": "price"}, "order_by", "together with sample"),
        ({"sample": "501"}, "sample", "500"),
        ({"keys": ",".join(map(str, range(501)))}, "keys", "at most 500"),
        ({"order_by": "price", "cursor": "x"}, "cursor", "is invalid"),
    ],
)
def test_a_list_that_cannot_be_is_refused(
    service: Service, parameters: dict[str, str], field: str, message: str
) -> None:
    check_refused(service.get(PATH, params=parameters), field, message)


def check_refused(refused: httpx.Response, field: str, message: str) -> None:
    assert refused.status_code == 422, refused.text
    (problem,) = refused.json()["errors"]
    assert problem["field"] == field
    assert message in problem["message"]


def test_a_cursor_belongs_to_its_order(service: Service) -> None:
    by_price = next_cursor(service, order_by="price")
    for parameters, message in (
        ({"order_by": "price", "order": "desc"}, "in another order"),
        ({"order_by": "title"}, "in another order"),
        ({}, "is invalid"),
    ):
        refused = service.get(PATH, params=parameters | {"cursor": by_price})
        check_refused(refused, "cursor", message)
    arrival = next_cursor(service)
    check_refused(service.get(PATH, params={"order_by": "price", "cursor": arrival}), "cursor", "is invalid")


@pytest.mark.parametrize(
    "values",
    [
        [1, "price", "asc", 9, "0x1p0", "", 3],
        [1, "price", "asc", 1, "nan", "", 3],
        [1, "price", "asc", 1, 5, "", 3],
        [1, "price", "asc", 1, "0x1p0", "\0", 3],
        [1, "price", "asc", 1, "0x1p0", "\ud800", 3],
        [1, "price", "asc", 1, "0x1p0", "x" * 301, 3],
        [1, "price", "asc", 1, "0x1p0", "", 10**30],
        [1, "price", "asc", 1, "0x1p0", "", None],
        [1, "price", "asc"],
        {"generation": 1},
        1,
    ],
)
def test_a_cursor_that_was_made_up_is_refused(service: Service, values: Any) -> None:
    check_refused(ask_with_cursor(service, values), "cursor", "")


def test_a_cursor_of_another_snapshot_is_outdated(service: Service) -> None:
    refused = ask_with_cursor(service, [2, "price", "asc", 1, "0x1p0", "", 3])
    assert (refused.status_code, refused.json()["code"]) == (409, "cursor-outdated")


def ask_with_cursor(service: Service, values: Any) -> httpx.Response:
    cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    return service.get(PATH, params={"order_by": "price", "cursor": cursor})
