"""``index`` fills a collection from a source; ``reindex`` brings every collection up to date from its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import (
    DEFAULT_WORKERS,
    AutoTagsOption,
    BatchOption,
    CollectionOption,
    EncoderOption,
    Engine,
    EngineOption,
    ExcludeOption,
    FusionOption,
    IncludeOption,
    InputSizeOption,
    KeepOption,
    MaxMegabytesOption,
    MaxMegapixelsOption,
    MemoryOption,
    RecallOption,
    RootOption,
    SourceArgument,
    SourceEncodingOption,
    WorkersOption,
    encoder_request,
    image_limits,
    memory_budget,
    source_options,
)
from indexer.commands.session import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_REJECTED,
    EXIT_SHRUNK,
    Session,
    with_collections,
)
from indexer.ingest.add import add_pictures, find_encoder
from indexer.ingest.dry_run import dry_run_collection
from indexer.ingest.fold import fold_collection
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, RunOptions, RunSummary, index_collection, open_requested
from indexer.ingest.source_watch import SourceWatch
from indexer.ingest.verdicts import Verdict
from lookalike.catalogue.records import NO_SOURCE, CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.collection.index_command import DEFAULT_KEEP
from lookalike.errors import CollectionNotFoundError, CollectionPinnedError, LookalikeError, SourceShrunkError
from lookalike.index.planner import DEFAULT_RECALL
from lookalike.options import ImageLimits

ReencodeOption = Annotated[
    bool,
    typer.Option("--reencode", help="Allow another encoder: encode all pictures again."),
]
EmptyOption = Annotated[
    bool,
    typer.Option("--allow-empty", help="Allow a source without any usable picture."),
]
RemovalsOption = Annotated[
    bool,
    typer.Option(
        "--allow-removals",
        help="Allow a source that has lost a whole folder, or over a tenth of the collection: drop these pictures.",
    ),
]
AddOption = Annotated[
    bool,
    typer.Option(
        "--add",
        help="Add the pictures of SOURCE as if each was sent to the service: they are copied into the collection's own "
        "store, and the collection keeps the source that it has.",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Write nothing: read the source, and say what would be encoded, dropped, refused and excluded, and how "
        "long it would take.",
    ),
]
WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch", envvar="LOOKALIKE_WATCH", help="Index again whenever the source changes, until it is interrupted."
    ),
]


@with_collections
def index(
    session: Session,
    source: SourceArgument,
    collection: CollectionOption,
    images_root: RootOption = None,
    exclude: ExcludeOption = None,
    include: IncludeOption = None,
    source_encoding: SourceEncodingOption = None,
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    engine: EngineOption = Engine.AUTO,
    recall: RecallOption = DEFAULT_RECALL,
    memory: MemoryOption = None,
    keep: KeepOption = None,
    auto_tags: AutoTagsOption = None,
    reencode: ReencodeOption = False,
    allow_empty: EmptyOption = False,
    allow_removals: RemovalsOption = False,
    max_megabytes: MaxMegabytesOption = 64,
    max_megapixels: MaxMegapixelsOption = 100,
    workers: WorkersOption = DEFAULT_WORKERS,
    batch: BatchOption = 32,
    add: AddOption = False,
    dry_run: DryRunOption = False,
    watch: WatchOption = False,
) -> None:
    """Index a folder, a zip or a manifest: encode what is new or changed, drop what is gone, publish a snapshot.

    Hidden files and what systems leave behind are left out, and counted.
    """
    limits = image_limits(max_megabytes, max_megapixels)
    settings = CollectionSettings(
        engine.value,
        keep or DEFAULT_KEEP,
        limits.max_bytes,
        limits.max_pixels,
        recall,
        memory_budget(memory),
        source_options(exclude, include, source_encoding),
        auto_tags=bool(auto_tags),
    )
    build = BuildOptions(settings, reencode, keeps_retention=keep is None, keeps_auto_tags=auto_tags is None)
    options = RunOptions(PipelineOptions(batch, workers, limits), build, allow_empty, allow_removals)
    root = None if images_root is None else str(images_root.absolute())
    request = IndexRequest(collection, str(source), root, encoder_request(encoder, fusion, input_size))
    _check_together(add=add, dry_run=dry_run, watch=watch, reencode=reencode)
    if add and (allow_empty or allow_removals):
        raise typer.BadParameter("nothing is removed: leave --allow-empty and --allow-removals out", param_hint="--add")
    if add:
        is_encoder_named = (encoder, fusion, input_size) != (None, None, None)
        _add(session, request, options, is_encoder_named=is_encoder_named)
    elif watch:
        _watch(session, request, options)
    elif dry_run:
        _rehearse(session, request, options)
    elif _run(session, request, options).rejected_count:
        raise typer.Exit(EXIT_REJECTED)


def _check_together(*, add: bool, dry_run: bool, watch: bool, reencode: bool) -> None:
    """Refuse flags that exclude each other."""
    if dry_run and watch:
        raise typer.BadParameter("a dry run changes nothing that could be watched", param_hint="--watch")
    if add and (dry_run or watch or reencode):
        raise typer.BadParameter("--dry-run, --watch and --reencode are about its own source", param_hint="--add")


@with_collections
def reindex(
    session: Session,
    workers: WorkersOption = DEFAULT_WORKERS,
    batch: BatchOption = 32,
) -> None:
    """Bring every collection up to date from the source, and with the settings, that it remembers.

    One that was rolled back is left as it is, until `unpin` or `index`. This is what runs when no command is given.
    """
    if session.has_no_data():
        raise CollectionNotFoundError(
            f"there is no collection in {session.places.data} to bring up to date: "
            "run `python -m indexer index SOURCE --collection NAME` first",
            subject=str(session.places.data),
        )
    with session.catalogue() as catalogue:
        collections = catalogue.collections()
    rejected_count, failure_count, shrunk_count, pinned_count = 0, 0, 0, 0
    for record in collections:
        try:
            session.layout(record.name).require_unpinned()
            if record.source.kind == NO_SOURCE:
                fold_collection(session.places, record.name, session.reporter)
                continue
            limits = ImageLimits(record.settings.max_bytes, record.settings.max_pixels)
            build = BuildOptions(record.settings, keeps_retention=True, respects_pin=True, keeps_auto_tags=True)
            options = RunOptions(PipelineOptions(batch, workers, limits), build)
            request = IndexRequest(record.name, record.source.location, record.source.root, record.encoder)
            rejected_count += _run(session, request, options).rejected_count
        except CollectionPinnedError:
            pinned_count += 1
            _say_pinned(session, record.name)
        except LookalikeError as error:
            failure_count += 1
            shrunk_count += isinstance(error, SourceShrunkError)
            session.reporter.say(f"error: {record.name}: {error.message}")
            session.reporter.event("error", collection=record.name, code=error.code, message=error.message)
    current_count = len(collections) - failure_count - pinned_count
    session.reporter.answer(
        f"{current_count} of {len(collections)} collections are up to date",
        collections=len(collections),
        failed=failure_count,
        pinned=pinned_count,
    )
    if failure_count:
        raise typer.Exit(EXIT_SHRUNK if shrunk_count == failure_count else EXIT_FAILED)
    if rejected_count:
        raise typer.Exit(EXIT_REJECTED)


def _add(session: Session, request: IndexRequest, options: RunOptions, *, is_encoder_named: bool) -> None:
    with session.catalogue() as catalogue:
        if not is_encoder_named:
            request = replace(request, encoder=find_encoder(catalogue, request))
        settings = options.build.settings
        summary = add_pictures(
            session.places, request, catalogue, settings, options=options.pipeline, reporter=session.reporter
        )
    session.reporter.answer(summary.text(), **summary.fields())
    if summary.rejected_count:
        raise typer.Exit(EXIT_REJECTED)


def _say_pinned(session: Session, name: str) -> None:
    generation = session.layout(name).current()
    session.reporter.say(
        f"{name}: left at snapshot {generation}, to which it was rolled back: `unpin --collection {name}` ends that"
    )


def _rehearse(session: Session, request: IndexRequest, options: RunOptions) -> None:
    """A dry run, which ends with the exit code of the run."""
    result = dry_run_collection(session.places, request, options, session.reporter)
    session.reporter.answer(result.text(), **result.fields())
    if result.losses is not None and not (options.allow_removals or options.allow_empty):
        raise typer.Exit(EXIT_SHRUNK)
    if result.counts[Verdict.REJECTED]:
        raise typer.Exit(EXIT_REJECTED)


def _watch(session: Session, request: IndexRequest, options: RunOptions) -> None:
    """Index now and whenever the source changes; an error of a run is reported, and the watch goes on."""
    source_options = options.build.settings.source_options
    open_requested(request, source_options).close()  # there is nothing to watch where there is no source
    reporter = session.reporter

    def index_once() -> None:
        try:
            _run(session, request, options)
        except LookalikeError as error:
            reporter.say(f"error: {error.message}")
            reporter.event("error", code=error.code, message=error.message, subject=error.subject)
        reporter.say(f"{request.name}: watching {request.location}")

    root = None if request.root is None else Path(request.root)
    SourceWatch(Path(request.location), root, session.places.data, source_options).run(index_once)


def _run(session: Session, request: IndexRequest, options: RunOptions) -> RunSummary:
    reporter = session.reporter
    try:
        with session.catalogue() as catalogue:
            summary = index_collection(session.places, request, catalogue=catalogue, options=options, reporter=reporter)
    except KeyboardInterrupt as error:
        reporter.say(f"interrupted: what {request.name} has published is unchanged; run the same command to go on")
        raise typer.Exit(EXIT_INTERRUPTED) from error
    reporter.answer(summary.text(), **summary.fields())
    return summary
