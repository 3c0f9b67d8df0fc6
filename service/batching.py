"""Queries that arrive together are encoded together.

An encoder that is idle starts at once with whatever waits, so a lone query never waits for company; while it works,
those that arrive form the next batch. Pictures come here decoded and prepared, so a bad file cannot be in a batch.

Pairs that are to be explained wait in a queue of their own and take turns with the batches, one pair after each: a
query never waits for more than one of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.encoder.base import Evidence, ImageEncoder
from service.errors import EncodingError, StartingError

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    encoder: ImageEncoder
    pixels: Vectors
    answer: asyncio.Future[Vectors]


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    encoder: ImageEncoder
    first: Vectors
    second: Vectors
    answer: asyncio.Future[Evidence]


class Batcher:
    """Two queues before one thread that runs encoders: a batch, then a pair, either in the order of arrival.

    All methods belong to the event loop's thread.
    """

    def __init__(self, *, largest: int = 16, formed: Callable[[int], None] = lambda _size: None) -> None:
        """``largest`` is the size of a batch; ``formed`` is told the size of each."""
        self._largest = largest
        self._formed = formed
        self._queue: list[_Waiting] = []
        self._pairs: list[_Pair] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._loop = asyncio.create_task(self._run(), name="batcher")

    async def encode(self, encoder: ImageEncoder, pixels: Vectors) -> Vectors:
        """The (D,) unit vector of one picture that ``encoder.prepare`` made; raises EncodingError.

        A caller that is cancelled leaves the queue.
        """
        answer: asyncio.Future[Vectors] = self._promise()
        self._queue.append(_Waiting(encoder, pixels, answer))
        return await self._answered(encoder, answer)

    async def explain(self, encoder: ImageEncoder, first: Vectors, second: Vectors) -> Evidence:
        """Why two pictures that ``encoder.prepare`` made are as similar as they are; otherwise like ``encode``."""
        answer: asyncio.Future[Evidence] = self._promise()
        self._pairs.append(_Pair(encoder, first, second, answer))
        return await self._answered(encoder, answer)

    def _promise(self) -> asyncio.Future[Any]:
        if self._closing:
            raise _stopping()
        return asyncio.get_running_loop().create_future()

    async def _answered(self, encoder: ImageEncoder, answer: asyncio.Future[T]) -> T:
        self._arrived.set()
        try:
            return await answer
        except EncodingError as error:
            # Here, and not in the thread that found it, the line gets the request's id.
            _LOG.error("encoding failed", extra={"encoder": encoder.spec.name}, exc_info=error.__cause__ or error)
            raise

    async def close(self) -> None:
        """Finish the batch in hand; whoever still waits is told that the service stops."""
        self._closing = True
        self._arrived.set()
        await self._loop
        left: list[_Waiting | _Pair] = [*self._queue, *self._pairs]
        for waiting in left:
            if not waiting.answer.done():
                waiting.answer.set_exception(_stopping())
        self._queue.clear()
        self._pairs.clear()
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        while not self._closing:
            await self._arrived.wait()
            if self._closing:
                return
            batch = self._next()
            if batch:
                self._formed(len(batch))
                outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, _forward, batch)
                for waiting, outcome in zip(batch, outcomes, strict=True):
                    _settle(waiting.answer, outcome)
            pair = None if self._closing else self._next_pair()
            if pair is not None:
                evidence = await asyncio.get_running_loop().run_in_executor(self._thread, _explain, pair)
                _settle(pair.answer, evidence)
            if not batch and pair is None:
                self._arrived.clear()

    def _next(self) -> list[_Waiting]:
        """The oldest in the queue and those behind it that want the same encoder; who has gone is left out."""
        here = [waiting for waiting in self._queue if not waiting.answer.done()]
        batch = [waiting for waiting in here if waiting.encoder is here[0].encoder][: self._largest]
        chosen = set(map(id, batch))
        self._queue = [waiting for waiting in here if id(waiting) not in chosen]
        return batch

    def _next_pair(self) -> _Pair | None:
        """The pair that has waited longest; who has gone is left out."""
        self._pairs = [pair for pair in self._pairs if not pair.answer.done()]
        return self._pairs.pop(0) if self._pairs else None


def _stopping() -> StartingError:
    return StartingError("the service is stopping; try again in a moment")


def _settle(answer: asyncio.Future[T], outcome: T | Exception) -> None:
    """Give an answer to who waits for it, if they still do."""
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _explain(pair: _Pair) -> Evidence | Exception:
    try:
        evidence = pair.encoder.explain(pair.first, pair.second)
    except Exception as error:  # noqa: BLE001  # whatever a network raises belongs to whoever sent the pictures
        failed = EncodingError("the encoder failed at explaining this pair; the log has more under the request's id")
        failed.__cause__ = error
        return failed
    if not np.isfinite([evidence.score, *evidence.rests, *(part.score for part in evidence.parts)]).all():
        return EncodingError("the encoder made no finite numbers of this pair")
    return evidence


def _forward(batch: list[_Waiting]) -> list[Vectors | Exception]:
    """The vectors of a batch; one that fails as a whole is tried picture by picture, so that only the guilty fail."""
    try:
        vectors = batch[0].encoder.forward(np.stack([waiting.pixels for waiting in batch]))
    except Exception as error:  # noqa: BLE001  # whatever a network raises belongs to whoever sent the picture
        if len(batch) > 1:
            return [outcome for waiting in batch for outcome in _forward([waiting])]
        failed = EncodingError("the encoder failed at this picture; the log has more under the request's id")
        failed.__cause__ = error
        return [failed]
    return [
        vector if np.isfinite(vector).all() else EncodingError("the encoder made no finite numbers of this picture")
        for vector in vectors
    ]
