"""The pipeline from a source to rows and vectors: decoding, encoding and writing overlap, each on its own threads.

    entries ─▶ `decode_worker`, a few at a time ─▶ verdicts, in source order ─▶ `encode_writer`: encode ─▶ write

All queues between the stages are bounded, so memory does not grow with the corpus, and a slow stage blocks those
before it. The run's own thread only passes results from one stage to the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from indexer.console.reporter import Stage
from indexer.ingest.decode_worker import DecodeWorker, EntryOutcome
from indexer.ingest.encode_writer import BatchItem, EncodeWriter
from indexer.ingest.verdicts import Report, Verdict, verdict_on_error
from lookalike.catalogue.records import ItemRecord
from lookalike.collection.builder import Builder
from lookalike.cores import available_cores
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.errors import EntryUnreadableError, LookalikeError
from lookalike.options import ImageLimits
from lookalike.sources.base import Entry, RefusedEntry, Source

PAGE = 256  # entries looked up in the catalogue at once
GROUP = 16  # entries that a worker takes at once; fewer if workers would be idle otherwise


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """``batch`` pictures are encoded together, on ``encoders`` threads; ``workers`` threads read and decode."""

    batch: int = 32
    workers: int = 2
    limits: ImageLimits = field(default_factory=ImageLimits)
    encoders: int = field(default_factory=available_cores)


@dataclass(slots=True)
class Timings:
    """Seconds spent, as sums over threads; stages overlap, so the wall time is less."""

    read_s: float = 0.0
    decode_s: float = 0.0
    encode_s: float = 0.0
    write_s: float = 0.0
    encoded_count: int = 0


_GroupResult = list[EntryOutcome | RefusedEntry]


@dataclass
class Pipeline:
    """Reads, encodes and stores the pictures of one source, once."""

    source: Source
    builder: Builder
    encoder: ImageEncoder
    report: Report
    stage: Stage
    options: PipelineOptions
    timings: Timings = field(default_factory=Timings)
    _batch_items: list[BatchItem] = field(default_factory=list)
    _prepared_pictures: list[RGB] = field(default_factory=list)
    _removed_keys: list[str] = field(default_factory=list)

    def run(self) -> Timings:
        """Read, encode and store the whole source; items that are gone are left to ``Builder.remove_absent``."""
        pool = ThreadPoolExecutor(self.options.workers, thread_name_prefix="decode")
        with EncodeWriter(self.builder, self.encoder, self.options.encoders) as self._writer:
            try:
                for group in self._groups(pool):
                    for result in group:
                        if isinstance(result, RefusedEntry):
                            self._record_refused_entry(result)
                        else:
                            self._record_outcome(result)
                        self.stage.advance(
                            rejected=self.report.counts[Verdict.REJECTED], rejected_codes=self.report.codes
                        )
                    self._writer.advance()
                self._encode_batch()
                self._writer.finish()
                self.builder.mark_removals_present(self._removed_keys)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
            self.timings.encoded_count = self._writer.encoded_count
            self.timings.encode_s, self.timings.write_s = self._writer.encode_s, self._writer.write_s
        return self.timings

    def _groups(self, pool: ThreadPoolExecutor) -> Iterator[_GroupResult]:
        """The entries' outcomes in the order of the source, group by group."""
        decode_worker = DecodeWorker(self.source, self.builder, self.encoder, self.options.limits)
        pending_groups: deque[Future[list[EntryOutcome]] | _GroupResult] = deque()
        # Enough for a batch while each worker has two groups queued.
        max_pending = 2 * self.options.workers + -(-self.options.batch // GROUP)
        entries = self.source.entries()
        while page := list(islice(entries, PAGE)):
            keys = [entry.key for entry in page if isinstance(entry, Entry)]
            items, removals = self.builder.live_items(keys), self.builder.removals(keys)
            size = max(1, min(GROUP, len(page) // (2 * self.options.workers)))
            for group in _split_page(page, size):
                readable_entries = [entry for entry in group if isinstance(entry, Entry)]
                refused_entries: _GroupResult = [entry for entry in group if isinstance(entry, RefusedEntry)]
                pending_groups.append(
                    refused_entries or pool.submit(decode_worker.examine, readable_entries, items, removals)
                )
                if len(pending_groups) > max_pending:
                    yield _await_group(pending_groups.popleft())
        while pending_groups:
            yield _await_group(pending_groups.popleft())

    def _record_outcome(self, outcome: EntryOutcome) -> None:
        self.timings.read_s += outcome.read_s
        self.timings.decode_s += outcome.decode_s
        key, item = outcome.entry.key, outcome.item
        remark = "; ".join(filter(None, (outcome.entry.remark, outcome.remark)))
        if outcome.error is not None:
            self._record_error(outcome.entry, item, outcome.error)
        elif outcome.is_removed:
            self._removed_keys.append(key)
            self.report.record(key, Verdict.IGNORED, remark="removed live, and not changed in the source since")
        elif outcome.is_unchanged and item is not None:
            self._writer.mark_unchanged(item)
            verdict = Verdict.RESUMED if self.builder.is_resumed(item) else Verdict.UNCHANGED
            self.report.record(key, verdict, remark=remark)
        elif outcome.duplicate is not None:
            self._writer.store(outcome.duplicate)
            same_bytes = item is not None and item.draft.content_digest == outcome.duplicate.draft.content_digest
            self.report.record(key, Verdict.UPDATED if same_bytes else Verdict.INDEXED, remark=remark)
        elif outcome.picture is not None:
            draft, prepared_picture = outcome.picture
            self._batch_items.append((draft, None if item is None else item.id))
            self._prepared_pictures.append(prepared_picture)
            self.report.record(key, Verdict.INDEXED, remark=remark)
        if len(self._batch_items) >= self.options.batch:
            self._encode_batch()

    def _encode_batch(self) -> None:
        if self._batch_items:
            self._writer.encode(self._batch_items, self._prepared_pictures)
            self._batch_items, self._prepared_pictures = [], []

    def _record_refused_entry(self, entry: RefusedEntry) -> None:
        """Record an entry that the source could not open; items of an unreadable file or folder are kept."""
        if entry.item_key is not None:
            items = self.builder.items_under(entry.item_key)
        else:
            items = self.builder.items_under(entry.key) if isinstance(entry.error, EntryUnreadableError) else []
        for item in items:
            self._writer.mark_unchanged(item)
            self.report.record(item.draft.key, Verdict.KEPT, entry.error)
        if not items and not entry.is_identified:
            self.report.unidentified_lines.append(entry.key)
        if all(item.draft.key != entry.key for item in items):
            self.report.record(entry.key, Verdict.REJECTED, entry.error)

    def _record_error(self, entry: Entry, item: ItemRecord | None, error: LookalikeError) -> None:
        readable_before = item is not None and item.encoder_digest == self.encoder.spec.digest
        if isinstance(error, EntryUnreadableError) and item is not None and readable_before:
            self._writer.mark_unchanged(item)
            self.report.record(entry.key, Verdict.KEPT, error)
        else:
            self.report.record(entry.key, verdict_on_error(entry.location, error), error)


def _split_page(page: list[Entry | RefusedEntry], size: int) -> Iterator[list[Entry | RefusedEntry]]:
    """The page in groups of up to ``size`` readable entries; each refused entry is a group of its own."""
    group: list[Entry | RefusedEntry] = []
    for entry in page:
        if group and (isinstance(entry, RefusedEntry) or len(group) == size):
            yield group
            group = []
        if isinstance(entry, RefusedEntry):
            yield [entry]
        else:
            group.append(entry)
    if group:
        yield group


def _await_group(group: Future[list[EntryOutcome]] | _GroupResult) -> _GroupResult:
    return group if isinstance(group, list) else list(group.result())
