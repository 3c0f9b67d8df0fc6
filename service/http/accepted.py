"""Work that may go on after its response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus

WAIT_SECONDS = 20.0


async def await_or_accept(work: Awaitable[object], *, timeout: float) -> HTTPStatus:
    """The status of the response: 200 once ``work`` has ended, 202 if that takes longer than 20 or ``timeout`` seconds.

    Then ``work`` is cancelled: it has to be a wait for what goes on by itself. Raises what ``work`` raises.
    """
    try:
        async with asyncio.timeout(min(WAIT_SECONDS, timeout)):
            await work
    except TimeoutError:
        return HTTPStatus.ACCEPTED
    return HTTPStatus.OK
