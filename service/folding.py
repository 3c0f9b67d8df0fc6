"""Folding live changes into the next snapshot, by rule or on demand, in a process of its own.

Building an index takes all of a core for a while, which would delay searches; a process can be stopped, and its
failure costs nothing: changes are seen with or without it. The collection's lock lets one process work at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time

from service.indexer_process import IndexerProcess, indexer_command, indexer_environment
from service.loop_guard import LoopGuard
from service.settings import Settings
from service.snapshots import Snapshots

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0
"""Seconds between two looks at how much there is to fold in."""
_RETRY_SECONDS = 60.0
"""Seconds until a collection is tried again after a failure, such as an indexer that works on it."""


class Folding:
    """Starts ``python -m indexer fold`` for collections; methods are for the event loop's thread."""

    def __init__(self, settings: Settings, snapshots: Snapshots) -> None:
        self.guard = LoopGuard("folding live changes")
        self._settings = settings
        self._snapshots = snapshots
        self._first_seen: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[bool]] = {}

    async def run_forever(self) -> None:
        """Fold what is due, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with self.guard:
                for name in self._snapshots.names():
                    if self._is_due(name):
                        await self.fold(name)

    async def fold(self, name: str) -> bool:
        """Fold a collection's changes in; whether that was done. A caller that is cancelled does not end it."""
        task = self._running.get(name)
        if task is None:
            task = self._running[name] = asyncio.create_task(self._run(name))
            task.add_done_callback(lambda _: self._running.pop(name, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is running: it will be done again."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_due(self, name: str) -> bool:
        current = self._snapshots.current(name)
        pending = 0 if current is None else current.searcher.overlay.pending_count
        now = time.monotonic()
        if not pending or not self._settings.fold_after:
            self._first_seen.pop(name, None)
            return False
        first_seen = self._first_seen.setdefault(name, now)
        is_many = pending >= self._settings.fold_after
        is_old = now - first_seen >= self._settings.fold_seconds
        return (is_many or is_old) and now >= self._not_before.get(name, 0.0)

    async def _run(self, name: str) -> bool:
        self._not_before[name] = time.monotonic() + _RETRY_SECONDS
        try:
            problem = await self._run_process(name)
        except OSError as error:  # such as no memory for another process
            problem = str(error)
        self._first_seen.pop(name, None)
        if problem is not None:
            _LOG.warning("changes not folded in", extra={"collection": name, "why": problem})
            return False
        del self._not_before[name]
        await self._snapshots.poll(name)
        return True

    async def _run_process(self, name: str) -> str | None:
        """Fold in a process of its own; why that failed, None if it did not."""
        places, problem = self._settings.places, None
        words = indexer_command("fold", "--collection", name, "--data", str(places.data), "--json")
        process = await IndexerProcess.start(words, indexer_environment(places))
        try:
            async for event in process.events():
                if event.get("event") == "error":
                    problem = str(event.get("message"))
            code = await process.wait()
        finally:
            await process.stop()
        return None if code == 0 else problem or process.last_words or f"exit code {code}"
