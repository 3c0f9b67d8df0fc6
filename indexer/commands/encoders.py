"""``encoders`` lists the networks; ``encoders install`` fetches published weights, and nothing else ever does."""

from __future__ import annotations

from typing import Annotated

import typer

from indexer.commands.common import DEFAULT_DATA, EncodersOption, JsonOption, make_session
from lookalike.encoder.registry import BUNDLED, KNOWN

app = typer.Typer(help="List encoders, or install the published weights of one.", rich_markup_mode=None)


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
