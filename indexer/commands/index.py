"""``index`` fills a collection from a source; ``reindex`` brings every collection up to date from its own."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import (
    DEFAULT_DATA,
    DEFAULT_WORKERS,
    BatchOption,
    CollectionOption,
    DatabaseOption,
    DataOption,
    EncoderOption,
    EncodersOption,
    FusionOption,
    InputSizeOption,
    JsonOption,
    MaxMegabytesOption,
    MaxMegapixelsOption,
    Session,
    WorkersOption,
    encoder_request,
    image_limits,
    make_session,
    memory_budget,
)
from indexer.ingest.pipeline import PipelineOptions
from indexer.ingest.run import IndexRequest, RunOptions, RunSummary, index_collection
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.collection.index_command import DEFAULT_KEEP
from lookalike.errors import CollectionNotFoundError, LookalikeError
from lookalike.index.planner import DEFAULT_RECALL
from lookalike.options import ImageLimits
from lookalike.wiring import INDEX_TYPES

EXIT_FAILED = 1
EXIT_REJECTED = 3
EXIT_INTERRUPTED = 130

SourceArgument = Annotated[
    Path, typer.Argument(metavar="SOURCE", help="A folder, a .zip, or a manifest (.csv, .jsonl with a path column).")
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--images-root", envvar="LOOKALIKE_IMAGES_ROOT", help="Folder that a manifest's paths start at; else its own."
    ),
]


class Engine(StrEnum):
    """Index types."""

    _ignore_ = "members engine_name"
    AUTO = "auto"
    members = vars()
    for engine_name in INDEX_TYPES:
        members[engine_name] = engine_name


EngineOption = Annotated[
    Engine,
    typer.Option("--engine", envvar="LOOKALIKE_ENGINE", help="Index type. auto: what fits the number of pictures."),
]
RecallOption = Annotated[
    float,
    typer.Option(
        "--recall",
        envvar="LOOKALIKE_RECALL",
        min=0.5,
        max=1.0,
        help="Share of the ten nearest that the index must find, measured before it is published.",
    ),
]
MemoryOption = Annotated[
    float | None,
    typer.Option(
        "--memory",
        envvar="LOOKALIKE_MEMORY",
        min=0.001,
        help="Gigabytes that a service may hold for the index; without it, half of this machine's.",
    ),
]
KeepOption = Annotated[
    int,
    typer.Option(
        "--keep", envvar="LOOKALIKE_KEEP", min=2, help="Snapshots that stay: the current one and those before it."
    ),
]
ReencodeOption = Annotated[
    bool,
    typer.Option("--reencode", envvar="LOOKALIKE_REENCODE", help="Agree to replace all vectors by another encoder's."),
]
EmptyOption = Annotated[
    bool,
    typer.Option("--allow-empty", envvar="LOOKALIKE_ALLOW_EMPTY", help="Agree to a source that has lost everything."),
]


def index(
    source: SourceArgument,
    collection: CollectionOption,
    data: DataOption = DEFAULT_DATA,
    images_root: RootOption = None,
    encoder: EncoderOption = None,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    engine: EngineOption = Engine.AUTO,
    recall: RecallOption = DEFAULT_RECALL,
    memory: MemoryOption = None,
    keep: KeepOption = DEFAULT_KEEP,
    reencode: ReencodeOption = False,
    allow_empty: EmptyOption = False,
    max_megabytes: MaxMegabytesOption = 64,
    max_megapixels: MaxMegapixelsOption = 100,
    workers: WorkersOption = DEFAULT_WORKERS,
    batch: BatchOption = 32,
    database: DatabaseOption = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Index a folder, a zip or a manifest: encode what is new or changed, drop what is gone, publish a snapshot."""
    session = make_session(data, database, encoders_dir, json)
    limits = image_limits(max_megabytes, max_megapixels)
    settings = CollectionSettings(
        engine.value, keep, limits.max_bytes, limits.max_pixels, recall, memory_budget(memory)
    )
    options = RunOptions(
        PipelineOptions(batch, workers, limits), BuildOptions(settings, allow_other_encoder=reencode), allow_empty
    )
    root = None if images_root is None else str(images_root.absolute())
    request = encoder_request(encoder, fusion, input_size)
    summary = _run(session, IndexRequest(collection, str(source), root, request), options)
    if summary.rejected:
        raise typer.Exit(EXIT_REJECTED)


def reindex(
    data: DataOption = DEFAULT_DATA,
    workers: WorkersOption = DEFAULT_WORKERS,
    batch: BatchOption = 32,
    database: DatabaseOption = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Bring every collection up to date from the source, and with the settings, that it remembers.

    This is what runs when no command is given.
    """
    session = make_session(data, database, encoders_dir, json)
    if database is None and not data.is_dir():
        raise CollectionNotFoundError(
            f"there is no collection in {data} to bring up to date: "
            "run `python -m indexer index SOURCE --collection NAME` first",
            subject=str(data),
        )
    with session.catalogue() as catalogue:
        collections = catalogue.collections()
    rejected, failed = 0, 0
    for record in collections:
        try:
            limits = ImageLimits(record.settings.max_bytes, record.settings.max_pixels)
            options = RunOptions(PipelineOptions(batch, workers, limits), BuildOptions(record.settings))
            request = IndexRequest(record.name, record.source.location, record.source.root, record.encoder)
            rejected += _run(session, request, options).rejected
        except LookalikeError as error:
            failed += 1
            session.reporter.say(f"error: {record.name}: {error.message}")
            session.reporter.event("error", collection=record.name, code=error.code, message=error.message)
    session.reporter.answer(
        f"{len(collections) - failed} of {len(collections)} collections are up to date",
        collections=len(collections),
        failed=failed,
    )
    if failed or rejected:
        raise typer.Exit(EXIT_FAILED if failed else EXIT_REJECTED)


def _run(session: Session, request: IndexRequest, options: RunOptions) -> RunSummary:
    reporter = session.reporter
    try:
        with session.catalogue() as catalogue:
            summary = index_collection(session.places, request, catalogue=catalogue, options=options, reporter=reporter)
    except KeyboardInterrupt as error:
        reporter.say(
            f"stopped. What {request.name} had published is as it was; run the same command to go on from here"
        )
        raise typer.Exit(EXIT_INTERRUPTED) from error
    reporter.answer(summary.text(), **summary.fields())
    return summary
