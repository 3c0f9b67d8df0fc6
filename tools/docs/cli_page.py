"""docs/cli.md: the verbs of the indexer, with their examples, flags and answers, as the program has them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import typer

from indexer.cli import all_commands, app
from indexer.ingest.verdicts import Verdict
from tools.docs.cli_examples import EXAMPLES, Example, example_lines, recorded

CLI_HEAD = """# The command line

*Written by the program (`make docs`); a test compares it.*

`python -m indexer` (or `lookalike`, once installed) has one verb for each task. Without a verb it is the batch job:
every collection is brought up to date from the source it remembers (`reindex`). With a path instead of a verb it is
`index`: `lookalike ~/Pictures --collection pictures`.

Text for people goes to stderr, results to stdout. Where an environment variable can stand for a flag, its name is in
brackets. Flags that set how a machine or a project works have one: where data are, what runs encoders, how pictures
are encoded, indexed and searched. Flags of a single action have none: what it writes, shows, removes, allows or goes
back to.

Each verb begins with an example. They were run in the order of this page, in one folder; times, dates and folders in
their output are made up.

{contents}

| exit code | meaning |
| --- | --- |
| 0 | success |
| 1 | failed: the last line on stderr says what, which, and what to do |
| 2 | wrong usage |
| 3 | finished, but some pictures were rejected (`verify`: have changed since they were indexed) |
| 4 | `compare`: not similar |
| 5 | `index`: nothing was published: [the source has lost pictures](operations.md#a-source-that-has-lost-pictures) |
| 130 | interrupted; run the same command to go on |

Verdicts of `index`, one for every file, counted at the end and written to the report: {verdicts}.
"""

EVENTS: dict[str, dict[str, str]] = {
    "progress": {
        "stage": "text: what is being done, such as `encoding`",
        "done": "number of steps done",
        "total": "number of steps, 0 while it is not known",
        "rate": "steps a second",
        "eta_s": "seconds left, or null",
    },
    "answer": {},
    "error": {
        "code": "text: an error code of [errors.md](errors.md)",
        "message": "text: what happened, and what to do",
        "subject": "text: the file, key, field or name that it is about, or null",
    },
}
"""Kinds of the lines that ``--json`` writes, and their fields beside ``event``."""

JSON_HEAD = """## `--json`

With `--json` stdout carries one JSON object a line. Its field `event` says of which kind it is:

| event | when | fields |
| --- | --- | --- |
| `progress` | a stage begins or ends, and every second | {progress}; totals, such as `rejected` and `rejected_codes` |
| `report` | `index` begins with the files | `path`: where their verdicts are being written, a JSON line each |
| `summary` | before an answer that may be as large as the collection | its totals |
| `answer` | a result; some verbs give several | those named at the end of each verb below |
| `error` | something failed; the last line, if it ended the run | {error} |

Where `collections` and `reindex` fail for one of several collections, they write an `error` that has `collection` in
place of `subject`, and go on.
"""

SHARED_FLAGS = ("data", "database", "encoders_dir", "json")
"""Parameters with one meaning wherever they are."""


def cli_page() -> str:
    """docs/cli.md."""
    verdicts = ", ".join(f"`{verdict}`" for verdict in Verdict)
    root: Any = typer.main.get_command(app)
    known_commands = all_commands()
    commands = {example.verb: known_commands[example.verb] for example in EXAMPLES}  # in the order in which they ran
    shared = _shared_flags(commands)
    parts = [
        CLI_HEAD.format(verdicts=verdicts, contents=_contents(commands)),
        _root_options(root),
        _shared_table(shared),
        _json_section(),
        *(_command(verb, command, shared) for verb, command in commands.items()),
    ]
    return "\n".join(parts)


def _example(verb: str) -> Example:
    (example,) = (example for example in EXAMPLES if example.verb == verb)
    return example


def _contents(verbs: dict[str, Any]) -> str:
    """A line for each section."""
    general = ("- [Before any verb](#before-any-verb)", "- [Shared flags](#shared-flags)", "- [`--json`](#--json)")
    return "\n".join([*general, *(f"- {_link(verb)}: {_example(verb).task}" for verb in verbs)])


def _link(name: str) -> str:
    """A link to a verb's section, or to a page of docs/."""
    return f"[{name}]({name})" if name.endswith(".md") else f"[`{name}`](#{name.replace(' ', '-')})"


def _root_options(root: Any) -> str:
    """The flags of the program itself."""
    options = [p for p in root.params if p.name not in {"help", "install_completion", "show_completion"}]
    lines = ["## Before any verb", "", "```", "python -m indexer [--runtime NAME] [VERB ...]", "```", ""]
    lines += ["| option | meaning |", "| --- | --- |", *(_row(p) for p in options), ""]
    return "\n".join(lines)


def _shared_flags(commands: dict[str, Any]) -> dict[str, str]:
    """The rows of the flags that many verbs have, by parameter; raises ValueError where two verbs differ in one."""
    rows: dict[str, str] = {}
    for verb, command in commands.items():
        for option in command.params:
            if option.name in SHARED_FLAGS and rows.setdefault(option.name, _row(option)) != _row(option):
                raise ValueError(
                    f"{verb} has another {option.name} than the verbs before it: take it out of SHARED_FLAGS"
                )
    return {name: rows[name] for name in SHARED_FLAGS}


def _shared_table(shared: dict[str, str]) -> str:
    words = "These mean the same for every verb that has them; each verb names those that it has."
    return "\n".join(["## Shared flags", "", words, "", "| option | meaning |", "| --- | --- |", *shared.values(), ""])


def _json_section() -> str:
    fields = {
        event: "; ".join(f"`{name}`, {meaning}" for name, meaning in names.items()) for event, names in EVENTS.items()
    }
    return JSON_HEAD.format(progress=fields["progress"], error=fields["error"])


def _command(verb: str, command: Any, shared: dict[str, str]) -> str:
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    options = [p for p in command.params if p.opts[0].startswith("-") and p.name != "help"]
    words = [f"python -m indexer {verb}", *(_title(p) for p in arguments), *(["[OPTIONS]"] if options else [])]
    example = _example(verb)
    lines = [f"## `{verb}`", "", example.task, "", *example_lines(verb), "", " ".join((command.help or "").split()), ""]
    lines += ["```", " ".join(words), "```", ""]
    rows = [f"| `{_title(p)}` | {' '.join([p.help or '', *_choices(p)])} |" for p in arguments]
    rows += [_row(p) for p in options if p.name not in shared]
    if rows:
        lines += ["| argument or option | meaning |", "| --- | --- |", *rows, ""]
    common = [_flags(p) for p in options if p.name in shared]
    lines += [f"[Shared flags](#shared-flags): {', '.join(common)}.", ""] if common else []
    lines += _answer_fields(example)
    return "\n".join([*lines, f"See also: {', '.join(map(_link, example.related))}.", ""])


def _answer_fields(example: Example) -> list[str]:
    """What an answer of a verb holds with ``--json``, if its example runs."""
    if not example.runs:
        return []
    fields = recorded()[example.verb].fields
    names = [
        f"`{name}`" + (f" (each: {', '.join(f'`{key}`' for key in inner)})" if inner else "")
        for name, inner in fields.items()
    ]
    return [f"[`--json`](#--json), fields of an `answer`: {', '.join(names)}.", ""]


def _title(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _row(option: Any) -> str:
    return f"| {_flags(option)} | {_meaning(option)} |"


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
