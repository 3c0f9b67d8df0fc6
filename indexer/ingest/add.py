"""Pictures of a source are added to a collection as if each had been sent to it: its own source stays what it is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from indexer.console.reporter import Reporter
from indexer.console.units import clock
from indexer.ingest.fold import fold_collection
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, declared_columns, open_requested, report_path
from indexer.ingest.verdicts import Report, Verdict, has_picture_extension
from lookalike.api import Collection
from lookalike.catalogue.live_changes import ChangeOutcome, ChangeStatus, LiveChange
from lookalike.catalogue.records import CollectionRecord, CollectionSettings, ItemDraft, ItemRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import CollectionEncoder, check_request_fits_collection
from lookalike.collection.encoder_check import check_same_encoder
from lookalike.collection.index_command import reencode_command
from lookalike.collection.item_edit import ItemEdit, says_same
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.lifecycle import create_collection
from lookalike.collection.picture_store import PictureStore
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.errors import (
    CollectionBusyError,
    ImageEmptyError,
    ImageError,
    ImageTooLargeError,
    LookalikeError,
    SourceError,
    UnsupportedFormatError,
)
from lookalike.images import decode
from lookalike.options import EncoderRequest, Places
from lookalike.sources.base import Entry, Source
from lookalike.sources.exclusions import describe_excluded
from lookalike.wiring import INDEX_TYPES, load_encoder

_NO_PICTURE = (UnsupportedFormatError, ImageEmptyError, ImageTooLargeError)


@dataclass(frozen=True, slots=True)
class AddSummary:
    """Results of an addition; ``report`` has the verdict on every file, ``items`` is how many the collection has."""

    collection: str
    items: int
    snapshot: int
    report: Report
    seconds: float

    excluded: Mapping[str, int]

    @property
    def rejected_count(self) -> int:
        """Number of pictures that could not be used."""
        return self.report.counts[Verdict.REJECTED]

    def fields(self) -> dict[str, Any]:
        """The fields of the JSON answer."""
        return {
            "collection": self.collection,
            "snapshot": self.snapshot,
            "items": self.items,
            "verdicts": {verdict.value: self.report.counts[verdict] for verdict in Verdict},
            "rejected_codes": dict(self.report.codes.most_common()),
            "remarks": dict(self.report.remarks.most_common()),
            "excluded": dict(self.excluded),
            "seconds": round(self.seconds, 3),
            "report": str(self.report.path),
        }

    def text(self) -> str:
        """The lines for a terminal."""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self.report.counts.items())
        lines = [f"{self.collection}: {self.items} pictures; {counts}, in {clock(self.seconds)}"]
        if self.report.codes:
            rejected = ", ".join(f"{count} {code}" for code, count in self.report.codes.most_common())
            lines.append(f"  rejected: {rejected}")
        lines += [f"  {count} indexed with a remark: {remark}" for remark, count in self.report.remarks.most_common()]
        if self.excluded:
            lines.append(f"  {describe_excluded(self.excluded)}")
        return "\n".join([*lines, f"  every file's verdict: {self.report.path}"])


@dataclass(frozen=True, slots=True)
class _Addition:
    """What becomes of an entry: its new version, with the pixels to encode unless the item has the vector already.

    Neither a ``draft`` nor an ``error``: the item has the picture, and says the same of it.
    """

    entry: Entry
    draft: ItemDraft | None = None
    pixels: RGB | None = None
    error: LookalikeError | None = None
    remark: str = ""


def add_pictures(
    places: Places,
    request: IndexRequest,
    catalogue: Catalogue,
    settings: CollectionSettings,
    *,
    options: PipelineOptions,
    reporter: Reporter,
) -> AddSummary:
    """Put every picture of a source into a collection, which is made if there is none, and fold them in.

    What is stored is searchable at once, and an addition that was interrupted goes on where it was. Raises the errors
    of the source and of the encoder, CollectionPinnedError, and EncoderMismatchError for another encoder than the
    collection's.
    """
    start = time.monotonic()
    layout = CollectionLayout.of(places.collections_dir, request.name)
    declared = declared_columns(catalogue, request.name)
    with closing(open_requested(request, settings.source_options, declared)) as source, ExitStack() as stack:
        with reporter.stage(f"{request.name}: listing", 0) as stage:
            total = 0
            for _ in source.entries():
                total += 1
                stage.advance()
        for remark in source.remarks:
            reporter.say(f"warning: {remark}")
        encoder = _load_encoder(places, request, catalogue, settings)
        collection = stack.enter_context(
            Collection.open(
                places.data,
                request.name,
                database_url=places.database_url,
                encoders_dir=places.encoders_dir,
                limits=options.limits,
            )
        )
        _check_encoder(collection, catalogue.collection(request.name), request, encoder)
        path = report_path(layout, collection.manifest.generation)
        reporter.event("report", path=str(path))
        with Report(path) as report, reporter.stage(f"{request.name}: adding", total) as stage:
            pool = stack.enter_context(ThreadPoolExecutor(options.workers, thread_name_prefix="decode"))
            adder = _Adder(collection, source, encoder, report, pool)
            for entry_count, entries in _batches(source, report, options.batch):
                adder.add(entries)
                stage.advance(entry_count, rejected=report.counts[Verdict.REJECTED], rejected_codes=report.codes)
        item_count = len(collection.with_live_changes())
        snapshot = _fold(places, request.name, reporter)
        excluded = dict(source.excluded)
    return AddSummary(request.name, item_count, snapshot, report, time.monotonic() - start, excluded)


def _load_encoder(
    places: Places, request: IndexRequest, catalogue: Catalogue, settings: CollectionSettings
) -> ImageEncoder:
    """The encoder of the addition; a collection that there is not, or that was never published, is made with it."""
    layout = CollectionLayout.of(places.collections_dir, request.name)
    is_there = catalogue.find_collection(request.name) is not None and layout.current_or_none() is not None
    if is_there:
        check_request_fits_collection(layout, request.encoder)
    encoder = load_encoder(request.encoder, places.encoders_dir)
    if not is_there:
        create_collection(layout, catalogue, CollectionEncoder(request.encoder, encoder.spec), settings, INDEX_TYPES)
    return encoder


def _check_encoder(
    collection: Collection, record: CollectionRecord, request: IndexRequest, encoder: ImageEncoder
) -> None:
    data = collection.layout.data
    command = reencode_command(record.name, record.source, request.encoder, record.settings, data)
    check_same_encoder(record.name, collection.manifest.encoder, encoder.spec, command=command)


def _batches(source: Source, report: Report, size: int) -> Iterator[tuple[int, list[Entry]]]:
    """Groups of entries: how many, and those of them that can be read; the others are rejected."""
    entries = source.entries()
    while page := list(islice(entries, size)):
        for entry in page:
            if not isinstance(entry, Entry):
                report.record(entry.key, Verdict.REJECTED, entry.error)
        yield len(page), [entry for entry in page if isinstance(entry, Entry)]


@dataclass
class _Adder:
    """Adds the entries of one source to one collection."""

    collection: Collection
    source: Source
    encoder: ImageEncoder
    report: Report
    pool: ThreadPoolExecutor

    def add(self, entries: Sequence[Entry]) -> None:
        """Store, encode and make visible a group, in one transaction; raises CollectionPinnedError."""
        self.collection.layout.require_unpinned()
        self.collection = self.collection.with_live_changes()
        items = self.collection.searcher.items_by_key([entry.key for entry in entries])
        additions = list(self.pool.map(lambda entry: self._examine(entry, items.get(entry.key)), entries))
        pictures = [addition.pixels for addition in additions if addition.pixels is not None]
        vectors = iter(self.encoder.forward(np.stack(pictures)) if pictures else ())
        changes = []
        for addition in additions:
            if addition.draft is not None:
                key = addition.entry.key
                vector = self.collection.vector(items[key]) if addition.pixels is None else next(vectors)
                changes.append(LiveChange(key, addition.draft, vector))
        outcomes = iter(self.collection.change_items(changes))
        for addition in additions:
            self._record(addition, None if addition.draft is None else next(outcomes))

    def _examine(self, entry: Entry, item: ItemRecord | None) -> _Addition:
        edit = ItemEdit(title=entry.title, product_id=entry.product_id, metadata=entry.metadata or None)
        old = None if item is None else item.draft
        limits = self.collection.limits
        try:
            data = self.source.read(entry.location, limits.max_bytes)
            if old is not None and old.content_digest == hashlib.sha256(data).hexdigest():
                draft = edit.apply(old, old)
                return _Addition(entry, None if says_same(draft, old) else draft, remark=entry.remark)
            picture = decode(data, limits=limits, name=entry.key, fit=self.encoder.spec.decode_side)
        except (ImageError, SourceError) as error:
            return _Addition(entry, error=error)
        store = PictureStore(self.collection.layout.pictures)
        draft = store.put(entry.key, data, (picture.width, picture.height, picture.format))
        remark = "; ".join(filter(None, (entry.remark, picture.remark)))
        return _Addition(entry, edit.apply(draft, old), self.encoder.prepare(picture.pixels), remark=remark)

    def _record(self, addition: _Addition, outcome: ChangeOutcome | None) -> None:
        entry, error = addition.entry, addition.error
        if outcome is not None and outcome.status is ChangeStatus.REFUSED:
            error = outcome.problem
        if error is None:
            verdict = Verdict.INDEXED if addition.pixels is not None else Verdict.UPDATED
            verdict = Verdict.UNCHANGED if addition.draft is None else verdict
            self.report.record(entry.key, verdict, remark=addition.remark)
        elif isinstance(error, _NO_PICTURE) and not has_picture_extension(entry.location):
            self.report.record(entry.key, Verdict.IGNORED, error)
        else:
            self.report.record(entry.key, Verdict.REJECTED, error)


def _fold(places: Places, name: str, reporter: Reporter) -> int:
    """Publish the additions; where somebody else works on the collection, that is done later, and they are seen."""
    try:
        return fold_collection(places, name, reporter).generation
    except CollectionBusyError:
        reporter.say(f"{name}: another process works on it: the pictures are searchable, and published later")
        return CollectionLayout.of(places.collections_dir, name).current()


def find_encoder(catalogue: Catalogue, request: IndexRequest) -> EncoderRequest:
    """The collection's own encoder if there is the collection, else that of the request."""
    record = catalogue.find_collection(request.name)
    return request.encoder if record is None else record.encoder
