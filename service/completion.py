"""Work that is awaited to its end, also by a caller that is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def complete(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which a cancellation of the caller does not reach: it is raised when the work has ended.

    For what cannot be left half done, such as a thread, which nobody can stop, in a file that the caller has locked.
    """
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation from None if task.cancelled() else task.exception()
    return task.result()
