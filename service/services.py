"""The objects that all requests share: made when the service starts, closed when it stops."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import numpy as np
from fastapi import Depends, Request

from lookalike.encoder.base import ImageEncoder
from lookalike.errors import LookalikeError
from lookalike.options import EncoderRequest
from lookalike.wiring import default_encoder
from service.errors import InternalError, StartingError
from service.folding import Folding
from service.http.body import TEXT_BYTES
from service.inference.admission import Admission
from service.inference.batcher import Batcher
from service.inference.copy_checker import CopyChecker
from service.inference.decoder_pool import DecoderPool
from service.inference.encoder_pool import EncoderPool
from service.jobs.runner import JobRunner
from service.jobs.upload_store import UploadStore
from service.settings import UPLOAD_BYTES, Settings
from service.snapshots import Snapshots
from service.stored_answers import StoredAnswers
from service.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from lookalike.encoder.network.operators import OperatorStatus

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
READS_PER_PERMIT = 4
"""Concurrent reads of rows, pictures and thumbnails for each permit of work: a page requests dozens at once."""
CONCURRENT_BATCHES = 2
"""Batches that are encoded concurrently: a query that arrives while a single one is encoded need not wait for it."""
BATCH_PER_CORE = 8
"""Maximum pictures of a batch for each core of its encoder, at a decoder a core: larger batches are no faster."""
UPLOAD_WRITERS = 16
"""Uploads that are written to the disk at once, each with a mebibyte of memory."""
JOB_LISTENERS = 64
"""Clients that are told of jobs as they go on."""
PROBE_SECONDS = 1.0
"""Seconds for which the result of a readiness probe is cached."""


class Services:
    """Pools, caches, permits and open snapshots; has to be made in the event loop's thread."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.admission = Admission(settings.capacity)
        self.uploads = Admission(settings.capacity * (min(settings.limits.max_bytes, UPLOAD_BYTES) + TEXT_BYTES))
        self.reading = Admission(READS_PER_PERMIT * settings.capacity)
        self.encoders = EncoderPool(settings.places.encoders_dir, settings.encoders_kept)
        self.snapshots = Snapshots(settings.places, self.encoders, metrics)
        self.folding = Folding(settings, self.snapshots)
        self.stored_answers = StoredAnswers(settings.places)
        self.upload_store = UploadStore(settings.places.data / "uploads", settings.max_upload_bytes)
        self.upload_writers = Admission(UPLOAD_WRITERS)
        self.jobs = JobRunner(settings, self.snapshots, self.upload_store)
        self.job_listeners = Admission(JOB_LISTENERS)
        self.decoder_pool = DecoderPool(settings.decoders, settings.limits)
        # Half as many threads as decoders: checks for copies must not slow down searches.
        self.copy_checker = CopyChecker(max(1, settings.decoders // 2))
        self.batcher = Batcher(
            max_batch_size=BATCH_PER_CORE * max(1, settings.decoders // CONCURRENT_BATCHES),
            max_concurrent_batches=CONCURRENT_BATCHES,
            record_size=metrics.batch_size.observe,
        )
        self._search_threads = ThreadPoolExecutor(settings.decoders, thread_name_prefix="search")
        self.problem: LookalikeError | None = None
        self.encoder: ImageEncoder | None = None
        self._probe_lock = asyncio.Lock()
        self._last_probe = (-math.inf, 0.0)
        self._background = asyncio.create_task(self._run(), name="startup")
        self._startup_done = asyncio.Event()
        metrics.capacity.set(settings.capacity)
        metrics.in_flight.set_function(lambda: self.admission.in_flight)

    async def ready(self) -> float:
        """Milliseconds that encoding a small picture takes now; raises StartingError until everything is loaded."""
        if self._background.done():
            raise InternalError("the service no longer polls for new snapshots; restart it")
        self.check_started()
        if self.problem is not None:
            raise self.problem
        # One probe at a time for all callers: health checks must not load the service.
        async with self._probe_lock:
            if time.monotonic() - self._last_probe[0] > PROBE_SECONDS:
                self._last_probe = (time.monotonic(), await self._probe())
            return self._last_probe[1]

    def check_started(self) -> None:
        """Raise StartingError until every collection has been polled once."""
        if not self._startup_done.is_set():
            raise StartingError("the service is still loading; try again in a few seconds")

    async def _probe(self) -> float:
        encoder = await self.encoders.get(EncoderRequest(default_encoder()), pinned=True)
        begin = time.perf_counter()
        grey = np.full((8, 8, 3), 128, np.uint8)
        await self.batcher.encode(encoder, await asyncio.to_thread(encoder.prepare, grey))
        return (time.perf_counter() - begin) * 1000

    def problems(self) -> list[str]:
        """Problems of the service as a whole, a sentence each."""
        sentences = [] if self.problem is None else [f"encoder: {self.problem.code}"]
        if self._background.done():
            sentences.append("the service no longer polls for new snapshots; restart it")
        guards = (self.snapshots.guard, self.folding.guard, self.jobs.guard)
        sentences += [
            f"{guard.work} fails, and is tried again; the log has why" for guard in guards if guard.is_failing
        ]
        return sentences

    async def search_in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Run ``work`` in the thread pool for index and catalogue, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._search_threads, work, *arguments)

    async def close(self) -> None:
        """Stop polling for snapshots, finish the running batches, and close everything."""
        self._background.cancel()
        await asyncio.gather(self._background, return_exceptions=True)
        await self.folding.close()
        await self.stored_answers.close()
        await self.jobs.close()
        await self.batcher.close()
        self.decoder_pool.close()
        self.copy_checker.close()
        self._search_threads.shutdown(wait=True, cancel_futures=True)
        await self.snapshots.close()
        self.encoders.close()

    async def _run(self) -> None:
        try:
            await self._start()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.snapshots.poll_forever())
                tasks.create_task(self.folding.run_forever())
                tasks.create_task(self.jobs.run_forever())
        except Exception:
            _LOG.exception("polling for new snapshots stopped")
            raise

    async def _start(self) -> None:
        begin = time.perf_counter()
        try:
            self.encoder = await self.encoders.get(EncoderRequest(default_encoder()), pinned=True)
        except LookalikeError as error:
            # Collections with other encoders can still be served; /ready responds with the error.
            self.problem = error
            _LOG.error("encoder refused", extra={"code": error.code, "why": error.message})
        self.metrics.operator.set(await asyncio.to_thread(_operator_serves))
        await self.snapshots.poll_all()
        self._startup_done.set()
        _LOG.info("started", extra={"seconds": round(time.perf_counter() - begin, 2)})


def find_operator_status() -> OperatorStatus | None:
    """The state of the compiled operator; None while nothing in this process runs on PyTorch and needs it."""
    if "torch" not in sys.modules:
        return None  # to import it would load PyTorch, which takes seconds
    from lookalike.encoder.network.operators import operator_status

    return operator_status()


def _operator_serves() -> bool:
    status = find_operator_status()
    return status is None or status.available


@asynccontextmanager
async def run_services(settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
    """A context with the services, which are closed when the application stops."""
    services = Services(settings, metrics)
    try:
        yield services
    finally:
        await services.close()


def services_of(request: Request) -> Services:
    """The services of the request's application."""
    services: Services = request.app.state.services
    return services


async def _get_services(request: Request) -> Services:
    # FastAPI runs a dependency that is not async in a thread, which costs more than the rest of a search by key.
    return services_of(request)


ServicesDependency = Annotated[Services, Depends(_get_services)]
