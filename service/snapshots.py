"""The collections that are open: each serves one snapshot, and goes over to a newer one between two requests.

A request *leases* a snapshot and keeps it to its end. When the indexer publishes, the new snapshot is opened beside
the old one, the next lease gets it, and the old one is closed when its last lease ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from lookalike.api import Collection
from lookalike.catalogue.records import EncoderRequest
from lookalike.collection.layout import CURRENT, NAME, CollectionLayout
from lookalike.encoder.base import ImageEncoder
from lookalike.errors import CollectionNotFoundError, CollectionNotReadyError, LookalikeError, SnapshotDamagedError
from lookalike.options import Places
from lookalike.sources.base import Source
from lookalike.wiring import open_origin
from service.encoders import EncoderShelf
from service.errors import FieldInvalidError
from service.metrics import Metrics

_LOG = logging.getLogger(__name__)
_LOOK_AGAIN = 1.0
"""Seconds between two looks for new snapshots."""
_TRY_AGAIN = 30.0
"""Seconds until a snapshot that could not be opened is tried again, if nothing newer came."""

Stamp = tuple[int, int, int] | None
T = TypeVar("T")


@dataclass(eq=False)
class OpenSnapshot:
    """A collection at one snapshot, with what belongs to it, and how many requests hold it."""

    collection: Collection
    shelf: EncoderShelf
    leases: int = 0
    retired: bool = False
    _encoder: ImageEncoder | None = None
    _source: Source | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.collection.manifest.collection

    @property
    def generation(self) -> int:
        """The snapshot's number."""
        return self.collection.manifest.generation

    async def encoder(self) -> ImageEncoder:
        """The encoder that the vectors were made with; raises EncoderMismatchError and the errors of loading."""
        if self._encoder is None:
            found = await self.shelf.get(EncoderRequest(**self.collection.manifest.encoder_request))
            self.collection.check_encoder(found.spec)
            self._encoder = found
        return self._encoder

    async def source(self) -> Source:
        """Where the pictures are read from, opened once; raises a leaf of SourceError."""
        async with self._opening:
            if self._source is None:
                self._source = await asyncio.to_thread(open_origin, self.collection.origin)
            return self._source

    def close(self) -> None:
        """Give everything back."""
        self.collection.close()
        if self._source is not None:
            self._source.close()


