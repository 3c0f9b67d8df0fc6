"""Working for a client only as long as it is there, and only as long as an answer may take."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from service.errors import DeadlineError
from service.http.middleware import ClientGoneError

T = TypeVar("T")
_LOOK_AFTER = 0.01
"""Seconds after which somebody looks whether the client is still there; most answers to a key are faster."""


async def attend(request: Request, work: Coroutine[Any, Any, T], *, timeout: float) -> T:
    """The result of ``work``; it is cancelled if the client leaves or the time is over.

    The request's body must have been read. Raises DeadlineError, ClientGoneError, and what the work raises.
    """
    task = asyncio.current_task()
    if task is None:
        raise TypeError("work that belongs to no task")
    attendant = _Attendant(request, task, timeout)
    asked = task.cancelling()
    try:
        return await work
    except asyncio.CancelledError:
        # As asyncio.timeout has it: only a cancellation that is ours and nobody else's becomes an error of ours.
        if attendant.reason is None or task.uncancel() > asked:
            raise
        raise attendant.reason from None
    finally:
        attendant.leave()


class _Attendant:
    """Cancels a task when its client has left, or its time is over, and then knows why."""

    def __init__(self, request: Request, task: asyncio.Task[Any], timeout: float) -> None:
        self.reason: Exception | None = None
        self._request = request
        self._task = task
        self._watching: asyncio.Task[None] | None = None
        late = DeadlineError(f"the answer took longer than {timeout:g} s; try again, or send a smaller picture")
        loop = asyncio.get_running_loop()
        self._timers = (
            loop.call_later(_LOOK_AFTER, self._look),
            loop.call_later(timeout, self._stop, late),
        )

    def leave(self) -> None:
        """The work is done."""
        for timer in self._timers:
            timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _look(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._stop(ClientGoneError())

    def _stop(self, reason: Exception) -> None:
        if self.reason is None:
            self.reason = reason
            self._task.cancel()
