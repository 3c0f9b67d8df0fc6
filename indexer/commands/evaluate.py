"""``evaluate``: how good the answers are, on pictures whose labels are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.index import EXIT_REJECTED, RootOption
from indexer.commands.options import (
    DEFAULT_DATA,
    DEFAULT_WORKERS,
    DatabaseOption,
    DataOption,
    EncodersOption,
    FusionName,
    JsonOption,
    Session,
    WorkersOption,
    encoder_request,
    make_session,
)
from indexer.evaluation.encoders import load_encoders
from indexer.evaluation.report import report_page, thumbnails
from indexer.evaluation.result import Evaluation, evaluate_subject
from indexer.evaluation.subject import Choice, subject_of_collection, subject_of_source
from indexer.reports.page import check_place, write_page
from lookalike.errors import SourceError
from lookalike.sources.base import Source
from lookalike.sources.open_source import open_source

SourceArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="SOURCE",
        help="A folder of class folders, a .zip of them, or a manifest with a label or product_id column.",
    ),
]
EncodersListOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        envvar="LOOKALIKE_ENCODER",
        help="bundled, NAME (once installed), or NAME:/path/to/weights; may be repeated. Without it: bundled-int8, or "
        "bundled at another fusion or size.",
    ),
]
FusionsOption = Annotated[
    list[FusionName] | None,
    typer.Option(
        "--fusion",
        envvar="LOOKALIKE_FUSION",
        help="mean, concat, last or moments; repeated: each encoder with each of them.",
    ),
]
SizesOption = Annotated[
    list[int] | None,
    typer.Option(
        "--input-size",
        envvar="LOOKALIKE_INPUT_SIZE",
        help="Side in pixels of what the network sees; repeated: each encoder with each of them.",
    ),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        "-c",
        envvar="LOOKALIKE_COLLECTION",
        help="Evaluate this collection's stored vectors and its index, instead of SOURCE.",
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        envvar="LOOKALIKE_LABEL",
        help="Column with the labels. Without it: label, else product_id, else the picture's own folder.",
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=4, envvar="LOOKALIKE_LIMIT", help="At most so many pictures, spread over the labels."),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", envvar="LOOKALIKE_OUT", help="Write an HTML report, in one file, to this path."),
]


def evaluate(
    context: typer.Context,
    source: SourceArgument = None,
    collection: CollectionOption = None,
    encoder: EncodersListOption = None,
    fusion: FusionsOption = None,
    input_size: SizesOption = None,
    label: LabelOption = None,
    limit: LimitOption = None,
    out: OutOption = None,
    data: DataOption = DEFAULT_DATA,
    images_root: RootOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
    database: DatabaseOption = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Measure the answers on labelled pictures: every picture asks for the others of its label.

    Gives recall@1, 5 and 10, precision@5 and mean average precision, overall and for each label, with their 95 %
    confidence intervals; several encoders side by side.
    """
    _check_usage(context, source, collection)
    session = make_session(data, database, encoders_dir, json)
    if out is not None:
        check_place(out)
    choice = Choice(label, limit)
    if source is not None:
        fusions: Sequence[FusionName | None] = fusion or (None,)
        sizes: Sequence[int | None] = input_size or (None,)
        names: Sequence[str | None] = encoder or (None,)
        wanted = product(names, fusions, sizes)
        requests = [encoder_request(*combination) for combination in wanted]
        with closing(open_source(source, images_root=images_root)) as opened:
            encoders = load_encoders(requests, session.places.encoders_dir)
            subject = subject_of_source(opened, encoders, choice, workers=workers, reporter=session.reporter)
            _finish(session, evaluate_subject(subject, session.reporter), out, lambda: nullcontext(opened))
    elif collection is not None:
        with session.collection(collection) as stored:
            subject = subject_of_collection(stored, stored.index, choice, session.reporter)
        _finish(session, evaluate_subject(subject, session.reporter), out, lambda: session.source(collection))
    if subject.rejected:
        raise typer.Exit(EXIT_REJECTED)


def _check_usage(context: typer.Context, source: Path | None, collection: str | None) -> None:
    """Refuse flags that contradict each other; a variable of the environment contradicts nothing."""
    origins = {name: context.get_parameter_source(name) for name in context.params}
    said = {name for name, origin in origins.items() if origin is not None and origin.name == "COMMANDLINE"}
    if source is None and collection is None:
        raise typer.BadParameter("give SOURCE, or a collection with --collection", param_hint="SOURCE")
    if source is not None and "collection" in said:
        raise typer.BadParameter("SOURCE and --collection exclude each other; give one of them", param_hint="SOURCE")
    if source is None and (extra := said & {"encoder", "fusion", "input_size", "images_root"}):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(extra))
        raise typer.BadParameter("a collection's vectors are stored: leave it out", param_hint=flags)


def _finish(
    session: Session, evaluation: Evaluation, out: Path | None, source: Callable[[], AbstractContextManager[Source]]
) -> None:
    if out is not None:
        try:
            with source() as opened:
                shown = thumbnails(evaluation, opened, session.reporter)
        except SourceError as error:
            session.reporter.say(f"warning: the report has no pictures: {error.message}")
            shown = {}
        write_page(out, report_page(evaluation, shown))
    report = {} if out is None else {"report": str(out)}
    session.reporter.answer("\n".join([evaluation.text(), *report.values()]), **evaluation.fields(), **report)
