"""docs/architecture.md has a row for every folder of the code, and names only what exists."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = {name for row in re.findall(r"(?m)^\| (`.*?) \|", PAGE) for name in re.findall(r"`([\w/.]+)`", row)}


def folders() -> set[str]:
    """Folders of the code to a depth of three; those of tests, pages and data have one row together."""
    tops = ("lookalike", "indexer", "service", "tools", "ext", "migrations", "benchmarks", "deploy", "tests", "docs")
    inside = {path.parent for top in tops[:5] for path in (REPOSITORY / top).rglob("*.*") if path.suffix != ".pyc"}
    parts = [path.relative_to(REPOSITORY).parts for path in inside]
    return {"/".join(part[:3]) for part in parts} | set(tops)


def test_every_folder_has_a_row() -> None:
    rows = {row.rstrip("/") for row in ROWS}
    one_page = {"service/static/css", "service/static/js", "ext"}  # the page is one thing; ext has nothing of its own
    missing = folders() - rows - one_page
    assert missing == set()


def test_every_path_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:lookalike|indexer|service|tools|ext|tests|benchmarks)/[\w/.]*)`", PAGE))
    assert [path for path in sorted(named) if "NAME" not in path and not (REPOSITORY / path).exists()] == []
