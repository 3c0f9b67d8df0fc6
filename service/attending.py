"""Working for a client only as long as it is there, and only as long as an answer may take."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from service.errors import DeadlineError
from service.middleware import ClientGoneError

T = TypeVar("T")


async def attend(request: Request, work: Coroutine[Any, Any, T], *, timeout: float) -> T:
    """The result of ``work``; it is cancelled if the client leaves or the time is over.

    The request's body must have been read. Raises DeadlineError, ClientGoneError, and what the work raises.
    """
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({task, leaving}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if leaving.done():
            raise ClientGoneError
        raise DeadlineError(f"the answer took longer than {timeout:g} s; try again, or send a smaller picture")
    finally:
        for unfinished in (task, leaving):
            unfinished.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
