"""Encodes prepared pictures and stores their rows: each on threads of its own, in order, with bounded queues."""

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

MAX_COMMIT_ROWS = 256
"""Maximum rows of a transaction: a commit waits for the disk, and a run that dies loses what is not committed."""

BatchItem = tuple[ItemDraft, int | None]
"""A picture's row, and the id of the version of it that is replaced."""


@dataclass
class EncodeWriter:
    """Encodes prepared pictures and writes them to the catalogue; a context manager that ends its threads.

    At most ``encoders`` batches are being encoded and one more is queued; up to `MAX_COMMIT_ROWS` rows are buffered
    while a transaction runs. Beyond that the caller is blocked. All methods raise errors of encoding and writing.
    """

    builder: Builder
    encoder: ImageEncoder
    encoders: int
    encode_s: float = 0.0
    write_s: float = 0.0
    encoded_count: int = 0
    _running_batches: deque[tuple[list[BatchItem], Future[tuple[Vectors, float]]]] = field(default_factory=deque)
    _rows: list[NewItem] = field(default_factory=list)
    _unchanged_items: list[ItemRecord] = field(default_factory=list)
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

    def encode(self, batch_items: list[BatchItem], prepared_pictures: Sequence[RGB]) -> None:
        """Queue a batch to be encoded and then stored; ``prepared_pictures`` are (side, side, 3) each."""
        while len(self._running_batches) > self.encoders:
            self._collect()
        self._running_batches.append((batch_items, self._encode_pool.submit(self._forward, prepared_pictures)))
        self.advance()

    def store(self, item: NewItem) -> None:
        """Queue an item that has its vector."""
        self._rows.append(item)
        self._write_if(len(self._rows) >= MAX_COMMIT_ROWS)

    def mark_unchanged(self, item: ItemRecord) -> None:
        """Queue the record that the source still has this item."""
        self._unchanged_items.append(item)
        self._write_if(len(self._unchanged_items) >= MAX_COMMIT_ROWS)

    def advance(self) -> None:
        """Buffer the rows of finished batches, and start the next transaction if none runs; never blocks."""
        while self._running_batches and self._running_batches[0][1].done():
            self._collect()
        if self._rows and (self._write is None or self._write.done()):
            self._begin_write()

    def finish(self) -> None:
        """Wait until everything that was queued is stored."""
        while self._running_batches:
            self._collect()
        self._write_if(bool(self._rows or self._unchanged_items))
        self._end_write()

    def _forward(self, prepared_pictures: Sequence[RGB]) -> tuple[Vectors, float]:
        start = time.perf_counter()
        return self.encoder.forward(np.stack(prepared_pictures)), time.perf_counter() - start

    def _collect(self) -> None:
        batch_items, future = self._running_batches.popleft()
        vectors, seconds = future.result()
        self.encode_s += seconds
        self.encoded_count += len(batch_items)
        for (draft, replaces), vector in zip(batch_items, vectors, strict=True):
            self.store(NewItem(draft, vector, replaces))

    def _write_if(self, is_due: bool) -> None:
        if is_due:
            self._begin_write()

    def _begin_write(self) -> None:
        self._end_write()
        rows, unchanged_items = self._rows, self._unchanged_items
        self._rows, self._unchanged_items = [], []
        self._write = self._writer.submit(self._commit, rows, unchanged_items)

    def _end_write(self) -> None:
        if self._write is not None:
            self.write_s += self._write.result()
            self._write = None

    def _commit(self, rows: Sequence[NewItem], unchanged_items: Sequence[ItemRecord]) -> float:
        start = time.perf_counter()
        if unchanged_items:
            self.builder.mark_present(unchanged_items)
        if rows:
            self.builder.store(rows)
        return time.perf_counter() - start
