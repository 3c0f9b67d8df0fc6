"""Queries that arrive together are encoded together.

An encoder that is idle starts at once with whatever waits, so a lone query never waits for company; while it works,
those that arrive form the next batch. A second batch may begin beside it, but not with a few pictures while others are
being decoded: these come along. Pictures come here decoded and prepared, so a bad file cannot be in a batch.

Pairs that are to be explained wait in a queue of their own, before a thread of its own, one at a time: what explains
them may take seconds to load, and no query waits for that.
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
import numpy.typing as npt

from lookalike.encoder.base import RGB, Evidence, ImageEncoder
from service.errors import EncodingError, StartingError

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _EncodeRequest:
    encoder: ImageEncoder
    pixels: RGB
    answer: asyncio.Future[Vectors]


@dataclass(frozen=True, slots=True, eq=False)
class _ExplainRequest:
    encoder: ImageEncoder
    first: RGB
    second: RGB
    answer: asyncio.Future[Evidence]


class Batcher:
    """Two queues, of pictures and of pairs, before the threads that run encoders; each is worked off in order.

    All methods belong to the event loop's thread.
    """

    def __init__(
        self, *, largest: int = 16, lanes: int = 1, formed: Callable[[int], None] = lambda _size: None
    ) -> None:
        """``largest`` is the size of a batch, ``lanes`` how many are encoded at once; ``formed`` is told each size."""
        self._largest = largest
        self._coming = 0
        self._lanes = lanes
        self._formed = formed
        self._queue: list[_EncodeRequest] = []
        self._pairs: list[_ExplainRequest] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._explaining: asyncio.Task[None] | None = None
        self._due = False
        self._closing = False
        self._encoders = ThreadPoolExecutor(lanes, thread_name_prefix="encode")
        self._explainer = ThreadPoolExecutor(1, thread_name_prefix="explain")

    @contextmanager
    def announce(self) -> Iterator[None]:
        """While a picture is being made ready for ``encode``: batches under way are reason enough to wait for it."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._start_soon()

    async def encode(self, encoder: ImageEncoder, pixels: RGB) -> Vectors:
        """The (D,) unit vector of one picture that ``encoder.prepare`` made; raises EncodingError.

        A caller that is cancelled leaves the queue.
        """
        answer: asyncio.Future[Vectors] = self._promise()
        self._queue.append(_EncodeRequest(encoder, pixels, answer))
        return await self._await_result(encoder, answer)

    async def explain(self, encoder: ImageEncoder, first: RGB, second: RGB) -> Evidence:
        """Why two pictures that ``encoder.prepare`` made are as similar as they are; otherwise like ``encode``."""
        answer: asyncio.Future[Evidence] = self._promise()
        self._pairs.append(_ExplainRequest(encoder, first, second, answer))
        return await self._await_result(encoder, answer)

    def _promise(self) -> asyncio.Future[Any]:
        if self._closing:
            raise _stopping_error()
        return asyncio.get_running_loop().create_future()

    async def _await_result(self, encoder: ImageEncoder, answer: asyncio.Future[T]) -> T:
        self._start_soon()
        try:
            return await answer
        except EncodingError as error:
            # Here, and not in the thread that found it, the line gets the request's id.
            _LOG.error("encoding failed", extra={"encoder": encoder.spec.name}, exc_info=error.__cause__ or error)
            raise

    async def close(self) -> None:
        """Finish what is in hand; whoever still waits is told that the service stops."""
        self._closing = True
        await asyncio.gather(*self._batches, *([self._explaining] if self._explaining else []))
        left: list[_EncodeRequest | _ExplainRequest] = [*self._queue, *self._pairs]
        for waiting in left:
            if not waiting.answer.done():
                waiting.answer.set_exception(_stopping_error())
        self._queue.clear()
        self._pairs.clear()
        self._encoders.shutdown(wait=True)
        self._explainer.shutdown(wait=True)

    def _start_soon(self) -> None:
        """Soon, and not now: others that come in the same turn of the loop may come along."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        """Begin as much as there is room for."""
        self._due = False
        while not self._closing and self._has_room() and (batch := self._next()):
            self._batches.add(asyncio.create_task(self._encode(batch)))
        if not self._closing and self._explaining is None and (pair := self._next_pair()) is not None:
            self._explaining = asyncio.create_task(self._explain(pair))

    async def _encode(self, batch: list[_EncodeRequest]) -> None:
        self._formed(len(batch))
        outcomes = await asyncio.get_running_loop().run_in_executor(self._encoders, _forward, batch)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            _settle(waiting.answer, outcome)
        task = asyncio.current_task()
        self._batches = {other for other in self._batches if other is not task}
        self._start()

    async def _explain(self, pair: _ExplainRequest) -> None:
        evidence = await asyncio.get_running_loop().run_in_executor(self._explainer, _explain, pair)
        _settle(pair.answer, evidence)
        self._explaining = None
        self._start()

    def _has_room(self) -> bool:
        """Whether another batch may begin: beside one that is under way it is a large one, or nobody else is coming."""
        if len(self._batches) >= self._lanes:
            return False
        return not self._batches or not self._coming or len(self._queue) >= self._largest

    def _next(self) -> list[_EncodeRequest]:
        """The oldest in the queue and those behind it that want the same encoder; who has gone is left out."""
        here = [waiting for waiting in self._queue if not waiting.answer.done()]
        batch = [waiting for waiting in here if waiting.encoder is here[0].encoder][: self._largest]
        chosen = set(map(id, batch))
        self._queue = [waiting for waiting in here if id(waiting) not in chosen]
        return batch

    def _next_pair(self) -> _ExplainRequest | None:
        """The pair that has waited longest; who has gone is left out."""
        self._pairs = [pair for pair in self._pairs if not pair.answer.done()]
        return self._pairs.pop(0) if self._pairs else None


def _stopping_error() -> StartingError:
    return StartingError("the service is stopping; try again in a moment")


def _settle(answer: asyncio.Future[T], outcome: T | Exception) -> None:
    """Give an answer to who waits for it, if they still do."""
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _explain(pair: _ExplainRequest) -> Evidence | Exception:
    try:
        evidence = pair.encoder.explain(pair.first, pair.second)
    except Exception as error:  # noqa: BLE001  # whatever a network raises belongs to whoever sent the pictures
        failed = EncodingError("the encoder failed to explain this pair; the log has details under the request's id")
        failed.__cause__ = error
        return failed
    if not np.isfinite([evidence.score, *evidence.rests, *(part.score for part in evidence.parts)]).all():
        return EncodingError("the encoder gave values for this pair that are not finite")
    return evidence


def _forward(batch: list[_EncodeRequest]) -> list[Vectors | Exception]:
    """The vectors of a batch; one that fails as a whole is tried picture by picture, so that only the guilty fail."""
    try:
        vectors = batch[0].encoder.forward(np.stack([waiting.pixels for waiting in batch]))
    except Exception as error:  # noqa: BLE001  # whatever a network raises belongs to whoever sent the picture
        if len(batch) > 1:
            return [outcome for waiting in batch for outcome in _forward([waiting])]
        failed = EncodingError("the encoder failed on this picture; the log has details under the request's id")
        failed.__cause__ = error
        return [failed]
    return [
        vector
        if np.isfinite(vector).all()
        else EncodingError("the encoder gave values for this picture that are not finite")
        for vector in vectors
    ]
