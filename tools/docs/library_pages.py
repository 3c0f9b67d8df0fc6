"""The pages of docs/ that the program writes itself, so that they cannot say something else than it does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from lookalike.errors import LookalikeError, coded_errors
from tools.docs.api_examples import hit_lines
from tools.docs.cli_examples import example_lines
from tools.docs.cli_page import cli_page
from tools.docs.figures import copies_table, encoder_table, explanations_table, near_duplicates_table, summary_table
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

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCS = REPOSITORY / "docs"

ERRORS_HEAD = """# Errors

*Written by the program (`make docs`); a test compares it.*

Every error of the library and of the indexer has a stable code, which reports, `--json` and the exceptions of the
Python API (`error.code`) carry. All are leaves of `lookalike.LookalikeError`; `error.subject` names the file, key,
field or name that it is about. The service has codes of its own besides, for requests: [api.md](api.md#errors).
"""


def errors_page() -> str:
    """docs/errors.md."""
    lines = [ERRORS_HEAD]
    for group in LookalikeError.__subclasses__():
        lines += [f"## {group.__name__}", "", _sentence(group), "", "| code | class | meaning |", "| --- | --- | --- |"]
        lines += [f"| `{leaf.code}` | `{leaf.__name__}` | {_sentence(leaf)} |" for leaf in coded_errors(group)]
        lines.append("")
    return "\n".join(lines)


def _sentence(error: type[LookalikeError]) -> str:
    return " ".join((error.__doc__ or "").replace("``", "`").split())


def model_card_page() -> str:
    """docs/model-card.md: prose by hand, tables from the committed results."""
    tables = {"encoder": encoder_table, "copies": copies_table}
    return _with_tables(DOCS / "model-card.md", tables)


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
    return _with_tables(DOCS / "performance.md", tables)


def quality_page() -> str:
    """docs/quality.md: likewise."""
    tables = {"copies_check": near_duplicates_table, "explanations": explanations_table}
    return _with_tables(DOCS / "quality.md", tables)


def readme() -> str:
    """README.md: prose by hand, a search and a hit as the examples of docs/ printed them, a table of results."""
    parts = {
        "search": lambda: "\n".join(example_lines("search")),
        "hit": lambda: "\n".join(hit_lines("POST /search")),
        "quality": summary_table,
    }
    return _with_tables(REPOSITORY / "README.md", parts)


def _with_tables(page: Path, tables: dict[str, Callable[[], str]]) -> str:
    text = page.read_text(encoding="utf-8")
    for table, make in tables.items():
        start, end = f"<!-- {table} -->", f"<!-- end of {table} -->"
        before, opening, rest = text.partition(start)
        _, closing, after = rest.partition(end)
        if not (opening and closing):
            raise ValueError(f"{page.name} has no place for {table!r}: put {start} and {end} there")
        text = f"{before}{start}\n{make()}\n{end}{after}"
    return text


PAGES = {
    "docs/cli.md": cli_page,
    "docs/errors.md": errors_page,
    "docs/model-card.md": model_card_page,
    "docs/performance.md": performance_page,
    "docs/quality.md": quality_page,
    "README.md": readme,
}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (REPOSITORY / name).write_text(page(), encoding="utf-8")
        sys.stderr.write(f"{name}\n")


if __name__ == "__main__":
    main()
