"""The command line: which verbs there are. What a verb does is in ``indexer.commands``."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Annotated

import typer

from indexer.commands import (
    calibrate,
    corpora,
    duplicates,
    encoders,
    evaluate,
    explain,
    health,
    index,
    inspect,
    query,
    robustness,
)

app = typer.Typer(
    name="indexer",
    help="Image similarity search that people can rely on: index pictures, search them, prove the answers.\n\n"
    "With no command, every collection is brought up to date from the source it remembers.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS = (
    index.index,
    index.reindex,
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
    corpora.sample,
    corpora.fetch,
    corpora.stats,
    health.doctor,
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
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print versions and exit.")
    ] = False,
) -> None:
    """Image similarity search that people can rely on: index pictures, search them, prove the answers."""
