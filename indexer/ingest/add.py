"""Pictures of a source are added to a collection as if each had been sent to it: its own source stays what it is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from indexer.console.reporter import Reporter
from indexer.console.units import clock
from indexer.ingest.fold import fold_collection
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, open_requested, report_path
from indexer.ingest.verdicts import Report, Verdict, has_picture_extension
from lookalike.api import Collection
from lookalike.catalogue.live_changes import LiveChange
from lookalike.catalogue.records import CollectionSettings, ItemDraft, ItemRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import CollectionEncoder, check_request_fits_collection
from lookalike.collection.encoder_check import check_same_encoder
from lookalike.collection.index_command import reencode_command
from lookalike.collection.item_edit import ItemEdit
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.lifecycle import create_collection
from lookalike.collection.picture_store import PictureStore
from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.errors import (
    CollectionBusyError,
    ImageEmptyError,
    ImageError,
    ImageTooLargeError,
    ItemNotFoundError,
    LookalikeError,
    SourceError,
    UnsupportedFormatError,
)
from lookalike.images import decode
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.sources.base import Entry, Source
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
        return "\n".join([*lines, f"  every file's verdict: {self.report.path}"])


@dataclass(frozen=True, slots=True)
class _Addition:
    """An entry with its picture, stored and decoded, or why it is none; without both the item has it already."""

    entry: Entry
    item: ItemRecord | None
    picture: tuple[ItemDraft, RGB] | None = None
    error: LookalikeError | None = None


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
    with closing(open_requested(request, settings.source_options)) as source:
        with reporter.stage(f"{request.name}: listing", 0) as stage:
            total = 0
            for _ in source.entries():
                total += 1
                stage.advance()
        encoder = _prepare_collection(places, request, catalogue, settings)
        layout.require_unpinned()
        with _open_collection(places, request.name, options.limits) as collection:
            path = report_path(layout, collection.manifest.generation)
            reporter.event("report", path=str(path))
            with Report(path) as report, reporter.stage(f"{request.name}: adding", total) as stage:
                adder = _Adder(collection, source, encoder, report, options.limits)
                for group in _batches(source, report, options.batch):
                    adder.add(group, options.workers)
                    stage.advance(len(group), rejected=report.counts[Verdict.REJECTED], rejected_codes=report.codes)
        snapshot = _fold(places, request.name, reporter)
    with _open_collection(places, request.name, options.limits) as collection:
        return AddSummary(request.name, len(collection), snapshot, report, time.monotonic() - start)


def _prepare_collection(
    places: Places, request: IndexRequest, catalogue: Catalogue, settings: CollectionSettings
) -> ImageEncoder:
    """The encoder of the addition, which is the collection's; a collection that there is not is made."""
    layout = CollectionLayout.of(places.collections_dir, request.name)
    record = next((record for record in catalogue.collections() if record.name == request.name), None)
    if record is None or layout.current_or_none() is None:
        encoder = load_encoder(request.encoder, places.encoders_dir)
        create_collection(layout, catalogue, CollectionEncoder(request.encoder, encoder.spec), settings, INDEX_TYPES)
        return encoder
    check_request_fits_collection(layout, request.encoder)
    encoder = load_encoder(request.encoder, places.encoders_dir)
    with _open_collection(places, request.name, ImageLimits()) as collection:
        command = reencode_command(request.name, record.source, request.encoder, record.settings, layout.data)
        check_same_encoder(request.name, collection.manifest.encoder, encoder.spec, command=command)
    return encoder


@contextmanager
def _open_collection(places: Places, name: str, limits: ImageLimits) -> Iterator[Collection]:
    collection = Collection.open(
        places.data, name, database_url=places.database_url, encoders_dir=places.encoders_dir, limits=limits
    )
    with collection:
        yield collection


def _batches(source: Source, report: Report, size: int) -> Iterator[list[Entry]]:
    """The entries that can be read, in groups; the others are rejected."""
    entries = source.entries()
    while page := list(islice(entries, size)):
        for entry in page:
            if not isinstance(entry, Entry):
                report.record(entry.key, Verdict.REJECTED, entry.error)
        yield [entry for entry in page if isinstance(entry, Entry)]


@dataclass
class _Adder:
    """Adds the entries of one source to one collection."""

    collection: Collection
    source: Source
    encoder: ImageEncoder
    report: Report
    limits: ImageLimits

    def add(self, entries: Sequence[Entry], workers: int) -> None:
        """Store, encode and make visible a group, in one transaction."""
        self.collection = self.collection.with_live_changes()
        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            additions = list(pool.map(self._examine, entries))
        pictures = [addition.picture[1] for addition in additions if addition.picture is not None]
        vectors = iter(self.encoder.forward(np.stack(pictures)) if pictures else ())
        changes = []
        for addition in additions:
            if addition.picture is not None:
                changes.append(LiveChange(addition.entry.key, _draft(addition), next(vectors)))
            self._record(addition)
        self.collection.change_items(changes)

    def _examine(self, entry: Entry) -> _Addition:
        item = self._find(entry.key)
        try:
            data = self.source.read(entry.location, self.limits.max_bytes)
            if item is not None and _is_there(entry, data, item):
                return _Addition(entry, item)
            picture = decode(data, limits=self.limits, name=entry.key, fit=self.encoder.spec.decode_side)
        except (ImageError, SourceError) as error:
            return _Addition(entry, item, error=error)
        store = PictureStore(self.collection.layout.pictures)
        draft = store.put(entry.key, data, (picture.width, picture.height, picture.format))
        return _Addition(entry, item, (draft, self.encoder.prepare(picture.pixels)))

    def _find(self, key: str) -> ItemRecord | None:
        try:
            item = self.collection.item(key)
        except ItemNotFoundError:
            return None
        return item if item.key == key else None

    def _record(self, addition: _Addition) -> None:
        entry, error = addition.entry, addition.error
        if error is None:
            self.report.record(entry.key, Verdict.INDEXED if addition.picture is not None else Verdict.UNCHANGED)
        elif isinstance(error, _NO_PICTURE) and not has_picture_extension(entry.location):
            self.report.record(entry.key, Verdict.IGNORED, error)
        else:
            self.report.record(entry.key, Verdict.REJECTED, error)


def _is_there(entry: Entry, data: bytes, item: ItemRecord) -> bool:
    """Whether the item has this picture already, and what the source says of it."""
    is_same_file = item.draft.content_digest == hashlib.sha256(data).hexdigest()
    return is_same_file and _edit(entry).apply(item.draft, item.draft) == item.draft


def _edit(entry: Entry) -> ItemEdit:
    return ItemEdit(title=entry.title, product_id=entry.product_id, metadata=entry.metadata or None)


def _draft(addition: _Addition) -> ItemDraft:
    assert addition.picture is not None
    return _edit(addition.entry).apply(addition.picture[0], None if addition.item is None else addition.item.draft)


def _fold(places: Places, name: str, reporter: Reporter) -> int:
    """Publish the additions; where somebody else works on the collection, that is done later, and they are seen."""
    try:
        return fold_collection(places, name, reporter).generation
    except CollectionBusyError:
        reporter.say(f"{name}: another process works on it: the pictures are searchable, and published later")
        return CollectionLayout.of(places.collections_dir, name).current()


def find_encoder(catalogue: Catalogue, request: IndexRequest) -> EncoderRequest:
    """The collection's own encoder if there is the collection, else that of the request."""
    own = (record.encoder for record in catalogue.collections() if record.name == request.name)
    return next(own, request.encoder)
