"""The command line: which verbs there are. What a verb does is in ``indexer.commands``."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Annotated

import typer

from indexer.commands import (
    calibrate,
    datasets,
    doctor,
    duplicates,
    encoders,
    evaluate,
    explain,
    export,
    index,
    inspect,
    plan,
    query,
    robustness,
)
from indexer.verb_group import VerbGroup
from lookalike.options import RuntimeName
from lookalike.wiring import prefer_runtime

app = typer.Typer(
    name="indexer",
    cls=VerbGroup,
    help="Image similarity search that people can rely on: index pictures, search them, prove the answers.\n\n"
    "With no command, every collection is brought up to date from the source it remembers.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS = (
    index.index,
    index.reindex,
    plan.plan,
    query.search,
    query.compare,
    explain.explain,
    query.montage,
    duplicates.duplicates,
    evaluate.evaluate,
    robustness.robustness,
    calibrate.calibrate,
    inspect.collections,
    inspect.verify,
    inspect.rollback,
    datasets.sample,
    datasets.fetch,
    datasets.stats,
    doctor.doctor,
    export.export,
)

for command in COMMANDS:
    app.command()(command)
app.add_typer(encoders.app, name="encoders")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lookalike {version('lookalike')} (Python {platform.python_version()}, torch {version('torch')})")
        raise typer.Exit


@app.callback()
def root(
    runtime: Annotated[
        RuntimeName,
        typer.Option(
            "--runtime",
            envvar="LOOKALIKE_RUNTIME",
            help="What runs encoders. auto: the fastest on this machine that gives the same vectors, measured once.",
        ),
    ] = RuntimeName.AUTO,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print versions and exit.")
    ] = False,
) -> None:
    """Image similarity search that people can rely on: index pictures, search them, prove the answers."""
    prefer_runtime(runtime.value)
