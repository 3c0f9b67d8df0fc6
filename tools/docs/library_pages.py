"""The pages of docs/ that the program writes itself, so that they cannot say something else than it does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from indexer.cli import app
from indexer.ingest.verdicts import Verdict
from lookalike.errors import LookalikeError, coded_errors
from tools.docs.cli_examples import EXAMPLES, recorded, shown
from tools.docs.figures import copies_table, encoder_table, explanations_table, near_duplicates_table
from tools.docs.peer_tables import copies_found_table, index_table, indexes_table, large_table, systems_table
from tools.docs.performance_tables import (
    decoding_table,
    encoding_table,
    indexing_table,
    moments_table,
    operator_table,
    parts_table,
    service_table,
)

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"

CLI_HEAD = """# The command line

*Written by the program (`make docs`); a test compares it.*

`python -m indexer` (or `lookalike`, once installed) has one verb a task. Without a verb it is the batch job: every
collection is brought up to date from the source it remembers (`reindex`). With a path instead of a verb it is `index`.

Text for people goes to stderr, results to stdout; with `--json` stdout carries one JSON object a line, each with an
`event`: `progress`, `answer` or `error`. Where an environment variable can stand for a flag, its name is in brackets.

Each verb begins with an example. They were run one after the other, in one folder; times, dates and folders in their
output are made up.

| exit code | meaning |
| --- | --- |
| 0 | good |
| 1 | failed: the last line on stderr says what, which, and what to do |
| 2 | wrong usage |
| 3 | finished, but some pictures were rejected (`verify`: have changed since they were indexed) |
| 4 | `compare`: not similar |
| 130 | interrupted; run the same command to go on |

Verdicts of `index`, one for every file, counted at the end and written to the report: {verdicts}.
"""

ERRORS_HEAD = """# Errors

*Written by the program (`make docs`); a test compares it.*

Every error has a stable code, which reports, `--json` and the exceptions of the Python API (`error.code`) carry. All
are leaves of `lookalike.LookalikeError`; `error.subject` names the file, key, field or name that it is about.
"""


def cli_page() -> str:
    """docs/cli.md."""
    verdicts = ", ".join(f"`{verdict}`" for verdict in Verdict)
    root: Any = typer.main.get_command(app)
    parts = [CLI_HEAD.format(verdicts=verdicts), _root_options(root)]
    for name, command in root.commands.items():
        parts.append(_command(f"python -m indexer {name}", command))
        for sub, inner in getattr(command, "commands", {}).items():
            parts.append(_command(f"python -m indexer {name} {sub}", inner))
    return "\n".join(parts)


def _root_options(root: Any) -> str:
    """The flags of the program itself."""
    options = [p for p in root.params if p.name not in {"help", "install_completion", "show_completion"}]
    lines = ["## Before any verb", "", "```", "python -m indexer [--runtime NAME] [VERB ...]", "```", ""]
    lines += ["| option | meaning |", "| --- | --- |", *(f"| {_flags(p)} | {_meaning(p)} |" for p in options), ""]
    return "\n".join(lines)


def _example(verb: str) -> list[str]:
    """A verb's task, a command, and what it printed."""
    (example,) = (example for example in EXAMPLES if example.verb == verb)
    command = f"$ python -m indexer {example.command}"
    lines = [example.task, "", "```console", command]
    return [*lines, *(shown(example, recorded()[verb]) if example.runs else []), "```", ""]


def _command(path: str, command: Any) -> str:
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    options = [p for p in command.params if p.opts[0].startswith("-") and p.name != "help"]
    usage = " ".join([path, *(p.metavar or p.name.upper() for p in arguments), *(["[OPTIONS]"] if options else [])])
    verb = path.removeprefix("python -m indexer ")
    lines = [f"## `{verb}`", "", *_example(verb), " ".join((command.help or "").split()), ""]
    lines += ["```", usage, "```", ""]
    if arguments or options:
        lines += ["| argument or option | meaning |", "| --- | --- |"]
        lines += [f"| `{p.metavar or p.name.upper()}` | {' '.join([p.help or '', *_choices(p)])} |" for p in arguments]
        lines += [f"| {_flags(p)} | {_meaning(p)} |" for p in options]
        lines.append("")
    return "\n".join(lines)


def _flags(option: Any) -> str:
    return ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])


def _choices(parameter: Any) -> list[str]:
    kind = parameter.type_descriptor.annotation
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        return []
    return ["One of " + ", ".join(f"`{choice.value}`" for choice in kind) + "."]


def _meaning(option: Any) -> str:
    words = [" ".join((option.help or "").split())]
    default = option.default
    words += _choices(option)
    if option.name == "workers":
        words.append("Default: the number of cores.")
    elif default is not None and default is not False and not callable(default) and not option.required:
        words.append(f"Default: `{getattr(default, 'value', default)}`.")
    if option.required:
        words.append("Required.")
    if option.envvar:
        words.append(f"[`{option.envvar}`]")
    return " ".join(words).replace("|", "\\|")


def errors_page() -> str:
    """docs/errors.md."""
    lines = [ERRORS_HEAD]
    for group in LookalikeError.__subclasses__():
        lines += [f"## {group.__name__}", "", _sentence(group), "", "| code | class | meaning |", "| --- | --- | --- |"]
        lines += [f"| `{leaf.code}` | `{leaf.__name__}` | {_sentence(leaf)} |" for leaf in coded_errors(group)]
        lines.append("")
    return "\n".join(lines)


def _sentence(error: type[LookalikeError]) -> str:
    return " ".join((error.__doc__ or "").split())


def model_card_page() -> str:
    """docs/model-card.md: prose by hand, tables from the committed results."""
    tables = {"encoder": encoder_table, "copies": copies_table}
    return _with_tables("model-card.md", tables)


def performance_page() -> str:
    """docs/performance.md: likewise."""
    tables = {
        "encoding": encoding_table,
        "decoding": decoding_table,
        "indexing": indexing_table,
        "parts": parts_table,
        "index": index_table,
        "large": large_table,
        "service": service_table,
        "systems": systems_table,
        "indexes": indexes_table,
        "found": copies_found_table,
        "operator": operator_table,
        "moments": moments_table,
    }
    return _with_tables("performance.md", tables)


def quality_page() -> str:
    """docs/quality.md: likewise."""
    tables = {"copies_check": near_duplicates_table, "explanations": explanations_table}
    return _with_tables("quality.md", tables)


def _with_tables(name: str, tables: dict[str, Callable[[], str]]) -> str:
    text = (DOCS / name).read_text(encoding="utf-8")
    for table, make in tables.items():
        start, end = f"<!-- {table} -->", f"<!-- end of {table} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"docs/{name} has no place for the table {table!r}")
        text = f"{before}{start}\n{make()}\n{end}{after}"
    return text


PAGES = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "model-card.md": model_card_page,
    "performance.md": performance_page,
    "quality.md": quality_page,
}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        sys.stderr.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
