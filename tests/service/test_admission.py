"""Work is taken in up to a limit; what comes beyond is told when to come again, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.errors import OverloadedError
from service.inference.admission import Admission
from tests.service.conftest import Shop
from tests.service.harness import MULTIPART, Service, Trickle, body, part, serving

PICTURE = encode_png(make_picture(1))


def test_permits_are_given_until_there_are_none_and_come_back() -> None:
    admission = Admission(3)
    with admission.permit(), admission.permit(2):
        assert admission.in_flight == 3
        with pytest.raises(OverloadedError), admission.permit():
            pass
        assert admission.in_flight == 3
    assert admission.in_flight == 0
    with admission.permit(3):
        assert admission.in_flight == 3


def test_a_permit_comes_back_from_work_that_fails() -> None:
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.permit():
            raise ZeroDivisionError
    assert admission.in_flight == 0


def test_what_is_heavier_than_all_permits_takes_all_of_them_and_is_not_shut_out() -> None:
    admission = Admission(2)
    with admission.permit(4):
        assert admission.in_flight == 2
        with pytest.raises(OverloadedError), admission.permit():
            pass
    with admission.permit(), pytest.raises(OverloadedError), admission.permit(4):
        pass


def test_whoever_is_sent_away_is_told_in_whole_seconds_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("service.inference.admission.time", SimpleNamespace(perf_counter=lambda: now))
    admission = Admission(1)
    for _ in range(200):
        with admission.permit():
            now += 0.001
    assert admission.retry_after == 1
    for _ in range(200):
        with admission.permit():
            now += 9.0
    assert admission.retry_after == 5  # half of nine seconds, in whole ones
    for _ in range(200):
        with admission.permit():
            now += 1000.0
    assert admission.retry_after == 30
    with admission.permit(), pytest.raises(OverloadedError, match="try again in 30 s") as refused, admission.permit():
        pass
    assert refused.value.retry_after == 30


@pytest.fixture(scope="module")
def narrow(shop: Shop) -> Iterator[Service]:
    """The shop with four permits."""
    with serving(shop.data, capacity=4) as running:
        yield running


@contextmanager
def busy(service: Service, count: int) -> Iterator[None]:
    """So many permits taken, as by requests that are worked on."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(service.services.admission.permit())
        yield


async def uploading(service: Service, count: int, go_on: asyncio.Event) -> list[asyncio.Task[httpx.Response]]:
    """So many searches whose bodies stop half-way until they may go on."""
    whole = body(part("image", PICTURE, "a.png"), part("k", b"1"))
    headers = {**MULTIPART, "content-length": str(len(whole))}
    tasks = [
        asyncio.create_task(
            service.ask("POST", "/search", headers=headers, content=Trickle(whole[:50], whole[50:], go_on=go_on))
        )
        for _ in range(count)
    ]
    while not service.services.uploads.in_flight:
        await asyncio.sleep(0.001)
    return tasks


def test_beyond_the_limit_it_is_429_with_retry_after_and_afterwards_all_is_well(narrow: Service) -> None:
    async def scenario() -> tuple[httpx.Response, Any, httpx.Response]:
        with busy(narrow, 4):
            refused = await narrow.ask("POST", "/search", data={"key": "plain-0"})
            health = (await narrow.ask("GET", "/health")).json()
        return refused, health, await narrow.ask("POST", "/search", data={"key": "plain-0"})

    refused, health, afterwards = narrow.call(scenario)
    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert (health["in_flight"], health["capacity"], health["status"]) == (4, 4, "ok")
    assert afterwards.status_code == 200
    assert narrow.services.admission.in_flight == 0


WEIGHTS = [
    ("/search", {}, 1),
    ("/search", {"tiers": "true"}, 4),
    ("/embed", {}, 1),
    ("/tags", {}, 1),
    ("/compare", {}, 2),
    ("/compare", {"explain": "true"}, 4),
    ("/search/batch", {}, 4),
]


@pytest.mark.parametrize(("path", "fields", "weight"), WEIGHTS)
def test_heavier_work_takes_more_permits(narrow: Service, path: str, fields: dict[str, str], weight: int) -> None:
    async def scenario(taken: int) -> int:
        names = ("image_a", "image_b") if path == "/compare" else ("image",)
        with busy(narrow, taken):
            files = [(name, PICTURE) for name in names]
            return (await narrow.ask("POST", path, files=files, data=fields)).status_code

    assert narrow.call(scenario, 4 - weight) == 200
    assert narrow.call(scenario, 5 - weight) == 429


def test_uploads_that_stall_shut_nobody_out(narrow: Service) -> None:
    async def scenario() -> tuple[int, list[int]]:
        go_on = asyncio.Event()
        tasks = await uploading(narrow, 3, go_on)
        meanwhile = (await narrow.ask("POST", "/search", data={"key": "plain-0"})).status_code
        go_on.set()
        return meanwhile, [answer.status_code for answer in await asyncio.gather(*tasks)]

    assert narrow.call(scenario) == (200, [200] * 3)


def test_bodies_are_let_in_by_the_bytes_that_they_announce(narrow: Service) -> None:
    most = narrow.services.uploads.capacity
    assert most == 4 * (min(narrow.settings.limits.max_bytes, 32 * 1024 * 1024) + 64 * 1024)

    async def scenario(free: int) -> int:
        with narrow.services.uploads.permit(most - free):
            return (await narrow.ask("POST", "/search", data={"key": "plain-0"})).status_code

    length = len("key=plain-0")
    assert (narrow.call(scenario, length), narrow.call(scenario, length - 1)) == (200, 429)


def test_a_client_that_leaves_gives_its_room_back(narrow: Service) -> None:
    async def scenario() -> None:
        tasks = await uploading(narrow, 3, asyncio.Event())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    narrow.call(scenario)
    assert (narrow.services.uploads.in_flight, narrow.services.admission.in_flight) == (0, 0)


def test_what_the_page_and_the_operator_ask_takes_no_permit(narrow: Service) -> None:
    async def scenario() -> list[int]:
        paths = ("/", "/health", "/ready", "/metrics", "/collections", "/collections/shop/items/plain-0/thumbnail")
        with busy(narrow, 4):
            return [(await narrow.ask("GET", path)).status_code for path in paths]

    assert narrow.call(scenario) == [200] * 6


def test_there_is_an_end_to_the_pictures_that_may_be_waited_for(narrow: Service) -> None:
    async def scenario() -> int:
        with narrow.services.reading.permit(narrow.services.reading.capacity):
            return (await narrow.ask("GET", "/collections/shop/items/plain-0/thumbnail")).status_code

    assert narrow.call(scenario) == 429
