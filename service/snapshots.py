"""The open collections: each has one current snapshot, which polling replaces when the indexer publishes a newer one.

A new calibration of a collection replaces its current snapshot as well. Live changes, of this process and of others,
are taken up at each poll; they replace the snapshot's ``collection`` and nothing else.

A request *leases* the current snapshot until it ends. When the indexer publishes, the new snapshot is opened while the
old one is still leased, later leases get the new one, and the old one is closed when its last lease ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from lookalike.api import Collection
from lookalike.collection.layout import CURRENT, NAME, CollectionLayout
from lookalike.errors import (
    CatalogueError,
    CatalogueUnavailableError,
    CollectionNotFoundError,
    CollectionNotReadyError,
    EncoderError,
    LookalikeError,
    SnapshotDamagedError,
)
from lookalike.options import Places
from service.access import current_access
from service.errors import FieldInvalidError
from service.inference.encoder_pool import EncoderPool
from service.loop_guard import LoopGuard
from service.open_snapshot import OpenSnapshot
from service.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
"""Seconds between two polls for new snapshots."""
_RETRY_SECONDS = 30.0
"""Seconds until opening a snapshot is retried after a failure, if no newer one is published."""

Stamp = tuple[tuple[str, int, int, int], ...]
T = TypeVar("T")


def _is_same(first: OpenSnapshot, second: OpenSnapshot) -> bool:
    """Whether two have the same responses: a calibration may be new where the snapshot is not."""
    return (first.generation, first.calibration) == (second.generation, second.calibration)


async def _try_encoder(snapshot: OpenSnapshot) -> None:
    """Load a snapshot's encoder; without it, requests that need no encoder are still answered."""
    with suppress(EncoderError):
        await snapshot.load_encoder()


@dataclass(frozen=True, slots=True, eq=False)
class CollectionState:
    """A collection's current snapshot, if it has one, and why its newest one could not be opened, if it could not."""

    name: str
    current: OpenSnapshot | None
    problem: LookalikeError | None


@dataclass(eq=False)
class _Slot:
    """One collection: its current snapshot, the stamp of its files at the last attempt to open it, and the error.

    ``attempt_time`` is the time of that attempt by the event loop's clock, in seconds.
    """

    current: OpenSnapshot | None = None
    stamp: Stamp = ()
    problem: LookalikeError | None = None
    attempt_time: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    live_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    live_guard: LoopGuard = field(default_factory=lambda: LoopGuard("taking up live changes"))


