"""What a run would do, and about how long it would take, without writing anything.

Every file is read, as a run reads it, and compared with the catalogue by its digest. A few of the pictures that would
be encoded are: by them the time is estimated. Only these are decoded, so a damaged picture among the others shows
itself in the run alone.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from indexer.console.reporter import Reporter, Stage
from indexer.console.units import clock
from indexer.ingest.entry_comparison import draft_of, is_unchanged
from indexer.ingest.pipeline import PAGE, PipelineOptions
from indexer.ingest.removals import describe_losses
from indexer.ingest.run import IndexRequest, RunOptions, open_requested
from indexer.ingest.verdicts import Verdict, has_picture_extension
from lookalike.catalogue.live_changes import NEVER_IN_SOURCE
from lookalike.catalogue.live_removals import digest_of_source
from lookalike.catalogue.lost_items import LostItem
from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import check_request_fits_collection
from lookalike.collection.layout import CollectionLayout
from lookalike.encoder.base import ImageEncoder
from lookalike.errors import (
    CollectionNotFoundError,
    EntryUnreadableError,
    ImageError,
    LookalikeError,
    SourceEmptyError,
    SourceError,
)
from lookalike.filters.declared_columns import NO_COLUMNS, DeclaredColumns
from lookalike.images import decode, sniff
from lookalike.options import Places
from lookalike.sources.base import Entry, RefusedEntry, Source
from lookalike.sources.exclusions import describe_excluded
from lookalike.wiring import load_encoder, open_catalogue

SAMPLE = 32
"""Number of pictures that are encoded to estimate the time."""


@dataclass(frozen=True, slots=True)
class PublishedCollection:
    """What a dry run compares with: the catalogue and the id of the collection in it, and its newest generation."""

    catalogue: Catalogue
    id: int
    generation: int
    declared: DeclaredColumns


def dry_run_collection(places: Places, request: IndexRequest, options: RunOptions, reporter: Reporter) -> DryRun:
    """What `index_collection` would do with these arguments; raises the same errors, but SourceEmptyError only where
    there is no collection either.
    """
    layout = CollectionLayout.of(places.collections_dir, request.name)
    with ExitStack() as stack:
        collection = None
        with suppress(CollectionNotFoundError):
            catalogue = open_catalogue(places, collection=request.name)
            stack.callback(catalogue.close)
            generation = max(layout.complete_generations(), default=0)
            record = catalogue.collection(request.name)
            collection = PublishedCollection(catalogue, record.id, generation, record.columns)
        source_options = options.build.settings.source_options
        declared = NO_COLUMNS if collection is None else collection.declared
        source = stack.enter_context(closing(open_requested(request, source_options, declared)))
        if not options.build.allow_other_encoder:
            check_request_fits_collection(layout, request.encoder)
        encoder = load_encoder(request.encoder, places.encoders_dir)
        dry_run = DryRun(request.name, source, collection, encoder, options.pipeline)
        with reporter.stage(f"{request.name}: reading", 0) as stage:
            dry_run.run(stage)
    if collection is None and not dry_run.counts:
        message = f"{request.location} has no files to index: put pictures into it, or check the path"
        raise SourceEmptyError(message, subject=request.location)
    return dry_run


@dataclass
class DryRun:
    """Counts what a run would do; ``collection`` is None where there is none yet."""

    name: str
    source: Source
    collection: PublishedCollection | None
    encoder: ImageEncoder
    options: PipelineOptions
    counts: Counter[Verdict] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    encode_count: int = 0
    losses: str | None = None
    agreement: str = "--allow-removals"
    unidentified_count: int = 0
    _sample: list[bytes] = field(default_factory=list)
    _locations: dict[str, str] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _measured: tuple[int, float] = (0, 0.0)

    def run(self, stage: Stage) -> None:
        """Read the whole source, then measure."""
        entries = self.source.entries()
        with ThreadPoolExecutor(self.options.workers, thread_name_prefix="read") as pool:
            while page := list(islice(entries, PAGE)):
                readable = [entry for entry in page if isinstance(entry, Entry)]
                keys = [entry.key for entry in readable]
                items, removals = self._live_items(keys), self._removals(keys)
                for entry, data in zip(readable, pool.map(self._read, readable), strict=True):
                    self._judge(entry, items.get(entry.key), removals.get(entry.key), data)
                for refused in page:
                    if isinstance(refused, RefusedEntry):
                        self._judge_refused(refused)
                stage.advance(len(page))
        self._judge_removals()
        self._measure()

    @property
    def seconds(self) -> float | None:
        """About how long a run would take to encode; None where nothing could be measured."""
        count, seconds = self._measured
        return self.encode_count * seconds / count if count else None

    def fields(self) -> dict[str, Any]:
        """The fields of the JSON answer."""
        count, seconds = self._measured
        return {
            "collection": self.name,
            "dry_run": True,
            "verdicts": {verdict.value: self.counts[verdict] for verdict in Verdict},
            "rejected_codes": dict(self.codes.most_common()),
            "excluded": dict(self.source.excluded),
            "to_encode": self.encode_count,
            "refused": self.losses,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "rate": round(count / seconds, 2) if count else None,
            "measured": count,
        }

    def text(self) -> str:
        """The lines for a terminal."""
        lines = [f"{self.name}: a dry run, nothing was written"]
        would = ", ".join(f"{self.counts[verdict]} {verdict}" for verdict in Verdict if self.counts[verdict])
        lines.append(f"  would be: {would or 'nothing'}")
        if self.codes:
            lines.append("  rejected: " + ", ".join(f"{count} {code}" for code, count in self.codes.most_common()))
        if self.source.excluded:
            lines.append(f"  {describe_excluded(self.source.excluded)}")
        if self.losses is not None:
            lines.append(f"  would be refused without {self.agreement}: the source has lost {self.losses}")
        if self.unidentified_count:
            lines.append(f"  would remove nothing: {self.unidentified_count} lines that cannot be read")
        count, seconds = self._measured
        if self.seconds is None:
            lines.append(
                "  nothing would have to be encoded" if not self.encode_count else "  no picture to measure by"
            )
        else:
            lines.append(
                f"  {self.encode_count} would be encoded in about {clock(self.seconds)}, at {count / seconds:.1f} a "
                f"second as measured on {count} of them"
            )
        return "\n".join(lines)

    def _live_items(self, keys: Sequence[str]) -> dict[str, ItemRecord]:
        return {} if self.collection is None else self.collection.catalogue.live_by_key(self.collection.id, keys)

    def _removals(self, keys: Sequence[str]) -> dict[str, str]:
        """Of these keys those that were removed live, and a digest of what the source said of each then."""
        collection = self.collection
        return {} if collection is None else collection.catalogue.live_changes(collection.id).removals(keys)

    def _read(self, entry: Entry) -> bytes | LookalikeError:
        try:
            return self.source.read(entry.location, self.options.limits.max_bytes)
        except (ImageError, SourceError) as error:
            return error

    def _judge(self, entry: Entry, item: ItemRecord | None, removal: str | None, data: bytes | LookalikeError) -> None:
        if isinstance(data, LookalikeError):
            self._judge_error(entry, item, data)
            return
        digest = hashlib.sha256(data).hexdigest()
        self._locations[entry.key], self._digests[entry.key] = entry.location, digest
        if item is None and removal is not None and removal == digest_of_source(draft_of(entry, len(data), digest)):
            self.counts[Verdict.IGNORED] += 1
        elif item is not None and self._is_unchanged(entry, item, data, digest):
            is_stored = self.collection is not None and item.created_generation > self.collection.generation
            is_resumed = is_stored and item.change is None
            self.counts[Verdict.RESUMED if is_resumed else Verdict.UNCHANGED] += 1
        elif item is not None and item.draft.content_digest == digest and self._is_same_encoder(item):
            self.counts[Verdict.UPDATED] += 1
        elif not data or (sniff(data) is None and not has_picture_extension(entry.location)):
            self._locations.pop(entry.key)
            self.counts[Verdict.IGNORED] += 1
        else:
            self.counts[Verdict.INDEXED] += 1
            if not self._has_vector(digest):
                self.encode_count += 1
                if len(self._sample) < SAMPLE:
                    self._sample.append(data)

    def _is_unchanged(self, entry: Entry, item: ItemRecord, data: bytes, digest: str) -> bool:
        return is_unchanged(entry, item, len(data), digest, encoder_digest=self.encoder.spec.digest)

    def _judge_error(self, entry: Entry, item: ItemRecord | None, error: LookalikeError) -> None:
        if isinstance(error, EntryUnreadableError) and item is not None:
            self._locations[entry.key] = entry.location
            self.counts[Verdict.KEPT] += 1
        else:
            self.counts[Verdict.REJECTED] += 1
            self.codes[error.code] += 1

    def _judge_refused(self, entry: RefusedEntry) -> None:
        items = self._kept_items(entry)
        self._locations |= {key: item.location for key, item in items.items()}
        self.counts[Verdict.KEPT] += len(items)
        self.unidentified_count += not entry.is_identified and not items
        if entry.key not in items:
            self.counts[Verdict.REJECTED] += 1
            self.codes[entry.error.code] += 1

    def _kept_items(self, entry: RefusedEntry) -> dict[str, ItemRecord]:
        """The items that a run keeps though their entry cannot be read, by key."""
        if entry.item_key is None and not isinstance(entry.error, EntryUnreadableError):
            return {}
        key = entry.key if entry.item_key is None else entry.item_key
        if self.collection is not None and (not key or key.endswith("/")):
            below = self.collection.catalogue.live_below(self.collection.id, key)
            return {item.key: item for item in below}
        return self._live_items([key])

    def _is_same_encoder(self, item: ItemRecord) -> bool:
        return item.encoder_digest == self.encoder.spec.digest

    def _has_vector(self, digest: str) -> bool:
        collection = self.collection
        return collection is not None and bool(
            collection.catalogue.live_by_content(collection.id, [digest], self.encoder.spec.digest)
        )

    def _judge_removals(self) -> None:
        if self.collection is None or self.unidentified_count:
            return
        # Those of the source: what was sent, and was in no source, stays.
        items = [
            item
            for item in self.collection.catalogue.live_below(self.collection.id, "")
            if item.source_digest != NEVER_IN_SOURCE
        ]
        newest = self.collection.generation
        published = [item for item in items if item.created_generation <= newest or item.change is not None]
        published_keys = {item.key for item in published}
        gone = [item for item in items if item.key not in self._locations]
        new_digests = {digest for key, digest in self._digests.items() if key not in published_keys}
        lost = [
            LostItem(item.key, item.location)
            for item in gone
            if item.key in published_keys
            and item.draft.content_digest not in new_digests
            and self.source.exclusions.pattern_of(item.location) is None
        ]
        self.counts[Verdict.REMOVED] = len(gone)
        if published and not self._locations:
            self.losses, self.agreement = f"all {len(published)} pictures", "--allow-empty"
        else:
            self.losses = describe_losses(lost, len(published), self._locations.values())

    def _measure(self) -> None:
        """Decode and encode the sample, as a run does, with its threads; what cannot be decoded is left out."""
        with ThreadPoolExecutor(self.options.workers, thread_name_prefix="decode") as pool:
            start = time.perf_counter()
            squares = [square for square in pool.map(self._square, self._sample) if square is not None]
            decode_s = time.perf_counter() - start
        if not squares:
            return
        self.encoder.forward(np.stack(squares[:1]))  # the first pass of a network is slower than all others
        start = time.perf_counter()
        for place in range(0, len(squares), self.options.batch):
            self.encoder.forward(np.stack(squares[place : place + self.options.batch]))
        self._measured = len(squares), decode_s + time.perf_counter() - start

    def _square(self, data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        try:
            picture = decode(data, limits=self.options.limits, fit=self.encoder.spec.decode_side)
        except ImageError:
            return None
        return self.encoder.prepare(picture.pixels)
