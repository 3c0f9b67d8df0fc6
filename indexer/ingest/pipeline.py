"""From a source to rows and vectors: reading and decoding, encoding, and writing overlap, each on threads of its own.

    entries ─▶ `decode_worker`, a few at a time ─▶ verdicts, in source order ─▶ `encode_writer`: encode ─▶ write

Everything between the stages is bounded, so memory does not grow with the corpus, and a stage that is behind makes
those before it wait. The run's own thread only hands things on.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from indexer.console.reporter import Stage
from indexer.ingest.decode_worker import Examiner, Outcome
from indexer.ingest.encode_writer import Intake, Waiting
from indexer.ingest.verdicts import Report, Verdict, names_a_picture
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.builder import Builder
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.errors import (
    EntryUnreadableError,
    ImageEmptyError,
    ImageTooLargeError,
    LookalikeError,
    UnsupportedFormatError,
)
from lookalike.options import ImageLimits
from lookalike.sources.base import Entry, RefusedEntry, Source

PAGE = 256  # entries looked up in the catalogue at once
GROUP = 16  # entries that a worker takes at once; fewer where that leaves workers without any

_NO_PICTURE = (UnsupportedFormatError, ImageEmptyError, ImageTooLargeError)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """``batch`` pictures are encoded together, on ``encoders`` threads; ``workers`` threads read and decode."""

    batch: int = 32
    workers: int = 2
    limits: ImageLimits = field(default_factory=ImageLimits)
    encoders: int = field(default_factory=cores)


@dataclass(slots=True)
class Timings:
    """Seconds spent, as sums over threads; stages overlap, so the wall time is less."""

    read_s: float = 0.0
    decode_s: float = 0.0
    encode_s: float = 0.0
    write_s: float = 0.0
    encoded: int = 0


_Found = list[Outcome | RefusedEntry]


@dataclass
class Pipeline:
    """One pass over one source."""

    source: Source
    builder: Builder
    encoder: ImageEncoder
    report: Report
    stage: Stage
    options: PipelineOptions
    timings: Timings = field(default_factory=Timings)
    _waiting: list[Waiting] = field(default_factory=list)
    _squares: list[RGB] = field(default_factory=list)

    def run(self) -> Timings:
        """Take everything in; what the source no longer has is left to ``Builder.remove_unseen``."""
        pool = ThreadPoolExecutor(self.options.workers, thread_name_prefix="decode")
        with Intake(self.builder, self.encoder, self.options.encoders) as self._intake:
            try:
                for group in self._groups(pool):
                    for found in group:
                        if isinstance(found, RefusedEntry):
                            self._turn_away(found)
                        else:
                            self._take(found)
                        self.stage.advance(rejected=self.report.counts[Verdict.REJECTED])
                    self._intake.advance()
                self._send()
                self._intake.finish()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
            self.timings.encoded = self._intake.encoded
            self.timings.encode_s, self.timings.write_s = self._intake.encode_s, self._intake.write_s
        return self.timings

    def _groups(self, pool: ThreadPoolExecutor) -> Iterator[_Found]:
        """The entries' outcomes in the order of the source, a few at a time."""
        examiner = Examiner(self.source, self.builder, self.encoder, self.options.limits)
        underway: deque[Future[list[Outcome]] | _Found] = deque()
        # Enough for a batch while each worker has two groups before it.
        ahead = 2 * self.options.workers + -(-self.options.batch // GROUP)
        entries = self.source.entries()
        while page := list(islice(entries, PAGE)):
            items = self.builder.known([entry.key for entry in page if isinstance(entry, Entry)])
            size = max(1, min(GROUP, len(page) // (2 * self.options.workers)))
            for group in _runs(page, size):
                wanted = [entry for entry in group if isinstance(entry, Entry)]
                refused: _Found = [entry for entry in group if isinstance(entry, RefusedEntry)]
                underway.append(refused or pool.submit(examiner.examine, wanted, items))
                if len(underway) > ahead:
                    yield _result(underway.popleft())
        while underway:
            yield _result(underway.popleft())

    def _take(self, outcome: Outcome) -> None:
        self.timings.read_s += outcome.read_s
        self.timings.decode_s += outcome.decode_s
        key, item = outcome.entry.key, outcome.item
        if outcome.error is not None:
            self._refuse(outcome.entry, item, outcome.error)
        elif outcome.same and item is not None:
            self._intake.see(item)
            resumed = self.builder.is_resumed(item)
            self.report.give(key, Verdict.RESUMED if resumed else Verdict.UNCHANGED)
        elif outcome.known is not None:
            self._intake.store(outcome.known)
            same_bytes = item is not None and item.draft.content_digest == outcome.known.draft.content_digest
            self.report.give(key, Verdict.UPDATED if same_bytes else Verdict.INDEXED)
        elif outcome.prepared is not None:
            draft, square = outcome.prepared
            self._waiting.append((draft, None if item is None else item.id))
            self._squares.append(square)
            self.report.give(key, Verdict.INDEXED)
        if len(self._waiting) >= self.options.batch:
            self._send()

    def _send(self) -> None:
        if self._waiting:
            self._intake.encode(self._waiting, self._squares)
            self._waiting, self._squares = [], []

    def _turn_away(self, refused: RefusedEntry) -> None:
        """What the source could not even offer; what it cannot read at present stays, be it a file or a folder."""
        kept = self.builder.under(refused.key) if isinstance(refused.error, EntryUnreadableError) else []
        for item in kept:
            self._intake.see(item)
            self.report.give(item.draft.key, Verdict.KEPT, refused.error)
        if all(item.draft.key != refused.key for item in kept):
            self.report.give(refused.key, Verdict.REJECTED, refused.error)

    def _refuse(self, entry: Entry, item: ItemRecord | None, error: LookalikeError) -> None:
        readable_before = item is not None and item.encoder_digest == self.encoder.spec.digest
        if isinstance(error, EntryUnreadableError) and item is not None and readable_before:
            self._intake.see(item)
            self.report.give(entry.key, Verdict.KEPT, error)
        elif isinstance(error, _NO_PICTURE) and not names_a_picture(entry.location):
            self.report.give(entry.key, Verdict.IGNORED, error)
        else:
            self.report.give(entry.key, Verdict.REJECTED, error)


def _runs(page: list[Entry | RefusedEntry], size: int) -> Iterator[list[Entry | RefusedEntry]]:
    """The page in pieces of up to ``size``, each of entries alone or of one that was refused."""
    piece: list[Entry | RefusedEntry] = []
    for entry in page:
        if piece and (isinstance(entry, RefusedEntry) or len(piece) == size):
            yield piece
            piece = []
        if isinstance(entry, RefusedEntry):
            yield [entry]
        else:
            piece.append(entry)
    if piece:
        yield piece


def _result(underway: Future[list[Outcome]] | _Found) -> _Found:
    return underway if isinstance(underway, list) else list(underway.result())