@dataclass(eq=False)
class _Shelf:
    """One collection: what serves, what was last seen on disk, and what went wrong."""

    serving: OpenSnapshot | None = None
    stamp: Stamp = None
    problem: LookalikeError | None = None
    tried: float = 0.0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class Snapshots:
    """All collections of a data folder; methods belong to the event loop's thread."""

    def __init__(self, places: Places, shelf: EncoderShelf, metrics: Metrics) -> None:
        self._places = places
        self._encoders = shelf
        self._metrics = metrics
        self._shelves: dict[str, _Shelf] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="open")

    def names(self) -> list[str]:
        """The collections there are, whether they can serve or not."""
        return sorted(self._shelves)

    def serving(self, name: str) -> OpenSnapshot | None:
        """What serves a collection at this moment."""
        shelf = self._shelves.get(name)
        return None if shelf is None else shelf.serving

    def problem(self, name: str) -> LookalikeError | None:
        """Why a collection's newest snapshot is not served, if it is not."""
        shelf = self._shelves.get(name)
        return None if shelf is None else shelf.problem

    @asynccontextmanager
    async def lease(self, name: str | None) -> AsyncIterator[OpenSnapshot]:
        """A collection's snapshot for the time of a request; without a name, that of the only collection.

        Raises CollectionNotFoundError, CollectionNotReadyError, what opening it found, or FieldInvalidError if
        there are several to choose from.
        """
        held = await self._find(name if name is not None else await self._only())
        held.leases += 1
        try:
            yield held
        finally:
            held.leases -= 1
            if held.retired and held.leases == 0:
                await self._in_thread(held.close)

    async def look(self, name: str) -> None:
        """Serve the newest snapshot of a collection, if it is another than the one that serves."""
        await self._detached(self._look(name))

    async def refresh(self, name: str) -> None:
        """Serve the newest snapshot of a collection from now on; raises what opening it found."""
        await self._detached(self._look(name, force=True))
        shelf = self._shelves.get(name)
        if shelf is not None and shelf.problem is not None:
            raise shelf.problem

    async def look_at_all(self) -> None:
        """Look once for new collections and new snapshots, and forget collections that are gone."""
        there = await self._in_thread(self._names_on_disk)
        for name in there:
            await self._look(name)
        for name in set(self._shelves) - set(there):
            gone = self._shelves.pop(name)
            await self._retire(gone.serving)

    async def watch(self) -> None:
        """Look for new snapshots for ever."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN)
            try:
                await self.look_at_all()
            except OSError as error:
                _LOG.warning("data folder unreadable", extra={"error": error.strerror})

    async def close(self) -> None:
        """Close everything."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for shelf in self._shelves.values():
            if shelf.serving is not None:
                shelf.serving.close()
        self._shelves.clear()
        self._thread.shutdown(wait=True)

    async def _only(self) -> str:
        if not self._shelves:
            await self.look_at_all()
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
        shelf = self._shelves.get(name)
        if shelf is None or shelf.serving is None:
            await self._detached(self._look(name))
            shelf = self._shelves.get(name)
        if shelf is None:
            there = f"there are: {', '.join(self.names())}" if self._shelves else "nothing has been indexed yet"
            raise CollectionNotFoundError(f"no collection is called {name[:80]!r}; {there}", subject="collection")
        if shelf.serving is not None:
            return shelf.serving
        raise shelf.problem or CollectionNotReadyError(
            f"the collection {name!r} has published nothing yet: index it first", subject="collection"
        )

    async def _look(self, name: str, *, force: bool = False) -> None:
        """Open the collection's current snapshot if it is not the one that serves."""
        if name not in self._shelves and not await self._in_thread(self._is_there, name):
            return
        shelf = self._shelves.setdefault(name, _Shelf())
        async with shelf.opening:
            stamp = await self._in_thread(self._stamp, name)
            now = asyncio.get_running_loop().time()
            due = shelf.problem is not None and now - shelf.tried > _TRY_AGAIN
            if stamp == shelf.stamp and not due and not force:
                return
            shelf.stamp, shelf.tried = stamp, now
            try:
                await self._change(shelf, name)
                shelf.problem = None
            except (LookalikeError, OSError, TypeError) as error:
                # A file that the system does not give out, or words of another version, stop this collection alone.
                if not isinstance(error, LookalikeError):
                    error = SnapshotDamagedError(f"the snapshot of {name!r} cannot be used: {error}", subject=name)
                shelf.problem = error
                if not isinstance(error, CollectionNotReadyError):
                    self._metrics.snapshot_failed(name)
                    _LOG.error("snapshot refused", extra={"collection": name, "code": error.code, "why": error.message})

    async def _change(self, shelf: _Shelf, name: str) -> None:
        opened = await self._in_thread(self._open, name)
        if shelf.serving is not None and shelf.serving.generation == opened.generation:
            await self._in_thread(opened.close)
            return
        try:
            await opened.encoder()
        except BaseException:
            await self._in_thread(opened.close)
            raise
        shelf.serving, old = opened, shelf.serving
        self._metrics.snapshot(name, opened.generation, len(opened.collection))
        _LOG.info(
            "snapshot", extra={"collection": name, "snapshot": opened.generation, "items": len(opened.collection)}
        )
        await self._retire(old)

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
        return OpenSnapshot(collection, self._encoders)

    def _names_on_disk(self) -> list[str]:
        folder = self._places.collections_dir
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir())

    def _is_there(self, name: str) -> bool:
        return NAME.fullmatch(name) is not None and (self._places.collections_dir / name).is_dir()

    def _stamp(self, name: str) -> Stamp:
        """What tells a pointer from the next: it is replaced by rename, so its inode changes."""
        try:
            found = (CollectionLayout.of(self._places.collections_dir, name).root / CURRENT).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    async def _detached(self, work: Coroutine[None, None, None]) -> None:
        """Await work that goes on to its end even if whoever asked for it leaves."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
