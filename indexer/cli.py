"""The command line: which verbs there are. What a verb does is in ``indexer.commands``.

A verb's module is imported when the verb is used or all are listed: importing all of them takes as long as a search.
"""

from __future__ import annotations

import platform
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer

from indexer.background import run_in_background
from indexer.verb_group import VerbGroup
from lookalike.options import RuntimeName
from lookalike.wiring import prefer_runtime

VERBS = {
    "index": "index",
    "reindex": "index",
    "plan": "plan",
    "search": "search",
    "recommend": "recommend",
    "tags": "tags",
    "tag": "tags",
    "compare": "query",
    "explain": "explain",
    "montage": "query",
    "duplicates": "duplicates",
    "cluster": "insights",
    "outliers": "insights",
    "mislabelled": "insights",
    "map": "map",
    "evaluate": "evaluate",
    "robustness": "robustness",
    "calibrate": "calibrate",
    "collections": "inspect",
    "verify": "inspect",
    "rollback": "inspect",
    "unpin": "inspect",
    "create": "live",
    "configure": "live",
    "fold": "live",
    "delete": "live",
    "restore": "live",
    "sample": "datasets",
    "fetch": "datasets",
    "stats": "datasets",
    "doctor": "doctor",
    "embed": "embed",
    "export-items": "export_items",
    "export": "export",
    "encoders": "encoders",
}
"""The verbs in the order of the help, and for each the module of ``indexer.commands`` with its function, which has the
verb's name with underscores."""
_GROUPS = frozenset({"encoders"})
"""Verbs that have verbs of their own: the ``app`` of their module."""


class _Verbs(VerbGroup):
    """The verbs, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """See click's Group."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: Any, name: str) -> Any:
        """See click's Group."""
        del ctx
        if name in VERBS and name not in self.commands:
            module = import_module(f"indexer.commands.{VERBS[name]}")
            is_group = name in _GROUPS
            self.commands[name] = (
                typer.main.get_group(module.app) if is_group else _command(getattr(module, name.replace("-", "_")))
            )
        return self.commands.get(name)


app = typer.Typer(
    name="indexer",
    cls=_Verbs,
    help="Image similarity search that people can rely on: index pictures, search them, prove the answers.\n\n"
    "With no command, every collection is brought up to date from the source it remembers.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _command(verb: Any) -> Any:
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command()(verb)
    return typer.main.get_command(alone)


def all_commands() -> dict[str, Any]:
    """Every verb's command by its name, as ``encoders install``, in the order of the help; imports all of them."""
    group: Any = typer.main.get_command(app)
    commands = {}
    for name in VERBS:
        commands[name] = group.get_command(None, name)
        commands |= {f"{name} {below}": command for below, command in getattr(commands[name], "commands", {}).items()}
    return commands


def _print_version(asked: bool) -> None:
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
    background: Annotated[
        bool,
        typer.Option(
            "--background",
            help="For a program that starts this one: run at low priority, and end when standard input is closed.",
        ),
    ] = False,
    version_asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print versions and exit.")
    ] = False,
) -> None:
    """Set what holds for every verb."""
    del version_asked  # its callback ends the program
    prefer_runtime(runtime.value)
    if background:
        run_in_background()
