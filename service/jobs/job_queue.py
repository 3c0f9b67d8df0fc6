"""The jobs of the catalogue, for the event loop: its database is opened when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from lookalike.catalogue.database import Database
from lookalike.catalogue.job_store import JobStore
from lookalike.options import Places

T = TypeVar("T")


class JobQueue:
    """Calls of the job store, each in a thread."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._store: JobStore | None = None
        self._lock = Lock()

    async def call(self, work: Callable[[JobStore], T]) -> T:
        """What ``work`` gives of the store; the catalogue is made if there is none. Raises the catalogue's errors."""
        return await asyncio.to_thread(lambda: work(self._open()))

    async def look(self, work: Callable[[JobStore], T]) -> T | None:
        """The same, but where there is no catalogue there are no jobs: None."""

        def look() -> T | None:
            return work(self._open()) if self._store is not None or self._places.has_catalogue else None

        return await asyncio.to_thread(look)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _open(self) -> JobStore:
        with self._lock:
            if self._store is None:
                self._store = JobStore(Database.open(self._places.catalogue))
            return self._store
