"""The collections that are open: each serves one snapshot, and goes over to a newer one between two requests.

A collection's calibration belongs to what is open: another one is taken up as a new snapshot is.

A request *leases* a snapshot and keeps it to its end. When the indexer publishes, the new snapshot is opened beside
the old one, the next lease gets it, and the old one is closed when its last lease ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
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
from service.errors import FieldInvalidError
from service.inference.encoder_pool import EncoderPool
from service.open_snapshot import OpenSnapshot
from service.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
"""Seconds between two polls for new snapshots."""
_RETRY_SECONDS = 30.0
"""Seconds until a snapshot that could not be opened is tried again, if nothing newer came."""

Stamp = tuple[tuple[str, int, int, int], ...]
T = TypeVar("T")


def _same(serving: OpenSnapshot, opened: OpenSnapshot) -> bool:
    """Whether nothing has changed for who asks: a calibration may be new where the snapshot is not."""
    return (serving.generation, serving.calibration) == (opened.generation, opened.calibration)


async def _try_encoder(snapshot: OpenSnapshot) -> None:
    """Load a snapshot's encoder; one that cannot be had is no reason not to serve all that needs none."""
    with suppress(EncoderError):
        await snapshot.load_encoder()


@dataclass(eq=False)
class _Slot:
    """One collection: what serves, what was last seen on disk, and what went wrong."""

    serving: OpenSnapshot | None = None
    stamp: Stamp = ()
    problem: LookalikeError | None = None
    tried: float = 0.0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class Snapshots:
    """All collections of a data folder; methods belong to the event loop's thread."""

    def __init__(self, places: Places, shelf: EncoderPool, metrics: Metrics) -> None:
        self._places = places
        self._encoders = shelf
        self._metrics = metrics
        self._slots: dict[str, _Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="open")

    def names(self) -> list[str]:
        """The collections there are, whether they can serve or not."""
        return sorted(self._slots)

    def current(self, name: str) -> OpenSnapshot | None:
        """What serves a collection at this moment."""
        slot = self._slots.get(name)
        return None if slot is None else slot.serving

    def cached_response(self, name: str | None, query: Hashable) -> tuple[bytes, int] | None:
        """What was answered to this question before by the snapshot that serves now, and that snapshot's number.

        Without a name, by the only collection.
        """
        slot = self._slots.get(name) if name is not None else self._only_slot()
        if slot is None or slot.serving is None:
            return None
        body = slot.serving.answers.get(query)
        return None if body is None else (body, slot.serving.generation)

    def _only_slot(self) -> _Slot | None:
        return next(iter(self._slots.values())) if len(self._slots) == 1 else None

    def problem(self, name: str) -> LookalikeError | None:
        """Why a collection's newest snapshot is not served, if it is not."""
        slot = self._slots.get(name)
        return None if slot is None else slot.problem

    @asynccontextmanager
    async def lease(self, name: str | None) -> AsyncIterator[OpenSnapshot]:
        """A collection's snapshot for the time of a request; without a name, that of the only collection.

        Raises CollectionNotFoundError, CollectionNotReadyError, what opening it found, or FieldInvalidError if
        there are several to choose from.
        """
        snapshot = await self._find(name if name is not None else await self._only())
        snapshot.leases += 1
        try:
            yield snapshot
        finally:
            snapshot.leases -= 1
            if snapshot.retired and snapshot.leases == 0:
                await self._in_thread(snapshot.close)

    async def poll(self, name: str) -> None:
        """Serve the newest snapshot of a collection, if it is another than the one that serves."""
        await self._run_detached(self._poll(name))

    async def refresh(self, name: str) -> None:
        """Serve the newest snapshot of a collection from now on; raises what opening it found."""
        await self._run_detached(self._poll(name, force=True))
        slot = self._slots.get(name)
        if slot is not None and slot.problem is not None:
            raise slot.problem.with_traceback(None)

    async def poll_all(self) -> None:
        """Look once for new collections and new snapshots, and drop collections that no longer exist.

        While the data folder cannot be read, the current snapshots stay.
        """
        try:
            names = await self._in_thread(self._names_on_disk)
        except OSError as error:
            _LOG.warning("data folder unreadable", extra={"error": error.strerror})
            return
        for name in names:
            await self._poll(name)
        for name in set(self._slots) - set(names):
            slot = self._slots.pop(name)
            self._metrics.snapshot_gone(name)
            await self._retire(slot.serving)

    async def poll_forever(self) -> None:
        """Poll for new snapshots until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self.poll_all()

    async def close(self) -> None:
        """Close everything."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in self._slots.values():
            if slot.serving is not None:
                slot.serving.close()
        self._slots.clear()
        self._thread.shutdown(wait=True)

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
        if slot is None or slot.serving is None:
            await self._run_detached(self._poll(name))
            slot = self._slots.get(name)
        if slot is None:
            hint = f"the collections are {', '.join(self.names())}" if self._slots else "nothing has been indexed yet"
            raise CollectionNotFoundError(f"collection {name[:80]!r} does not exist; {hint}", subject="collection")
        if slot.serving is not None:
            return slot.serving
        if slot.problem is not None:
            # Else it would hold the frames of every request that it was ever raised in.
            raise slot.problem.with_traceback(None)
        raise CollectionNotReadyError(
            f"the collection {name!r} has published nothing yet: index it first", subject="collection"
        )

    async def _poll(self, name: str, *, force: bool = False) -> None:
        """Open the collection's current snapshot if it is not the one that serves."""
        if name not in self._slots and not await self._in_thread(self._is_there, name):
            return
        slot = self._slots.setdefault(name, _Slot())
        async with slot.opening:
            try:
                await self._look_into(slot, name, force=force)
            except LookalikeError as error:
                self._record_failure(slot, name, error)
            except Exception as error:  # noqa: BLE001  # it is logged whole, and becomes the collection's problem
                # Whatever is wrong with one collection's files stops that collection alone.
                _LOG.exception("snapshot failed", extra={"collection": name})
                self._record_failure(
                    slot, name, SnapshotDamagedError(f"{name!r} cannot be opened: {error}", subject=name)
                )

    async def _look_into(self, slot: _Slot, name: str, *, force: bool) -> None:
        now = asyncio.get_running_loop().time()
        # A catalogue is soon tried again; to try a damaged snapshot again costs reading all its files.
        patience = _POLL_SECONDS if isinstance(slot.problem, CatalogueError) else _RETRY_SECONDS
        due = now - slot.tried > patience
        stamp = await self._in_thread(self._stamp, name)
        if stamp != slot.stamp or force or (due and slot.problem is not None):
            slot.stamp, slot.tried = stamp, now
            await self._change(slot, name)
            slot.problem = None
        elif due and slot.serving is not None and slot.serving.encoder_problem is not None:
            slot.tried = now
            await self._try_encoder(slot.serving)

    def _record_failure(self, slot: _Slot, name: str, error: LookalikeError) -> None:
        if isinstance(error, CollectionNotFoundError):
            error = CatalogueUnavailableError(
                f"the catalogue knows no collection {name!r}: {error.message}", subject=name
            )
        is_reported = slot.problem is not None and slot.problem.code == error.code
        slot.problem = error
        if isinstance(error, CollectionNotReadyError):
            return
        self._metrics.snapshot_failed(name)
        if not is_reported:
            _LOG.error("snapshot refused", extra={"collection": name, "code": error.code, "why": error.message})

    async def _change(self, slot: _Slot, name: str) -> None:
        opened = await self._in_thread(self._open, name)
        serving = slot.serving
        if serving is not None and _same(serving, opened):
            await self._in_thread(opened.close)
            if serving.encoder_problem is not None:
                await self._try_encoder(serving)
            return
        try:
            await _try_encoder(opened)
            if serving is not None and serving.encoder_problem is None and serving.generation < opened.generation:
                # The snapshot before can be searched with pictures. But whoever rolls back gets what they asked for.
                opened.refuse_as_newest()
        except BaseException:
            await self._in_thread(opened.close)
            raise
        slot.serving, old = opened, serving
        self._metrics.snapshot(name, opened.generation, len(opened.collection))
        self._metrics.searchable(name, opened.encoder_problem is None)
        _LOG.info(
            "snapshot",
            extra={
                "collection": name,
                "snapshot": opened.generation,
                "items": len(opened.collection),
                "threshold": opened.collection.threshold().source,
            },
        )
        await self._retire(old)

    async def _try_encoder(self, serving: OpenSnapshot) -> None:
        await _try_encoder(serving)
        self._metrics.searchable(serving.name, serving.encoder_problem is None)

    async def _retire(self, old: OpenSnapshot | None) -> None:
        if old is None:
            return
        old.retired = True
        if old.leases == 0:
            await self._in_thread(old.close)

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

    def _is_there(self, name: str) -> bool:
        return NAME.fullmatch(name) is not None and (self._places.collections_dir / name).is_dir()

    def _stamp(self, name: str) -> Stamp:
        """What tells the pointer and the calibrations from the next: replaced by rename, their inodes change."""
        root = CollectionLayout.of(self._places.collections_dir, name).root
        stamps = []
        for path in (root / CURRENT, *sorted((root / "calibrations").glob("*.json"))):
            with suppress(FileNotFoundError):
                stat = path.stat()
                stamps.append((path.name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(stamps)

    async def _run_detached(self, work: Coroutine[None, None, None]) -> None:
        """Await work that is finished even if the caller is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
