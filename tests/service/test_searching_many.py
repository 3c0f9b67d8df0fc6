"""Many pictures at once, in one request or in many."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx

from tests.service.conftest import Shop
from tests.service.harness import Service, without_times


def test_one_bad_picture_of_three_spoils_nothing_for_the_others(service: Service, shop: Shop) -> None:
    good, second = shop.picture("plain-0"), shop.picture("plain-1")
    files = [("image", ("a.png", good)), ("image", ("b.png", second[: len(second) // 2])), ("image", ("a.png", second))]
    response = service.post("/search/batch", files=files, data={"k": "2"})
    answer = response.json()
    assert response.status_code == 200
    assert [(entry["index"], entry["name"]) for entry in answer["results"]] == [
        (0, "a.png"),
        (1, "b.png"),
        (2, "a.png"),
    ]
    first, second, third = answer["results"]
    assert (first["problem"], second["answer"], third["problem"]) == (None, None, None)
    assert second["problem"]["code"] == "image-truncated"
    assert second["problem"]["status"] == 422
    assert second["problem"]["request_id"] == response.headers["x-request-id"]
    assert without_times(first["answer"]) == without_times(service.search(good, k=2).json())
    assert third["answer"]["results"][0]["key"] == "plain-1"
    assert (answer["collection"], answer["snapshot"], answer["encoder"]) == ("shop", 1, "bundled")


def test_a_batch_takes_one_to_sixty_four_pictures(service: Service, shop: Shop) -> None:
    picture = shop.picture("plain-0")
    full = service.post("/search/batch", files=[("image", picture)] * 64, data={"k": "1"})
    assert {entry["answer"]["results"][0]["key"] for entry in full.json()["results"]} == {"plain-0"}
    for count in (0, 65):
        refused = service.post("/search/batch", files=[("image", picture)] * count, data={"k": "1"})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "image"


def test_many_clients_at_once_each_get_their_own_answer(service: Service, shop: Shop) -> None:
    keys = shop.keys * 3

    async def all_at_once() -> Sequence[httpx.Response]:
        pictures = (shop.picture(key) for key in keys)
        return await asyncio.gather(*(service.ask("POST", "/search", files={"image": picture}) for picture in pictures))

    answers = service.call(all_at_once)
    assert [answer.status_code for answer in answers] == [200] * len(keys)
    assert [answer.json()["results"][0]["key"] for answer in answers] == keys
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(keys)
