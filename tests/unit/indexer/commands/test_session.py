"""Flags that commands share are declared once, and no command takes its options from another."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from indexer.cli import all_commands
from indexer.commands.options import Engine
from indexer.commands.session import Session, with_collections, with_session
from lookalike.wiring import INDEX_TYPES
from tests.conftest import REPOSITORY

COMMANDS = sorted((REPOSITORY / "indexer" / "commands").glob("*.py"))
SHARED = {"options", "session"}


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_no_command_imports_another_one(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    modules = {name.rpartition(".")[2] for name in imported if name.startswith("indexer.commands.")}
    assert modules <= SHARED


def test_every_command_can_write_json_and_reads_each_flag_from_one_variable() -> None:
    variables: dict[str, set[str]] = {}
    for name, command in all_commands().items():
        flags = {parameter.opts[0]: parameter for parameter in command.params if parameter.opts[0].startswith("--")}
        assert "--json" in flags, name
        for flag in {"--data", "--database", "--encoders-dir", "--json"} & set(flags):
            variables.setdefault(flag, set()).add(flags[flag].envvar)
    assert {flag: len(names) for flag, names in variables.items()} == dict.fromkeys(variables, 1)
    assert len(variables) == 4


def test_every_index_type_can_be_asked_for() -> None:
    assert {engine.value for engine in Engine} == {"auto", *INDEX_TYPES}


def test_the_flags_become_a_session_and_all_else_is_the_commands_own(tmp_path: Path) -> None:
    sessions: list[tuple[Session, int]] = []

    @with_collections
    def act(session: Session, times: int = 1) -> None:
        """Act."""
        sessions.append((session, times))

    program = typer.Typer()
    program.command()(act)
    flags = ["--data", str(tmp_path), "--database", "sqlite://", "--encoders-dir", str(tmp_path / "e"), "--times", "3"]
    assert CliRunner().invoke(program, flags).exit_code == 0
    ((session, times),) = sessions
    assert (session.places.data, session.places.database_url, times) == (tmp_path, "sqlite://", 3)
    assert session.places.encoders_dir == tmp_path / "e"
    assert act.__doc__ == "Act."


def test_a_command_has_only_the_flags_that_it_asks_for() -> None:
    @with_session("encoders_dir")
    def act(session: Session) -> None:
        """Act."""

    program = typer.Typer()
    program.command()(act)
    command: Any = typer.main.get_command(program)
    assert [parameter.name for parameter in command.params if not parameter.name.startswith("install")][:2] == [
        "encoders_dir",
        "json",
    ]
    assert CliRunner().invoke(program, ["--data", "x"]).exit_code == 2