class Snapshots:
    """All collections of a data folder; methods are for the event loop's thread."""

    def __init__(self, places: Places, encoders: EncoderPool, metrics: Metrics) -> None:
        self._places = places
        self._encoders = encoders
        self._metrics = metrics
        self.guard = LoopGuard("polling for new snapshots")
        self._slots: dict[str, _Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="open")
        self._live_thread = ThreadPoolExecutor(1, thread_name_prefix="live")

    def names(self) -> list[str]:
        """The names of the collections that may be used, also of those without a current snapshot."""
        return [state.name for state in self.states() if current_access.get().covers(state.name)]

    def states(self) -> list[CollectionState]:
        """What is known of all collections, also of those that the request at hand may not use."""
        return [CollectionState(name, slot.current, slot.problem) for name, slot in sorted(self._slots.items())]

    def current(self, name: str | None) -> OpenSnapshot | None:
        """A collection's current snapshot, if it has one; without a name, that of the only collection.

        Raises ForbiddenError for a collection that the request at hand may not use.
        """
        if name is None:
            names = self.names()
            name = names[0] if len(names) == 1 else ""
        else:
            current_access.get().require(name)
        slot = self._slots.get(name)
        return None if slot is None else slot.current

    def problem(self, name: str) -> LookalikeError | None:
        """Why a collection's newest snapshot could not be opened, if it could not."""
        slot = self._slots.get(name)
        return None if slot is None else slot.problem

    @asynccontextmanager
    async def lease(self, name: str | None) -> AsyncIterator[OpenSnapshot]:
        """A context with a collection's current snapshot; without a name, that of the only collection.

        Raises ForbiddenError for a collection that the request at hand may not use, CollectionNotFoundError,
        CollectionNotReadyError, the error of opening it, or FieldInvalidError if there are several collections.
        """
        name = name if name is not None else await self._only()
        current_access.get().require(name)
        snapshot = await self._find(name)
        snapshot.leases += 1
        try:
            yield snapshot
        finally:
            snapshot.leases -= 1
            if snapshot.is_retired and snapshot.leases == 0:
                await self._in_thread(snapshot.close)

    async def layout(self, name: str) -> CollectionLayout:
        """Where a collection's files are, also of one that cannot be served.

        Raises CollectionNotFoundError, and ForbiddenError for one that the request at hand may not use.
        """
        current_access.get().require(name)
        if name not in self._slots:
            await self.run_to_end(self._poll(name))
        if name not in self._slots:
            raise self._not_found(name)
        return CollectionLayout.of(self._places.collections_dir, name)

    async def run_to_end(self, work: Coroutine[None, None, None]) -> None:
        """Await work that goes on if the caller is cancelled, and that ends before everything is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def poll(self, name: str) -> None:
        """Make the newest snapshot of a collection the current one, if its files have changed."""
        await self.run_to_end(self._poll(name))

    async def refresh(self, name: str) -> None:
        """Make the newest snapshot of a collection the current one.

        Raises ForbiddenError for a collection that the request at hand may not use, and the error of opening it.
        """
        current_access.get().require(name)
        await self.run_to_end(self._poll(name, force=True))
        await self.take_changes(name)
        slot = self._slots.get(name)
        if slot is not None and slot.problem is not None:
            raise slot.problem.with_traceback(None)

    async def take_changes(self, name: str) -> None:
        """Let the next request see all live changes of a collection that were made by now."""
        slot = self._slots.get(name)
        if slot is not None:
            async with slot.live_lock:
                if slot.current is not None:
                    await self._take_changes(slot.current)

    async def poll_all(self) -> None:
        """Poll once for new collections and new snapshots, and close collections that no longer exist.

        While the data folder cannot be read, the current snapshots stay open.
        """
        previous = set(self._slots)  # before the disk is listed: a collection that comes meanwhile stays
        try:
            names = await self._in_thread(self._names_on_disk)
        except OSError as error:
            _LOG.warning("data folder unreadable", extra={"error": error.strerror})
            return
        for name in names:
            await self._poll(name)
            slot = self._slots.get(name)
            if slot is not None:
                with slot.live_guard, suppress(CatalogueError):  # it is asked again at the next poll
                    await self.take_changes(name)
        for name in previous - set(names):
            await self.run_to_end(self._remove(name))

    async def poll_forever(self) -> None:
        """Poll for new snapshots until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            with self.guard:
                await self.poll_all()

    async def close(self) -> None:
        """Close everything."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in self._slots.values():
            if slot.current is not None:
                slot.current.close()
        self._slots.clear()
        self._thread.shutdown(wait=True)
        self._live_thread.shutdown(wait=True)

    async def _only(self) -> str:
        if not self._slots:
            await self.poll_all()
        names = self.names()
        if len(names) > 1:
            raise FieldInvalidError(f"name a collection; there are: {', '.join(names)}", subject="collection")
        if not names:
            raise CollectionNotFoundError(
                "nothing has been indexed yet: run `python -m indexer index ~/Pictures --collection pictures`",
                subject="collection",
            )
        return names[0]

    async def _find(self, name: str) -> OpenSnapshot:
        slot = self._slots.get(name)
        if slot is None or slot.current is None:
            await self.run_to_end(self._poll(name))
            slot = self._slots.get(name)
        if slot is None:
            raise self._not_found(name)
        if slot.current is not None:
            return slot.current
        if slot.problem is not None:
            # Without this it would reference the frames of every request that it was ever raised in.
            raise slot.problem.with_traceback(None)
        raise CollectionNotReadyError(
            f"the collection {name!r} has published nothing yet: index it first", subject="collection"
        )

    def _not_found(self, name: str) -> CollectionNotFoundError:
        names = self.names()
        hint = f"the collections are {', '.join(names)}" if names else "nothing has been indexed yet"
        return CollectionNotFoundError(f"collection {name[:80]!r} does not exist; {hint}", subject="collection")

    async def _poll(self, name: str, *, force: bool = False) -> None:
        """Open the collection's newest snapshot if it is not the current one."""
        if name not in self._slots and not await self._in_thread(self._exists, name):
            return
        slot = self._slots.setdefault(name, _Slot())
        async with slot.lock:
            if self._slots.get(name) is not slot:
                return  # the collection was removed meanwhile: nobody would close what is opened here
            try:
                await self._poll_slot(slot, name, force=force)
            except LookalikeError as error:
                self._record_failure(slot, name, error)
            except Exception as error:  # noqa: BLE001  # it is logged with its trace, and becomes the slot's problem
                # A defect of one collection's files must not affect the others.
                _LOG.exception("snapshot failed", extra={"collection": name})
                self._record_failure(
                    slot, name, SnapshotDamagedError(f"{name!r} cannot be opened: {error}", subject=name)
                )

    async def _remove(self, name: str) -> None:
        """Close a collection that no longer exists, unless another poll has done so."""
        slot = self._slots.get(name)
        if slot is None:
            return
        async with slot.lock, slot.live_lock:
            if self._slots.get(name) is not slot:
                return
            del self._slots[name]
            last, slot.current = slot.current, None
        self._metrics.remove_snapshot(name)
        await self._retire(last)

    async def _poll_slot(self, slot: _Slot, name: str, *, force: bool) -> None:
        now = asyncio.get_running_loop().time()
        # A catalogue is retried at every poll; to retry a damaged snapshot reads all its files, so that is rarer.
        interval = _POLL_SECONDS if isinstance(slot.problem, CatalogueError) else _RETRY_SECONDS
        is_due = now - slot.attempt_time > interval
        stamp = await self._in_thread(self._stamp, name)
        if stamp != slot.stamp or force or (is_due and slot.problem is not None):
            slot.stamp, slot.attempt_time = stamp, now
            await self._replace_current(slot, name)
            slot.problem = None
        elif is_due and slot.current is not None and slot.current.encoder_problem is not None:
            slot.attempt_time = now
            await self._try_encoder(slot.current)

    def _record_failure(self, slot: _Slot, name: str, error: LookalikeError) -> None:
        if isinstance(error, CollectionNotFoundError):
            error = CatalogueUnavailableError(
                f"the catalogue knows no collection {name!r}: {error.message}", subject=name
            )
        is_reported = slot.problem is not None and slot.problem.code == error.code
        slot.problem = error
        if isinstance(error, CollectionNotReadyError):
            return
        self._metrics.count_snapshot_failure(name)
        if not is_reported:
            _LOG.error("snapshot refused", extra={"collection": name, "code": error.code, "why": error.message})

    async def _replace_current(self, slot: _Slot, name: str) -> None:
        newest = await self._in_thread(self._open, name)
        previous = slot.current
        if previous is not None and _is_same(previous, newest):
            await self._in_thread(newest.close)
            if previous.encoder_problem is not None:
                await self._try_encoder(previous)
            return
        try:
            await _try_encoder(newest)
            if previous is not None and previous.encoder_problem is None and previous.generation < newest.generation:
                # The previous one can be searched with pictures, so it stays; but a rollback is always carried out.
                newest.refuse_as_newest()
        except BaseException:
            await self._in_thread(newest.close)
            raise
        async with slot.live_lock:
            await self._take_changes(newest)
            slot.current = newest
        self._metrics.set_snapshot(name, newest.generation, len(newest.collection))
        self._metrics.set_searchable(name, newest.encoder_problem is None)
        _LOG.info(
            "snapshot",
            extra={
                "collection": name,
                "snapshot": newest.generation,
                "items": len(newest.collection),
                "threshold": newest.collection.threshold().source,
            },
        )
        await self._retire(previous)

    async def _take_changes(self, snapshot: OpenSnapshot) -> None:
        loop = asyncio.get_running_loop()
        collection = await loop.run_in_executor(self._live_thread, snapshot.collection.with_live_changes)
        if collection is not snapshot.collection:
            snapshot.collection = collection
            self._metrics.set_snapshot(snapshot.name, snapshot.generation, len(collection))

    async def _try_encoder(self, snapshot: OpenSnapshot) -> None:
        await _try_encoder(snapshot)
        self._metrics.set_searchable(snapshot.name, snapshot.encoder_problem is None)

    async def _retire(self, snapshot: OpenSnapshot | None) -> None:
        """Close a snapshot that is no longer current, now or when its last lease ends."""
        if snapshot is None:
            return
        snapshot.is_retired = True
        if snapshot.leases == 0:
            await self._in_thread(snapshot.close)

    def _open(self, name: str) -> OpenSnapshot:
        places = self._places
        collection = Collection.open(
            places.data, name, database_url=places.database_url, encoders_dir=places.encoders_dir
        )
        try:
            return OpenSnapshot(collection, self._encoders, collection.calibration)
        except BaseException:
            collection.close()
            raise

    def _names_on_disk(self) -> list[str]:
        folder = self._places.collections_dir
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir())

    def _exists(self, name: str) -> bool:
        return NAME.fullmatch(name) is not None and (self._places.collections_dir / name).is_dir()

    def _stamp(self, name: str) -> Stamp:
        """A stamp of the pointer file and the calibrations: they are replaced by rename, so their inodes change."""
        root = CollectionLayout.of(self._places.collections_dir, name).root
        stamps = []
        for path in (root / CURRENT, *sorted((root / "calibrations").glob("*.json"))):
            with suppress(FileNotFoundError):
                stat = path.stat()
                stamps.append((path.name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(stamps)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
