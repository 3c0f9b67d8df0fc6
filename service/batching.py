"""Queries that arrive together are encoded together.

An encoder that is idle starts at once with whatever waits, so a lone query never waits for company; while it works,
those that arrive form the next batch. Pictures come here decoded and prepared, so a bad file cannot be in a batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.encoder.base import ImageEncoder
from service.errors import EncodingError, StartingError

_LOG = logging.getLogger(__name__)
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    encoder: ImageEncoder
    pixels: Vectors
    answer: asyncio.Future[Vectors]


class Batcher:
    """One queue before one thread that runs encoders, a batch at a time, in the order of arrival.

    All methods belong to the event loop's thread.
    """

    def __init__(self, *, largest: int = 16, formed: Callable[[int], None] = lambda _size: None) -> None:
        """``largest`` is the size of a batch; ``formed`` is told the size of each."""
        self._largest = largest
        self._formed = formed
        self._queue: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._loop = asyncio.create_task(self._run(), name="batcher")

    async def encode(self, encoder: ImageEncoder, pixels: Vectors) -> Vectors:
        """The (D,) unit vector of one picture that ``encoder.prepare`` made; raises EncodingError.

        A caller that is cancelled leaves the queue.
        """
        if self._closing:
            raise StartingError("the service is stopping; try again in a moment")
        answer: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(encoder, pixels, answer))
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
        for waiting in self._queue:
            if not waiting.answer.done():
                waiting.answer.set_exception(StartingError("the service is stopping; try again in a moment"))
        self._queue.clear()
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        while not self._closing:
            await self._arrived.wait()
            batch = [] if self._closing else self._next()
            if not batch:
                self._arrived.clear()
                continue
            self._formed(len(batch))
            outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, _forward, batch)
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if waiting.answer.done():
                    continue
                if isinstance(outcome, Exception):
                    waiting.answer.set_exception(outcome)
                else:
                    waiting.answer.set_result(outcome)

    def _next(self) -> list[_Waiting]:
        """The oldest in the queue and those behind it that want the same encoder; who has gone is left out."""
        here = [waiting for waiting in self._queue if not waiting.answer.done()]
        batch = [waiting for waiting in here if waiting.encoder is here[0].encoder][: self._largest]
        chosen = set(map(id, batch))
        self._queue = [waiting for waiting in here if id(waiting) not in chosen]
        return batch


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
