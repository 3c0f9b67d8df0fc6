"""Work that is cancelled when its client disconnects or its time limit is over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from service.errors import DeadlineError
from service.http.middleware import ClientGoneError

T = TypeVar("T")
_WATCH_AFTER = 0.01
"""Seconds after which the connection is watched; most responses to searches by key are faster."""


async def run_while_connected(request: Request, work: Coroutine[Any, Any, T], *, timeout: float) -> T:
    """The result of ``work``, which is cancelled if the client disconnects or ``timeout`` seconds are over.

    The request's body must have been read. Raises DeadlineError, ClientGoneError, and what the work raises.
    """
    task = asyncio.current_task()
    if task is None:
        raise TypeError("run_while_connected must be awaited in a task")
    watch = _DisconnectWatch(request, task, timeout)
    cancellations = task.cancelling()
    try:
        return await work
    except asyncio.CancelledError:
        # As in asyncio.timeout: only a cancellation that this watch alone requested becomes its error.
        if watch.reason is None or task.uncancel() > cancellations:
            raise
        raise watch.reason from None
    finally:
        watch.stop()


class _DisconnectWatch:
    """Cancels a task when its client has disconnected or its time limit is over; ``reason`` says which."""

    def __init__(self, request: Request, task: asyncio.Task[Any], timeout: float) -> None:
        self.reason: Exception | None = None
        self._request = request
        self._task = task
        self._watch_task: asyncio.Task[None] | None = None
        deadline_error = DeadlineError(
            f"the response took longer than {timeout:g} s; try again, or send a smaller picture"
        )
        loop = asyncio.get_running_loop()
        self._timers = (
            loop.call_later(_WATCH_AFTER, self._start_watching),
            loop.call_later(timeout, self._cancel, deadline_error),
        )

    def stop(self) -> None:
        """Stop watching: the work is done."""
        for timer in self._timers:
            timer.cancel()
        if self._watch_task is not None:
            self._watch_task.cancel()

    def _start_watching(self) -> None:
        self._watch_task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._cancel(ClientGoneError())

    def _cancel(self, reason: Exception) -> None:
        if self.reason is None:
            self.reason = reason
            self._task.cancel()
