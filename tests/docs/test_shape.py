"""The shape that the code keeps: small modules, short functions, a public face that is what it says."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

import lookalike
from tests.conftest import REPOSITORY

CODE = [path for folder in ("lookalike", "indexer", "service") for path in (REPOSITORY / folder).rglob("*.py")]


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_modules_are_small() -> None:
    assert [path.name for path in CODE if lines(path) > 400] == []
    assert statistics.median(lines(path) for path in CODE) <= 150


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(REPOSITORY)}:{node.name}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long == []


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert lookalike.__all__ == sorted(lookalike.__all__)
    public = {name for name in dir(lookalike) if not name.startswith("_")}
    modules = {path.stem for path in (REPOSITORY / "lookalike").iterdir()} | {"migrations"}
    assert public - modules - {"TYPE_CHECKING", "import_module"} == set(lookalike.__all__)
    for name in lookalike.__all__:
        assert getattr(lookalike, name).__name__ == name
    with pytest.raises(AttributeError, match="Colection"):
        _ = lookalike.Colection  # type: ignore[attr-defined]  # which is what is tried
