"""A client waits where it is asked to, tries again what may be sent twice, and nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import httpx2
import pytest

from lookalike.client import ConflictError, ConnectionFailedError, TooBusyError, UnavailableError
from lookalike.client.retries import FIRST_DELAY
from tests.unit.lookalike.client.pretended import VERSION, Pretended, answer, problem

BUSY = answer(429, problem(429, "overloaded"), retry_after="2")
STARTING = answer(503, problem(503, "starting"))
GOOD = answer(200, VERSION)
CHANGED = answer(200, {"collection": "shop", "key": "a", "status": "replaced", "item": None})


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each wait, none of which is waited."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(anyio, "sleep", note)
    return waits


def test_a_busy_service_is_asked_again_after_the_time_that_it_names(slept: list[float]) -> None:
    service = Pretended([BUSY, STARTING, GOOD])
    with service.client() as client:
        assert client.version().version == "1"
    assert len(service.requests) == 3
    assert 2 <= slept[0] <= 2 + FIRST_DELAY
    assert 0 <= slept[1] <= 2 * FIRST_DELAY


def test_so_does_the_client_of_an_event_loop(slept: list[float]) -> None:
    service = Pretended([BUSY, httpx2.ConnectError, GOOD])
    assert service.run_async(lambda client: client.version()).version == "1"
    assert len(service.requests) == 3
    assert 2 <= slept[0] <= 2 + FIRST_DELAY


def test_a_date_of_a_proxy_is_understood(slept: list[float]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    with Pretended([answer(503, problem(503, "starting"), retry_after=date), GOOD]).client() as client:
        client.version()
    assert 15 < slept[0] <= 20 + FIRST_DELAY


def test_it_gives_up_after_as_many_tries_as_were_given(slept: list[float]) -> None:
    service = Pretended([BUSY])
    with service.client(retries=2) as client, pytest.raises(TooBusyError) as refused:
        client.version()
    assert (len(service.requests), len(slept)) == (3, 2)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "overloaded", 2)


def test_a_service_that_wants_to_be_left_alone_for_long_is_not_waited_for(slept: list[float]) -> None:
    service = Pretended([answer(503, problem(503, "starting"), retry_after="3600")])
    with service.client() as client, pytest.raises(UnavailableError) as refused:
        client.version()
    assert refused.value.retry_after == 3600
    assert (len(service.requests), slept) == (1, [])


@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ReadError, httpx2.RemoteProtocolError])
def test_a_question_whose_connection_broke_is_asked_again(error: type[httpx2.RequestError]) -> None:
    service = Pretended([error, GOOD])
    with service.client() as client:
        client.version()
    assert len(service.requests) == 2


def test_an_answer_that_does_not_come_is_not_asked_for_again() -> None:
    service = Pretended([httpx2.ReadTimeout])
    with service.client() as client, pytest.raises(ConnectionFailedError, match="did not answer in time"):
        client.version()
    assert len(service.requests) == 1


def test_a_change_that_may_have_been_made_is_made_again_only_if_that_does_no_harm() -> None:
    """Changes of items and new jobs are known by their key; collections that are deleted and uploads are not."""
    for error, tries in ((httpx2.ReadError, 1), (httpx2.ConnectError, 4)):
        service = Pretended([error])
        with service.client() as client:
            with pytest.raises(ConnectionFailedError):
                client.delete_collection("shop", confirm="shop")
            with pytest.raises(ConnectionFailedError):
                client.restore_collection("shop")
        assert len(service.requests) == 2 * tries
    service = Pretended([httpx2.ReadError, CHANGED, httpx2.ReadError, CHANGED])
    with service.client() as client:
        assert client.put_item("shop", "a", b"picture").status == "replaced"
        assert client.delete_item("shop", "a", if_match='"1"').status == "replaced"
    assert len(service.requests) == 4


def test_a_job_whose_answer_was_lost_is_sent_again_with_the_same_key() -> None:
    job = {
        "id": "1",
        "collection": "shop",
        "kind": "reindex",
        "options": {},
        "state": "queued",
        "cancel_requested": False,
        "rejected": {},
        "created_at": "2026-01-01T00:00:00Z",
        "starts": 0,
    }
    service = Pretended([httpx2.ReadError, answer(202, job)])
    with service.client() as client:
        assert client.create_job("shop", "reindex").id == "1"
    first, second = service.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_each_try_of_a_change_is_the_same_request() -> None:
    service = Pretended([BUSY, httpx2.ConnectError, CHANGED])
    with service.client() as client:
        client.put_item("shop", "a", b"picture", title="x")
        client.patch_item("shop", "a", title="x")
    first, second, third, other = service.requests
    keys = [request.headers["idempotency-key"] for request in service.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert first.content == second.content == third.content
    assert b"picture" in first.content
    assert other.method == "PATCH"


def test_a_change_that_is_still_being_made_is_waited_for(slept: list[float]) -> None:
    running = answer(409, problem(409, "idempotency-running"), retry_after="1")
    service = Pretended([httpx2.ReadError, running, CHANGED])
    with service.client() as client:
        assert client.put_item("shop", "a", b"picture").status == "replaced"
    assert 1 <= slept[1] <= 1 + FIRST_DELAY
    service = Pretended([answer(409, problem(409, "collection-pinned"))])
    with service.client() as client, pytest.raises(ConflictError):
        client.put_item("shop", "a", b"picture")
    assert len(service.requests) == 1


def test_a_question_has_no_idempotency_key() -> None:
    service = Pretended([GOOD])
    with service.client() as client:
        client.version()
    assert "idempotency-key" not in service.requests[0].headers
