"""Everything that requests share, made when the service starts and given back when it stops."""

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
from service.http.body import TEXT_BYTES
from service.inference.batcher import Batcher
from service.inference.copy_checker import CopyChecker
from service.inference.decoder_pool import DecoderPool
from service.inference.encoder_pool import EncoderPool
from service.inference.permits import Admission
from service.settings import Settings
from service.snapshots import Snapshots
from service.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from lookalike.encoder.network.operators import OperatorStatus

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
READERS = 4
"""How many reads of rows, pictures and thumbnails may wait for each permit of work: a page asks for dozens at once."""
LANES = 2
"""How many batches are encoded at once: a query that comes while another one is alone need not wait for it."""
BATCH = 8
"""Pictures of a batch for each core that a lane has, at a decoder a core: more at once are no faster."""
PROBE_SECONDS = 1.0
"""How long the outcome of a probe is told to others who ask whether the service is ready."""


class Services:
    """What a request may use; made inside the event loop."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.admission = Admission(settings.capacity)
        self.uploads = Admission(settings.capacity * (settings.limits.max_bytes + TEXT_BYTES))
        self.reading = Admission(READERS * settings.capacity)
        self.encoders = EncoderPool(settings.places.encoders_dir, settings.encoders_kept)
        self.snapshots = Snapshots(settings.places, self.encoders, metrics)
        self.decoder_pool = DecoderPool(settings.decoders, settings.limits)
        # Half of the cores' worth: who looks for copies must not be what slows down those who search.
        self.copy_checker = CopyChecker(max(1, settings.decoders // 2), settings.limits.max_jpeg2000_pixels)
        largest = BATCH * max(1, settings.decoders // LANES)
        self.batcher = Batcher(largest=largest, lanes=LANES, formed=metrics.batch_size.observe)
        self._search_threads = ThreadPoolExecutor(settings.decoders, thread_name_prefix="search")
        self.problem: LookalikeError | None = None
        self.encoder: ImageEncoder | None = None
        self._probing = asyncio.Lock()
        self._probed = (-math.inf, 0.0)
        self._background = asyncio.create_task(self._run(), name="startup")
        self._started = asyncio.Event()
        metrics.capacity.set(settings.capacity)
        metrics.in_flight.set_function(lambda: self.admission.in_flight)

    async def ready(self) -> float:
        """Milliseconds that encoding a small picture takes now; raises StartingError until everything is loaded."""
        if self._background.done():
            raise InternalError("the service no longer polls for new snapshots; restart it")
        self.check_started()
        if self.problem is not None:
            raise self.problem
        # One probe at a time, however many ask: who checks on the service must not be what keeps it busy.
        async with self._probing:
            if time.monotonic() - self._probed[0] > PROBE_SECONDS:
                self._probed = (time.monotonic(), await self._probe())
            return self._probed[1]

    def check_started(self) -> None:
        """Raise StartingError until every collection has been looked at."""
        if not self._started.is_set():
            raise StartingError("the service is still loading; try again in a few seconds")

    async def _probe(self) -> float:
        encoder = await self.encoders.get(EncoderRequest(default_encoder()), own=True)
        begin = time.perf_counter()
        grey = np.full((8, 8, 3), 128, np.uint8)
        await self.batcher.encode(encoder, await asyncio.to_thread(encoder.prepare, grey))
        return (time.perf_counter() - begin) * 1000

    def problems(self) -> list[str]:
        """What is wrong with the service as a whole, a sentence each."""
        sentences = [] if self.problem is None else [f"encoder: {self.problem.code}"]
        if self._background.done():
            sentences.append("the service no longer polls for new snapshots; restart it")
        return sentences

    async def search_in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """The result of ``work``, done in one of the threads for index and catalogue."""
        return await asyncio.get_running_loop().run_in_executor(self._search_threads, work, *arguments)

    async def close(self) -> None:
        """Stop looking for snapshots, finish the batch in hand, and close everything."""
        self._background.cancel()
        await asyncio.gather(self._background, return_exceptions=True)
        await self.batcher.close()
        self.decoder_pool.close()
        self.copy_checker.close()
        self._search_threads.shutdown(wait=True, cancel_futures=True)
        await self.snapshots.close()
        self.encoders.close()

    async def _run(self) -> None:
        begin = time.perf_counter()
        try:
            self.encoder = await self.encoders.get(EncoderRequest(default_encoder()), own=True)
        except LookalikeError as error:
            # Collections with other encoders can still be served; /ready says that something is wrong.
            self.problem = error
            _LOG.error("encoder refused", extra={"code": error.code, "why": error.message})
        self.metrics.operator.set(await asyncio.to_thread(_operator_serves))
        try:
            await self.snapshots.poll_all()
            self._started.set()
            _LOG.info("started", extra={"seconds": round(time.perf_counter() - begin, 2)})
            await self.snapshots.poll_forever()
        except Exception:
            _LOG.exception("polling for new snapshots stopped")
            raise


def operator() -> OperatorStatus | None:
    """The state of the compiled operator; None while nothing in this process runs on PyTorch and needs it."""
    if "torch" not in sys.modules:
        return None  # to ask would load PyTorch, which takes seconds
    from lookalike.encoder.network.operators import operator_status

    return operator_status()


def _operator_serves() -> bool:
    status = operator()
    return status is None or status.available


@asynccontextmanager
async def run_services(settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
    """The services for the life of an application."""
    services = Services(settings, metrics)
    try:
        yield services
    finally:
        await services.close()


def services_of(request: Request) -> Services:
    """The services of the application that got this request."""
    services: Services = request.app.state.services
    return services


async def _get_services(request: Request) -> Services:
    # The framework calls what is not async in a thread, which costs more than the rest of an answer to a key.
    return services_of(request)


Shared = Annotated[Services, Depends(_get_services)]
