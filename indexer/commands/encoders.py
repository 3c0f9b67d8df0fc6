"""``encoders`` lists the networks; ``install`` fetches published weights, and nothing else ever does; ``compare`` says
what another encoder would do to a collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from indexer.commands.common import (
    DEFAULT_DATA,
    DEFAULT_WORKERS,
    CollectionOption,
    DatabaseOption,
    DataOption,
    EncodersOption,
    FusionOption,
    InputSizeOption,
    JsonOption,
    Session,
    WorkersOption,
    encoder_request,
    make_session,
)
from indexer.commands.evaluate import LabelOption, OutOption
from lookalike.catalogue.records import EncoderRequest
from lookalike.encoder.registry import BUNDLED, KNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from indexer.upgrade.switch import Switch
    from indexer.upgrade.trial import Outcome

app = typer.Typer(
    help="List encoders, install the published weights of one, or compare two on a collection.", rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def encoders(
    context: typer.Context,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """List the encoders: what is in the box, what is installed, what could be."""
    if context.invoked_subcommand is not None:
        return
    from lookalike.encoder.installed import installed_names

    session = make_session(DEFAULT_DATA, None, encoders_dir, json)
    folder = session.places.encoders_dir
    installed = set(installed_names(folder))
    session.reporter.answer(f"{BUNDLED:<22} in the box", name=BUNDLED, model=None, aliases=[], installed=True)
    for known in KNOWN:
        here = known.name in installed
        words = f"{known.name:<22} {'installed' if here else 'not installed':<14} {known.model}"
        words += f" (also {', '.join(known.aliases)})" if known.aliases else ""
        session.reporter.answer(words, name=known.name, model=known.model, aliases=list(known.aliases), installed=here)
    for name in sorted(installed - {known.name for known in KNOWN}):
        session.reporter.answer(f"{name:<22} installed", name=name, model=name, aliases=[], installed=True)
    session.reporter.say(
        f"installed weights lie in {folder}; `python -m indexer encoders install NAME` fetches published ones, and "
        "NAME:/path/to/weights.safetensors uses a file of yours"
    )


@app.command()
def install(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An encoder of the list, or any timm network.")],
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", envvar="HF_ENDPOINT", help="Address of a mirror of the model hub."),
    ] = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Download the published weights of an encoder, check them, and keep them."""
    from lookalike.encoder import hub

    session = make_session(DEFAULT_DATA, None, encoders_dir, json)
    with session.reporter.stage(f"{name}: fetching", 0) as stage:
        arrived = 0

        def report(done: int, _total: int | None) -> None:
            nonlocal arrived
            stage.advance(done - arrived)
            arrived = done

        folder = hub.install(name, session.places.encoders_dir, endpoint=endpoint, report=report)
    session.reporter.answer(f"{name} is installed in {folder}", name=name, folder=str(folder))


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="The collection's encoder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The encoder to change to.")],
    collection: CollectionOption,
    fusion: FusionOption = None,
    input_size: InputSizeOption = None,
    sample: Annotated[
        int, typer.Option("--sample", min=2, max=5000, envvar="LOOKALIKE_SAMPLE", help="Try at most so many pictures.")
    ] = 500,
    k: Annotated[
        int, typer.Option("-k", "--k", min=1, max=100, envvar="LOOKALIKE_K", help="How many answers to look at.")
    ] = 10,
    label: LabelOption = None,
    out: OutOption = None,
    data: DataOption = DEFAULT_DATA,
    workers: WorkersOption = DEFAULT_WORKERS,
    database: DatabaseOption = None,
    encoders_dir: EncodersOption = None,
    json: JsonOption = False,
) -> None:
    """Say what changing a collection's encoder from A to B would do to its answers, and how to do it.

    Nothing is rebuilt and nothing changes. --fusion and --input-size are for B.
    """
    from indexer.upgrade.switch import switch_of
    from indexer.upgrade.trial import Choice, other_encoder, present_encoder, try_change

    session = make_session(data, database, encoders_dir, json)
    folder, request = session.places.encoders_dir, encoder_request(second, fusion, input_size)
    if out is not None:
        from indexer.reports.page import check_place

        check_place(out)
    with session.catalogue(collection) as catalogue:
        record = catalogue.collection(collection)
    with session.collection(collection) as opened, session.source(collection) as source:
        present = present_encoder(opened, encoder_request(first, None, None), folder)
        outcome = try_change(
            opened,
            source,
            (present, other_encoder(present, request, folder)),
            Choice(sample, k, label),
            places=(session.layout(collection), folder),
            workers=workers,
            reporter=session.reporter,
        )
        switch = switch_of(record, EncoderRequest(**opened.manifest.encoder_request), request, session.places)
        if out is not None:
            from indexer.upgrade.report import thumbnails, write_report

            write_report(out, outcome, thumbnails(outcome, source, opened.limits, session.reporter), switch)
    _tell(session, outcome, switch, out)


def _tell(session: Session, outcome: Outcome, switch: Switch, out: Path | None) -> None:
    from indexer.upgrade.tables import fields, text

    for key, code in outcome.rejected[:20]:
        session.reporter.say(f"left out: {key}: {code}")
    names = outcome.comparison.before.name, outcome.comparison.after.name
    report = {} if out is None else {"report": str(out)}
    words = "\n\n".join([text(outcome), switch.text(*names), *report.values()])
    session.reporter.answer(words, **fields(outcome), commands=switch.fields(), **report)
