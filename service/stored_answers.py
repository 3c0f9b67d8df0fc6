"""Answers to requests with an Idempotency-Key, in the catalogue, for all processes that serve it.

Of the libraries for this (asgi-idempotency-header, mobius-idempotence-library, fastapi-idempotency-key) none keeps its
answers in PostgreSQL, and all are middleware over raw bodies: they would read an upload before there is room for it,
and take the boundary of a form, which is another one each time, for a part of the request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from lookalike.catalogue.idempotency_store import Claim, IdempotencyStore, StoredAnswer
from lookalike.catalogue.repository import Catalogue
from lookalike.errors import CatalogueError, DiskFullError
from lookalike.options import Places
from lookalike.wiring import open_catalogue

_LOG = logging.getLogger(__name__)
LEASE_SECONDS = 30.0
"""Seconds after which a request is worked on anew if the process that worked on it has died."""
_PRUNE_SECONDS = 60.0
_STOP_SECONDS = 10.0
"""Seconds that work has to end when the service stops."""
T = TypeVar("T")


class StoredAnswers:
    """The keys and answers; methods are for the event loop's thread. The catalogue is opened for the first key."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._catalogue: Catalogue | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="idempotency")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._last_prune = time.monotonic()

    async def claim(self, digest: str, request_digest: str, owner: str) -> Claim | StoredAnswer:
        """Begin the work on a request, or say why not; raises the catalogue's errors."""
        if time.monotonic() - self._last_prune > _PRUNE_SECONDS:
            self._last_prune = time.monotonic()
            with suppress(CatalogueError):  # it is tried again
                await self._run(lambda store: store.prune())
        return await self._run(lambda store: store.claim(digest, request_digest, owner, LEASE_SECONDS))

    async def renew_forever(self, digest: str, owner: str) -> None:
        """Say again and again that a request is worked on, until cancelled."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(CatalogueError):
                await self._run(lambda store: store.renew(digest, owner, LEASE_SECONDS))

    async def finish(self, digest: str, owner: str, answer: StoredAnswer | None) -> None:
        """Store the answer, or with None give the key back.

        A failure is logged and not raised: the change has been made, and its answer is sent.
        """
        try:
            if answer is None:
                await self._run(lambda store: store.release(digest, owner))
            else:
                await self._run(lambda store: store.finish(digest, owner, answer))
        except (CatalogueError, DiskFullError) as error:
            _LOG.warning("answer not stored", extra={"code": error.code, "why": error.message})

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Work that goes on when its client has left, and that ends before everything is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Wait for what is being done, cancel what takes too long, and close the catalogue."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._thread.shutdown(wait=True)
        if self._catalogue is not None:
            self._catalogue.close()

    async def _run(self, work: Callable[[IdempotencyStore], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._with_store, work)

    def _with_store(self, work: Callable[[IdempotencyStore], T]) -> T:
        if self._catalogue is None:
            self._catalogue = open_catalogue(self._places)
        return work(self._catalogue.idempotency_store())
