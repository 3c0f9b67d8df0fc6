"""Dynamic batching: pictures that are queued at the same time are encoded together.

An idle encoder starts at once with whatever is queued, so a single query has no added latency; pictures that arrive
while a batch runs form the next batch. A second batch may run concurrently, but not a small one while other pictures
are being decoded: it waits for these. Pictures are decoded and prepared before they are queued, so a bad file cannot
be in a batch.

Pairs to explain have a queue and a thread of their own, one pair at a time: to load what explains them may take
seconds, and no query waits for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from lookalike.encoder.base import RGB, Evidence, ImageEncoder, Vectors
from service.errors import EncodingError, StartingError

_LOG = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _EncodeRequest:
    encoder: ImageEncoder
    pixels: RGB
    future: asyncio.Future[Vectors]


@dataclass(frozen=True, slots=True, eq=False)
class _ExplainRequest:
    encoder: ImageEncoder
    first: RGB
    second: RGB
    future: asyncio.Future[Evidence]


class Batcher:
    """Two queues, of pictures and of pairs, and the threads that run encoders; each queue is first in, first out.

    All methods are for the event loop's thread.
    """

    def __init__(
        self,
        *,
        max_batch_size: int = 16,
        max_concurrent_batches: int = 1,
        record_size: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """``record_size`` is called with the number of pictures of each batch when it starts."""
        self._max_batch_size = max_batch_size
        self._preparations = 0
        self._max_concurrent_batches = max_concurrent_batches
        self._record_size = record_size
        self._queue: list[_EncodeRequest] = []
        self._pairs: list[_ExplainRequest] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._explain_task: asyncio.Task[None] | None = None
        self._is_start_scheduled = False
        self._is_closing = False
        self._encoders = ThreadPoolExecutor(max_concurrent_batches, thread_name_prefix="encode")
        self._explainer = ThreadPoolExecutor(1, thread_name_prefix="explain")

    @contextmanager
    def announce(self) -> Iterator[None]:
        """A context in which a picture is being prepared for ``encode``: a small second batch waits for it."""
        self._preparations += 1
        try:
            yield
        finally:
            self._preparations -= 1
            self._start_soon()

    async def encode(self, encoder: ImageEncoder, pixels: RGB) -> Vectors:
        """The (D,) unit vector of one picture that ``encoder.prepare`` made; raises EncodingError.

        A caller that is cancelled leaves the queue.
        """
        future: asyncio.Future[Vectors] = self._new_future()
        self._queue.append(_EncodeRequest(encoder, pixels, future))
        return await self._await_result(encoder, future)

    async def explain(self, encoder: ImageEncoder, first: RGB, second: RGB) -> Evidence:
        """Why two pictures that ``encoder.prepare`` made are as similar as they are; otherwise like ``encode``."""
        future: asyncio.Future[Evidence] = self._new_future()
        self._pairs.append(_ExplainRequest(encoder, first, second, future))
        return await self._await_result(encoder, future)

    def _new_future(self) -> asyncio.Future[Any]:
        if self._is_closing:
            raise _stopping_error()
        return asyncio.get_running_loop().create_future()

    async def _await_result(self, encoder: ImageEncoder, future: asyncio.Future[T]) -> T:
        self._start_soon()
        try:
            return await future
        except EncodingError as error:
            # Logged here and not in the encoder's thread: only the request's task has the request's id.
            _LOG.error("encoding failed", extra={"encoder": encoder.spec.name}, exc_info=error.__cause__ or error)
            raise

    async def close(self) -> None:
        """Finish the batches and the pair that are running; queued requests get StartingError."""
        self._is_closing = True
        await asyncio.gather(*self._batches, *([self._explain_task] if self._explain_task else []))
        requests: list[_EncodeRequest | _ExplainRequest] = [*self._queue, *self._pairs]
        for request in requests:
            if not request.future.done():
                request.future.set_exception(_stopping_error())
        self._queue.clear()
        self._pairs.clear()
        self._encoders.shutdown(wait=True)
        self._explainer.shutdown(wait=True)

    def _start_soon(self) -> None:
        """Start after this iteration of the event loop: pictures that are queued in it get into the same batch."""
        if not self._is_start_scheduled:
            self._is_start_scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        """Start as many batches as capacity allows, and the next pair if none is being explained."""
        self._is_start_scheduled = False
        while not self._is_closing and self._has_capacity() and (batch := self._next_batch()):
            self._batches.add(asyncio.create_task(self._encode(batch)))
        if not self._is_closing and self._explain_task is None and (pair := self._next_pair()) is not None:
            self._explain_task = asyncio.create_task(self._explain(pair))

    async def _encode(self, batch: list[_EncodeRequest]) -> None:
        self._record_size(len(batch))
        outcomes = await asyncio.get_running_loop().run_in_executor(self._encoders, _forward, batch)
        for request, outcome in zip(batch, outcomes, strict=True):
            _set_outcome(request.future, outcome)
        current = asyncio.current_task()
        self._batches = {task for task in self._batches if task is not current}
        self._start()

    async def _explain(self, pair: _ExplainRequest) -> None:
        evidence = await asyncio.get_running_loop().run_in_executor(self._explainer, _explain, pair)
        _set_outcome(pair.future, evidence)
        self._explain_task = None
        self._start()

    def _has_capacity(self) -> bool:
        """Whether another batch may start: while one runs, only a full one, or one that no further picture joins."""
        if len(self._batches) >= self._max_concurrent_batches:
            return False
        return not self._batches or not self._preparations or len(self._queue) >= self._max_batch_size

    def _next_batch(self) -> list[_EncodeRequest]:
        """The oldest request of the queue and later ones for the same encoder, without those that were cancelled."""
        queue = [request for request in self._queue if not request.future.done()]
        batch = [request for request in queue if request.encoder is queue[0].encoder][: self._max_batch_size]
        batch_ids = set(map(id, batch))
        self._queue = [request for request in queue if id(request) not in batch_ids]
        return batch

    def _next_pair(self) -> _ExplainRequest | None:
        """The oldest pair of the queue, without those that were cancelled."""
        self._pairs = [pair for pair in self._pairs if not pair.future.done()]
        return self._pairs.pop(0) if self._pairs else None


def _stopping_error() -> StartingError:
    return StartingError("the service is stopping; try again in a moment")


def _set_outcome(future: asyncio.Future[T], outcome: T | Exception) -> None:
    """Set a future's result or exception, unless its caller was cancelled."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _explain(pair: _ExplainRequest) -> Evidence | Exception:
    try:
        evidence = pair.encoder.explain(pair.first, pair.second)
    except Exception as error:  # noqa: BLE001  # whatever a network raises belongs to whoever sent the pictures
        failure = EncodingError("the encoder failed to explain this pair; the log has details under the request's id")
        failure.__cause__ = error
        return failure
    if not np.isfinite([evidence.score, *evidence.rests, *(part.score for part in evidence.parts)]).all():
        return EncodingError("the encoder gave values for this pair that are not finite")
    return evidence


def _forward(batch: list[_EncodeRequest]) -> list[Vectors | Exception]:
    """The vectors of a batch; if it fails, each picture is encoded alone, so that only the faulty ones fail."""
    try:
        vectors = batch[0].encoder.forward(np.stack([request.pixels for request in batch]))
    except Exception as error:  # noqa: BLE001  # whatever a network raises belongs to whoever sent the picture
        if len(batch) > 1:
            return [outcome for request in batch for outcome in _forward([request])]
        failure = EncodingError("the encoder failed on this picture; the log has details under the request's id")
        failure.__cause__ = error
        return [failure]
    return [
        vector
        if np.isfinite(vector).all()
        else EncodingError("the encoder gave values for this picture that are not finite")
        for vector in vectors
    ]
