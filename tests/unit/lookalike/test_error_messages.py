"""Every message that is raised on purpose reads well after ``error: `` and inside another message.

So it begins lower-case, unless with a name, and has no full stop at its end. The messages are found in the sources,
where a test that provokes each of them would soon forget one.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike import errors

ROOT = Path(errors.__file__).parents[2]

NAMES = frozenset({"Imagenette", "Pillow", "Python", "Parquet"})
"""Words that are capital wherever they stand, besides those with a further capital, a digit or a dot."""

CLASSES = frozenset(name for name, held in vars(errors).items() if isinstance(held, type) and name.endswith("Error"))
_SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)


def raised_messages(source: str) -> Iterator[tuple[int, list[str | None]]]:
    """Line and pieces of each message given to one of our errors; a piece is None where a value is put in.

    A message that is first bound to a name is looked up in the function, or the module, that raises it.
    """
    for scope in ast.walk(ast.parse(source)):
        if not isinstance(scope, _SCOPES):
            continue
        own = list(_own_nodes(scope))
        for node in own:
            if isinstance(node, ast.Call) and _called(node) in CLASSES:
                for argument in node.args[:1]:
                    yield from ((argument.lineno, pieces) for pieces in _texts(argument, own))


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Everything in ``scope`` that is in no function within it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, _SCOPES):
            yield child
            yield from _own_nodes(child)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _texts(node: ast.expr, own: list[ast.AST]) -> Iterator[list[str | None]]:
    """The texts that an expression may be, each as pieces; none for what only the running program knows."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield [node.value]
    elif isinstance(node, ast.JoinedStr):
        yield [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
    elif isinstance(node, ast.IfExp):
        yield from itertools.chain(_texts(node.body, own), _texts(node.orelse, own))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = list(_texts(node.left, own)) or [[None]], list(_texts(node.right, own)) or [[None]]
        yield from (first + second for first, second in itertools.product(left, right))
    elif isinstance(node, ast.Name):
        for other in own:
            if isinstance(other, ast.Assign) and any(ast.unparse(target) == node.id for target in other.targets):
                yield from _texts(other.value, own)


def complaint(pieces: list[str | None]) -> str | None:
    """What is wrong with a message, or None."""
    if (pieces[-1] or "").rstrip().endswith("."):
        return "ends with a full stop"
    word = re.match(r"[^\W\d_]\S*", pieces[0] or "")
    if word is None or word[0][0].islower():
        return None
    plain = word[0].rstrip(".,:;")
    if plain in NAMES or re.search(r"[A-Z0-9.]", plain[1:]):
        return None
    return "begins with a capital"


SOURCES = [path for package in ("lookalike", "indexer") for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_messages_begin_lower_case_and_have_no_final_stop(path: Path) -> None:
    wrong = [
        f"line {line}: {said}: {''.join(piece or '{}' for piece in pieces)}"
        for line, pieces in raised_messages(path.read_text(encoding="utf-8"))
        if (said := complaint(pieces))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_messages_are_found() -> None:
    found = [pieces for path in SOURCES for _, pieces in raised_messages(path.read_text(encoding="utf-8"))]
    assert len(found) > 50


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('DownloadError("the file is gone")', None),
        ('DownloadError("The file is gone")', "begins with a capital"),
        ('DownloadError("the file is gone.")', "ends with a full stop"),
        ('DownloadError("the " "file is " f"{x}" " gone.", subject="x")', "ends with a full stop"),
        ('errors.DownloadError(f"The file {path} is gone")', "begins with a capital"),
        ('DownloadError(f"{path} is gone.")', "ends with a full stop"),
        ('DownloadError(f"{Path} is not at {path}")', None),
        ('DownloadError("PNG, EXIF: gone")', None),
        ('DownloadError("README.md is gone")', None),
        ('DownloadError("Imagenette: gone")', None),
        ('DownloadError("A: gone")', "begins with a capital"),
        ('DownloadError("it is gone. Fetch" + " it.")', "ends with a full stop"),
        ('DownloadError("gone" if x else "Gone")', "begins with a capital"),
        ('message = "Gone"\nDownloadError(message)', "begins with a capital"),
        ('ValueError("Gone.")', None),
    ],
)
def test_the_rule_is_the_one_that_is_meant(call: str, said: str | None) -> None:
    complaints = [
        complaint(pieces) for _, pieces in raised_messages(f"def f():\n {call.replace(chr(10), chr(10) + ' ')}")
    ]
    assert [one for one in complaints if one] == ([said] if said else [])
