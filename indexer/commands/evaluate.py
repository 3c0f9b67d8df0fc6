"""``evaluate``: how good the answers are, on pictures whose labels are known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import (
    DEFAULT_WORKERS,
    EncodersListOption,
    FusionsOption,
    LabelOption,
    ReportOption,
    RootOption,
    SizesOption,
    WorkersOption,
    encoder_requests,
)
from indexer.commands.session import EXIT_REJECTED, Session, with_collections
from indexer.evaluation.encoders import load_encoders
from indexer.evaluation.report import read_thumbnails, report_page
from indexer.evaluation.result import Evaluation, evaluate_subject
from indexer.evaluation.subject import SubjectOptions, subject_of_collection, subject_of_source
from indexer.reports.page import check_place, write_page
from lookalike.errors import SourceError
from lookalike.sources.base import Source
from lookalike.sources.open_source import open_source

SourceArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[SOURCE]",
        help="A folder of class folders, a .zip of them, or a manifest with a label or product_id column.",
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
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", min=4, envvar="LOOKALIKE_LIMIT", help="Use at most this many pictures, spread over the labels."
    ),
]


@with_collections
def evaluate(
    session: Session,
    context: typer.Context,
    source: SourceArgument = None,
    collection: CollectionOption = None,
    encoder: EncodersListOption = None,
    fusion: FusionsOption = None,
    input_size: SizesOption = None,
    label: LabelOption = None,
    limit: LimitOption = None,
    out: ReportOption = None,
    images_root: RootOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
) -> None:
    """Measure the answers on labelled pictures: every picture is a query for the others of its label.

    Gives recall@1, 5 and 10, precision@5 and mean average precision, overall and for each label, with their 95 %
    confidence intervals; several encoders side by side.
    """
    _check_usage(context, source, collection)
    if out is not None:
        check_place(out)
    options = SubjectOptions(label, limit)
    if source is not None:
        requests = encoder_requests(encoder, fusion, input_size)
        with closing(open_source(source, images_root=images_root)) as open_corpus:
            encoders = load_encoders(requests, session.places.encoders_dir)
            subject = subject_of_source(open_corpus, encoders, options, workers=workers, reporter=session.reporter)
            _finish(session, evaluate_subject(subject, session.reporter), out, lambda: nullcontext(open_corpus))
    elif collection is not None:
        with session.collection(collection) as open_collection:
            subject = subject_of_collection(open_collection, open_collection.index, options, session.reporter)
        _finish(session, evaluate_subject(subject, session.reporter), out, lambda: session.source(collection))
    if subject.rejections:
        raise typer.Exit(EXIT_REJECTED)


def _check_usage(context: typer.Context, source: Path | None, collection: str | None) -> None:
    """Refuse flags that contradict each other; a variable of the environment contradicts nothing."""
    origins = {name: context.get_parameter_source(name) for name in context.params}
    typed_flags = {name for name, origin in origins.items() if origin is not None and origin.name == "COMMANDLINE"}
    if source is None and collection is None:
        raise typer.BadParameter("give SOURCE, or a collection with --collection", param_hint="SOURCE")
    if source is not None and "collection" in typed_flags:
        raise typer.BadParameter("SOURCE and --collection exclude each other; give one of them", param_hint="SOURCE")
    if source is None and (extra := typed_flags & {"encoder", "fusion", "input_size", "images_root"}):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(extra))
        raise typer.BadParameter("a collection's vectors are stored: leave it out", param_hint=flags)


def _finish(
    session: Session, evaluation: Evaluation, out: Path | None, source: Callable[[], AbstractContextManager[Source]]
) -> None:
    if out is not None:
        try:
            with source() as open_corpus:
                thumbnails = read_thumbnails(evaluation, open_corpus, session.reporter)
        except SourceError as error:
            session.reporter.say(f"warning: the report has no pictures: {error.message}")
            thumbnails = {}
        write_page(out, report_page(evaluation, thumbnails))
    report = {} if out is None else {"report": str(out)}
    session.reporter.answer("\n".join([evaluation.text(), *report.values()]), **evaluation.fields(), **report)
