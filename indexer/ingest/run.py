"""One run over one collection, from its source to a published snapshot."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer.console.reporter import Reporter
from indexer.console.staged_progress import StagedProgress
from indexer.console.units import clock
from indexer.ingest.live_items import encode_live_items
from indexer.ingest.pipeline import Pipeline, PipelineOptions, Timings
from indexer.ingest.removals import remove_lost
from indexer.ingest.verdicts import Report, Verdict
from lookalike.catalogue.records import SourceRecord
from lookalike.catalogue.repository import Catalogue
from lookalike.collection.builder import (
    Builder,
    BuildOptions,
    CollectionEncoder,
    check_request_fits_collection,
)
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.collection.tagging import refuse_tag_columns, tag_untagged
from lookalike.encoder.base import ImageEncoder
from lookalike.encoder.tags import require_head
from lookalike.errors import SourceEmptyError
from lookalike.filters.declared_columns import NO_COLUMNS, DeclaredColumns
from lookalike.options import EncoderRequest, Places, SourceOptions
from lookalike.sources.base import Entry, Source
from lookalike.sources.exclusions import describe_excluded
from lookalike.sources.open_source import open_source
from lookalike.storage import disk_errors
from lookalike.wiring import INDEX_TYPES, load_encoder, open_origin

MAX_REPORTS = 10
"""Maximum number of reports of a collection; older ones are deleted."""
ITEM_VERDICTS = (Verdict.INDEXED, Verdict.RESUMED, Verdict.UNCHANGED, Verdict.UPDATED, Verdict.KEPT)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Results of a run; ``report`` has the verdict on every file but those excluded, which are counted by pattern."""

    manifest: Manifest
    report: Report
    timings: Timings
    seconds: float
    excluded: Mapping[str, int]

    @property
    def rejected_count(self) -> int:
        """Number of pictures that could not be used."""
        return self.report.counts[Verdict.REJECTED]

    def fields(self) -> dict[str, Any]:
        """The fields of the JSON answer."""
        timings = self.timings
        return {
            "collection": self.manifest.collection,
            "snapshot": self.manifest.generation,
            "items": self.manifest.count,
            "verdicts": {verdict.value: self.report.counts[verdict] for verdict in Verdict},
            "rejected_codes": dict(self.report.codes.most_common()),
            "remarks": dict(self.report.remarks.most_common()),
            "excluded": dict(self.excluded),
            "seconds": round(self.seconds, 3),
            "encoded": timings.encoded_count,
            "read_s": round(timings.read_s, 3),
            "decode_s": round(timings.decode_s, 3),
            "encode_s": round(timings.encode_s, 3),
            "write_s": round(timings.write_s, 3),
            "report": str(self.report.path),
        }

    def text(self) -> str:
        """The lines for a terminal."""
        counts = self.report.counts
        lines = [f"{self.manifest.collection}: {self.manifest.count} pictures in snapshot {self.manifest.generation}"]
        lines.append("  " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]))
        if self.report.codes:
            lines.append(
                "  rejected: " + ", ".join(f"{count} {code}" for code, count in self.report.codes.most_common())
            )
        lines += [f"  {count} indexed with a remark: {remark}" for remark, count in self.report.remarks.most_common()]
        if self.excluded:
            lines.append(f"  {describe_excluded(self.excluded)}")
        lines.append(f"  {self._speed()}")
        lines.append(f"  every file's verdict: {self.report.path}")
        return "\n".join(lines)

    def _speed(self) -> str:
        timings, took = self.timings, clock(self.seconds) if self.seconds >= 1 else "less than a second"
        if not timings.encoded_count:
            return f"nothing had to be encoded; the run took {took}"
        rate = timings.encoded_count / self.seconds
        return (
            f"{timings.encoded_count} encoded in {took}, {rate:.1f} pictures a second (over all "
            f"threads: reading {timings.read_s:.1f} s, decoding {timings.decode_s:.1f} s, "
            f"encoding {timings.encode_s:.1f} s, writing {timings.write_s:.1f} s)"
        )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is done.

    ``allow_empty`` agrees to a source that has lost everything, ``allow_removals`` to one that has lost much.
    """

    pipeline: PipelineOptions
    build: BuildOptions
    allow_empty: bool = False
    allow_removals: bool = False


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """A collection's name, where its pictures are (``root`` is where a manifest's paths start), and an encoder."""

    name: str
    location: str
    root: str | None
    encoder: EncoderRequest


@dataclass(frozen=True, slots=True)
class CountedSource:
    """An open source, the number of its entries, and when the run began, in seconds of ``time.monotonic``."""

    source: Source
    entries: int
    start: float


def index_collection(
    places: Places, request: IndexRequest, *, catalogue: Catalogue, options: RunOptions, reporter: Reporter
) -> RunSummary:
    """Bring a collection up to date with its source and publish a snapshot.

    Raises the errors of the source, the encoder, the catalogue and the builder; whatever happens, the published
    snapshot stays, and what was stored is found again by the next run.
    """
    start = time.monotonic()
    layout = CollectionLayout.of(places.collections_dir, request.name)
    declared = declared_columns(catalogue, request.name)
    source = open_requested(request, options.build.settings.source_options, declared)
    try:
        with reporter.stage(f"{request.name}: listing", 0) as stage:
            entries = 0
            is_tagged = _wants_tags(catalogue, request.name, options.build)
            for entry in source.entries():
                if is_tagged and isinstance(entry, Entry):
                    refuse_tag_columns(entry)
                entries += 1
                stage.advance()
        if not options.build.allow_other_encoder:
            check_request_fits_collection(layout, request.encoder)
        encoder = load_encoder(request.encoder, places.encoders_dir)
        if is_tagged:
            require_head(encoder.spec)
        if entries == 0 and not options.allow_empty:
            _refuse_empty(request, catalogue)
        for remark in source.remarks:
            reporter.say(f"warning: {remark}")
        source_record = SourceRecord(source.kind, source.location, request.root)
        identity = CollectionEncoder(request.encoder, encoder.spec)
        pinned_generation = layout.current() if layout.is_pinned() else None
        with Builder.open(layout, catalogue, source_record, identity, INDEX_TYPES, options.build) as (builder, damage):
            for line in damage:
                reporter.say(f"warning: {line}")
            if pinned_generation is not None:
                reporter.say(
                    f"{request.name}: the rollback to snapshot {pinned_generation} ends with this run, which goes "
                    f"on from snapshot {builder.generation - 1}"
                )
            return _run(CountedSource(source, entries, start), builder, encoder, options, reporter)
    finally:
        source.close()


def open_requested(request: IndexRequest, options: SourceOptions, declared: DeclaredColumns = NO_COLUMNS) -> Source:
    """The source of a run, open; raises a leaf of SourceError."""
    root = None if request.root is None else Path(request.root)
    return open_source(request.location, images_root=root, options=options, declared=declared)


def declared_columns(catalogue: Catalogue, name: str) -> DeclaredColumns:
    """The declared columns of a collection; none where there is no collection of this name yet."""
    record = catalogue.find_collection(name)
    return NO_COLUMNS if record is None else record.columns


def _wants_tags(catalogue: Catalogue, name: str, build: BuildOptions) -> bool:
    """Whether a run tags the pictures; raises ColumnConflictError where items have columns of the names of tags."""
    record = catalogue.find_collection(name)
    is_tagged = build.settings.auto_tags if record is None or not build.keeps_auto_tags else record.settings.auto_tags
    if is_tagged and record is not None:
        catalogue.collection_store().require_free_tag_columns(record.id)
    return is_tagged


def _refuse_empty(request: IndexRequest, catalogue: Catalogue) -> None:
    """Raise SourceEmptyError before anything of the run is stored."""
    record = catalogue.find_collection(request.name)
    live_count = catalogue.live_count(record.id) if record else 0
    if live_count:
        raise SourceEmptyError(
            f"{request.location} has no files, but the collection {request.name!r} has {live_count} pictures: "
            "is a disk not mounted? To empty the collection, say --allow-empty",
            subject=request.location,
        )
    raise SourceEmptyError(
        f"{request.location} has no files to index: put pictures into it, or check the path", subject=request.location
    )


def _run(
    counted_source: CountedSource, builder: Builder, encoder: ImageEncoder, options: RunOptions, reporter: Reporter
) -> RunSummary:
    name = builder.layout.name
    with disk_errors(builder.layout.root), Report(report_path(builder.layout, builder.generation)) as report:
        reporter.event("report", path=str(report.path))
        with reporter.stage(f"{name}: encoding", counted_source.entries) as stage:
            timings = Pipeline(counted_source.source, builder, encoder, report, stage, options.pipeline).run()
        origin = open_origin(builder.source, builder.layout)
        timings.encoded_count += encode_live_items(origin, builder, encoder, report, options.pipeline.limits)
        origin.close()
        tag_untagged(builder)
        if not options.allow_empty and not any(report.counts[verdict] for verdict in ITEM_VERDICTS):
            _refuse_without_pictures(counted_source.source.location, name, builder.live_count(), report)
        is_agreed = options.allow_empty or options.allow_removals
        remove_lost(builder, counted_source.source, report, reporter, are_removals_allowed=is_agreed)
        with StagedProgress(reporter, f"{name}: publishing") as progress:
            manifest = builder.publish(progress.report)
    excluded = dict(counted_source.source.excluded)
    return RunSummary(manifest, report, timings, time.monotonic() - counted_source.start, excluded)


def _refuse_without_pictures(location: str, name: str, live_count: int, report: Report) -> None:
    """Raise for a source that has files, but no usable picture: it would empty the collection, or leave it empty."""
    count = report.counts[Verdict.REJECTED]
    rejected = f" ({count} rejected, the first: {report.first_rejection})" if count else ""
    if live_count:
        raise SourceEmptyError(
            f"{location} has no picture that can be used{rejected}, but the collection {name!r} has {live_count}: is "
            "it the right place, and a disk mounted? To empty the collection, say --allow-empty",
            subject=location,
        )
    raise SourceEmptyError(
        f"{location} has no picture that can be used{rejected}: every file's verdict is in {report.path}. To publish "
        "a collection without pictures, say --allow-empty",
        subject=location,
    )


def report_path(layout: CollectionLayout, generation: int) -> Path:
    """Where the report of a run towards this generation goes; old ones are deleted."""
    for old_report in sorted(layout.reports.glob("*.jsonl"))[: -(MAX_REPORTS - 1)]:
        old_report.unlink()
    return layout.reports / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{generation:08d}.jsonl"
