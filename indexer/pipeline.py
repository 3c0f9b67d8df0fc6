"""From a source to rows and vectors: read, decode and prepare on threads, encode in batches, store, overlap it all.

Everything between the stages is bounded, so memory does not grow with the corpus. Order is kept: verdicts come in the
order of the source.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from indexer.progress import Stage
from indexer.verdicts import Report, Verdict, names_a_picture
from lookalike.catalogue.records import ItemDraft, ItemRecord, NewItem
from lookalike.collection.builder import Builder
from lookalike.encoder.base import ImageEncoder
from lookalike.errors import (
    EntryUnreadableError,
    ImageEmptyError,
    ImageError,
    ImageTooLargeError,
    LookalikeError,
    SourceError,
    UnsupportedFormatError,
)
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import Entry, Refused, Source

PAGE = 256  # entries looked up in the catalogue at once

_NO_PICTURE = (UnsupportedFormatError, ImageEmptyError, ImageTooLargeError)

Prepared = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """``batch`` pictures are encoded together; ``workers`` threads read and decode."""

    batch: int = 32
    workers: int = 2
    limits: ImageLimits = field(default_factory=ImageLimits)


@dataclass(slots=True)
class Timings:
    """Seconds spent; reading and decoding are sums over threads, and stages overlap, so the wall time is less."""

    read_s: float = 0.0
    decode_s: float = 0.0
    encode_s: float = 0.0
    write_s: float = 0.0
    encoded: int = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a worker found out about one entry; exactly one of the last four fields is set."""

    entry: Entry
    item: ItemRecord | None
    read_s: float
    decode_s: float
    same: bool = False
    error: LookalikeError | None = None
    known: NewItem | None = None
    prepared: tuple[ItemDraft, Prepared] | None = None


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
    _batch: list[tuple[ItemDraft, Prepared, int | None]] = field(default_factory=list)
    _seen: list[ItemRecord] = field(default_factory=list)
    _known: list[NewItem] = field(default_factory=list)

    def run(self) -> Timings:
        """Take everything in; what the source no longer has is left to ``Builder.remove_unseen``."""
        pool = ThreadPoolExecutor(self.options.workers, thread_name_prefix="decode")
        try:
            for outcome in self._outcomes(pool):
                if isinstance(outcome, Refused):
                    self._turn_away(outcome)
                else:
                    self._take(outcome)
                self.stage.advance(rejected=self.report.counts[Verdict.REJECTED])
            self._encode_batch()
            self._write()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return self.timings

    def _outcomes(self, pool: ThreadPoolExecutor) -> Iterator[_Outcome | Refused]:
        waiting: deque[Future[_Outcome] | Refused] = deque()
        ahead = self.options.batch + 2 * self.options.workers
        entries = self.source.entries()
        while page := list(islice(entries, PAGE)):
            items = self.builder.known([entry.key for entry in page if isinstance(entry, Entry)])
            for entry in page:
                waiting.append(entry if isinstance(entry, Refused) else pool.submit(self._examine, entry, items))
                if len(waiting) > ahead:
                    yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())

    def _examine(self, entry: Entry, items: Mapping[str, ItemRecord]) -> _Outcome:
        """On a worker: read, and decode unless the vector is there already."""
        item = items.get(entry.key)
        start = time.perf_counter()
        read = start
        try:
            data = self.source.read(entry.location, self.options.limits.max_bytes)
            digest = hashlib.sha256(data).hexdigest()
            read = time.perf_counter()
            if item is not None and self.builder.is_current(item, digest) and _describes(item.draft, entry):
                return _Outcome(entry, item, read - start, 0.0, same=True)
            known = self._known_vector(entry, item, digest, len(data))
            if known is not None:
                return _Outcome(entry, item, read - start, 0.0, known=known)
            picture = decode(data, limits=self.options.limits, name=entry.key)
            draft = _draft(entry, digest, len(data), (picture.width, picture.height, picture.format))
            prepared = self.encoder.prepare(picture.pixels)
            return _Outcome(entry, item, read - start, time.perf_counter() - read, prepared=(draft, prepared))
        except (ImageError, SourceError) as error:
            return _Outcome(entry, item, read - start, time.perf_counter() - read, error=error)

    def _known_vector(self, entry: Entry, item: ItemRecord | None, digest: str, size: int) -> NewItem | None:
        """The entry with the vector of an item of the same bytes: itself under other metadata, or a renamed file."""
        twin = self.builder.twin(digest)
        if twin is None:
            return None
        facts, vector = twin
        draft = _draft(entry, digest, size, (facts.draft.width, facts.draft.height, facts.draft.format))
        return NewItem(draft, vector, replaces=None if item is None else item.id)

    def _take(self, outcome: _Outcome) -> None:
        self.timings.read_s += outcome.read_s
        self.timings.decode_s += outcome.decode_s
        key, item = outcome.entry.key, outcome.item
        if outcome.error is not None:
            self._refuse(outcome.entry, item, outcome.error)
        elif outcome.same and item is not None:
            self._seen.append(item)
            resumed = self.builder.is_resumed(item)
            self.report.give(key, Verdict.RESUMED if resumed else Verdict.UNCHANGED)
        elif outcome.known is not None:
            self._known.append(outcome.known)
            same_bytes = item is not None and item.draft.content_digest == outcome.known.draft.content_digest
            self.report.give(key, Verdict.UPDATED if same_bytes else Verdict.INDEXED)
        elif outcome.prepared is not None:
            draft, prepared = outcome.prepared
            self._batch.append((draft, prepared, None if item is None else item.id))
            self.report.give(key, Verdict.INDEXED)
        if len(self._batch) >= self.options.batch:
            self._encode_batch()
        if len(self._seen) + len(self._known) >= PAGE:
            self._write()

    def _turn_away(self, refused: Refused) -> None:
        """What the source could not even offer; what it cannot read at present stays, be it a file or a folder."""
        kept = self.builder.under(refused.key) if isinstance(refused.error, EntryUnreadableError) else []
        for item in kept:
            self._seen.append(item)
            self.report.give(item.draft.key, Verdict.KEPT, refused.error)
        if all(item.draft.key != refused.key for item in kept):
            self.report.give(refused.key, Verdict.REJECTED, refused.error)

    def _refuse(self, entry: Entry, item: ItemRecord | None, error: LookalikeError) -> None:
        readable_before = item is not None and item.encoder_digest == self.encoder.spec.digest
        if isinstance(error, EntryUnreadableError) and item is not None and readable_before:
            self._seen.append(item)
            self.report.give(entry.key, Verdict.KEPT, error)
        elif isinstance(error, _NO_PICTURE) and not names_a_picture(entry.location):
            self.report.give(entry.key, Verdict.IGNORED, error)
        else:
            self.report.give(entry.key, Verdict.REJECTED, error)

    def _encode_batch(self) -> None:
        if not self._batch:
            return
        start = time.perf_counter()
        vectors = self.encoder.forward(np.stack([prepared for _, prepared, _ in self._batch]))
        self.timings.encode_s += time.perf_counter() - start
        self.timings.encoded += len(self._batch)
        drafts = [(draft, replaces) for draft, _, replaces in self._batch]
        self._store(
            [NewItem(draft, vector, replaces) for (draft, replaces), vector in zip(drafts, vectors, strict=True)]
        )
        self._batch.clear()

    def _write(self) -> None:
        start = time.perf_counter()
        self.builder.mark_seen(self._seen)
        self.timings.write_s += time.perf_counter() - start
        self._store(self._known)
        self._seen.clear()
        self._known.clear()

    def _store(self, items: Sequence[NewItem]) -> None:
        start = time.perf_counter()
        self.builder.store(items)
        self.timings.write_s += time.perf_counter() - start


def _result(waiting: Future[_Outcome] | Refused) -> _Outcome | Refused:
    return waiting if isinstance(waiting, Refused) else waiting.result()


def _describes(draft: ItemDraft, entry: Entry) -> bool:
    """Whether the stored words about a picture are still those of its source."""
    stored = (draft.location, draft.title, draft.product_id, dict(draft.metadata))
    return stored == (entry.location, entry.title, entry.product_id, dict(entry.metadata))


def _draft(entry: Entry, digest: str, size: int, facts: tuple[int, int, str]) -> ItemDraft:
    width, height, format_name = facts
    return ItemDraft(
        key=entry.key,
        location=entry.location,
        content_digest=digest,
        byte_size=size,
        width=width,
        height=height,
        format=format_name,
        title=entry.title,
        product_id=entry.product_id,
        metadata=entry.metadata,
    )
