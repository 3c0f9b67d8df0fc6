"""Squares in, stored rows out: encoding and writing, each on threads of its own, in order and bounded."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from lookalike.catalogue.records import ItemDraft, ItemRecord, NewItem
from lookalike.collection.builder import Builder
from lookalike.encoder.base import RGB, ImageEncoder, Vectors

LARGEST_COMMIT = 256
"""Rows in one transaction at most: a commit waits for the disk, and a run that dies loses what is not committed."""

Waiting = tuple[ItemDraft, int | None]


@dataclass
class Intake:
    """Takes prepared pictures to the catalogue; a context manager, which leaves nothing running behind.

    At most ``encoders`` batches are being encoded and one more waits; rows pile up to `LARGEST_COMMIT` while a
    transaction is under way. Then the caller waits. All methods raise what encoding or writing raised.
    """

    builder: Builder
    encoder: ImageEncoder
    encoders: int
    encode_s: float = 0.0
    write_s: float = 0.0
    encoded: int = 0
    _encoding: deque[tuple[list[Waiting], Future[tuple[Vectors, float]]]] = field(default_factory=deque)
    _rows: list[NewItem] = field(default_factory=list)
    _seen: list[ItemRecord] = field(default_factory=list)
    _write: Future[float] | None = None

    def __enter__(self) -> Self:
        self._encode_pool = ThreadPoolExecutor(self.encoders, thread_name_prefix="encode")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in (self._encode_pool, self._writer):
            pool.shutdown(wait=True, cancel_futures=True)

    def encode(self, waiting: list[Waiting], squares: Sequence[RGB]) -> None:
        """Send a batch to be encoded, then stored; each item comes with the id of the version that it replaces."""
        while len(self._encoding) > self.encoders:
            self._collect()
        self._encoding.append((waiting, self._encode_pool.submit(self._forward, squares)))
        self.advance()

    def store(self, item: NewItem) -> None:
        """Send an item whose vector is known to be stored."""
        self._rows.append(item)
        self._write_if(len(self._rows) >= LARGEST_COMMIT)

    def see(self, item: ItemRecord) -> None:
        """Note that the source still has this item."""
        self._seen.append(item)
        self._write_if(len(self._seen) >= LARGEST_COMMIT)

    def advance(self) -> None:
        """Pass on what is encoded, and begin the next transaction if the last has ended; waits for neither."""
        while self._encoding and self._encoding[0][1].done():
            self._collect()
        if self._rows and (self._write is None or self._write.done()):
            self._begin_write()

    def finish(self) -> None:
        """Wait until all that was sent is stored."""
        while self._encoding:
            self._collect()
        self._write_if(bool(self._rows or self._seen))
        self._end_write()

    def _forward(self, squares: Sequence[RGB]) -> tuple[Vectors, float]:
        start = time.perf_counter()
        return self.encoder.forward(np.stack(squares)), time.perf_counter() - start

    def _collect(self) -> None:
        waiting, future = self._encoding.popleft()
        vectors, seconds = future.result()
        self.encode_s += seconds
        self.encoded += len(waiting)
        for (draft, replaces), vector in zip(waiting, vectors, strict=True):
            self.store(NewItem(draft, vector, replaces))

    def _write_if(self, due: bool) -> None:
        if due:
            self._begin_write()

    def _begin_write(self) -> None:
        self._end_write()
        rows, seen = self._rows, self._seen
        self._rows, self._seen = [], []
        self._write = self._writer.submit(self._commit, rows, seen)

    def _end_write(self) -> None:
        if self._write is not None:
            self.write_s += self._write.result()
            self._write = None

    def _commit(self, rows: Sequence[NewItem], seen: Sequence[ItemRecord]) -> float:
        start = time.perf_counter()
        if seen:
            self.builder.mark_seen(seen)
        if rows:
            self.builder.store(rows)
        return time.perf_counter() - start
