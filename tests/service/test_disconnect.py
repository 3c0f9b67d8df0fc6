"""``run_while_connected``: work ends with its response, its client's disconnect or its deadline, whichever is first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from starlette.requests import Request

from service.errors import DeadlineError
from service.http.disconnect import run_while_connected
from service.http.middleware import ClientGoneError


class Work:
    """Work that never ends by itself, and notes that it was stopped."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.stopped = False

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise


def request(leaves: asyncio.Event | None = None) -> Request:
    async def receive() -> dict[str, Any]:
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


def in_a_loop(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


def test_an_answer_and_an_error_come_back_as_they_are() -> None:
    async def answer() -> str:
        await asyncio.sleep(0)
        return "an answer"

    async def error() -> None:
        raise LookupError("an error")

    async def scenario() -> None:
        assert await run_while_connected(request(), answer(), timeout=30) == "an answer"
        with pytest.raises(LookupError, match="an error"):
            await run_while_connected(request(), error(), timeout=30)

    in_a_loop(scenario())


def test_work_for_a_client_that_has_left_is_stopped() -> None:
    async def scenario() -> None:
        leaves, work = asyncio.Event(), Work()
        attended = asyncio.create_task(run_while_connected(request(leaves), work.run(), timeout=30))
        await work.begun.wait()
        leaves.set()
        with pytest.raises(ClientGoneError):
            await attended
        assert work.stopped

    in_a_loop(scenario())


def test_work_that_takes_too_long_is_stopped_and_the_error_says_how_long_it_may() -> None:
    async def scenario() -> None:
        work = Work()
        with pytest.raises(DeadlineError, match=r"longer than 0\.02 s"):
            await run_while_connected(request(), work.run(), timeout=0.02)
        assert work.stopped

    in_a_loop(scenario())


def test_a_service_that_stops_is_not_taken_for_a_client_that_left() -> None:
    async def scenario() -> None:
        work = Work()
        attended = asyncio.create_task(run_while_connected(request(), work.run(), timeout=30))
        await work.begun.wait()
        attended.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attended
        assert work.stopped

    in_a_loop(scenario())


def test_nothing_of_it_is_left_once_it_is_answered() -> None:
    async def answer() -> None:
        await asyncio.sleep(0.05)  # long enough that somebody looks for the client

    async def scenario() -> None:
        before = asyncio.all_tasks()
        await run_while_connected(request(), answer(), timeout=30)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    in_a_loop(scenario())
