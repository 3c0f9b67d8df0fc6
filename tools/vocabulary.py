"""``python -m tools.vocabulary``: how the code is named and divided, as figures that can be compared over time.

For each package: modules, lines of a module (median, 90th percentile, longest), modules named by an activity, functions
and variables whose whole name is a participle or a pronoun (``found``, ``kept``, ``one``). For each folder: the rooms
in it (modules and folders, ``__init__`` left out) and the arrows between them (who imports whom). ``--list`` names
the functions and variables behind the counts.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import grimp

PACKAGES = ("lookalike", "service", "indexer")
ROOT = Path(__file__).resolve().parent.parent

_PARTICIPLES = """
begun bought brought built caught chosen done drawn fed felt found given gone got had held hidden kept known laid learnt
led lent lost made meant met paid said seen sent shown sold spent stood taken taught thought told torn understood won
worn written
"""
_PRONOUNS = """
all another any both each either everybody everything he here it its itself many mine most neither nobody none nothing
one ones other others she some somebody something such that their theirs them there these they thing things this those
what which who whom whose
"""
_NOUNS = """
bed embed exceed feed need seed speed bleed bearing binning building ceiling embedding encoding engineering heading king
listing mapping meaning morning padding pooling ranking rating reading ring scaling setting shading spelling spring
string timing training warning wing writing clothing testing wiring
"""
IRREGULAR = frozenset(_PARTICIPLES.split())
"""Past participles that are not also an imperative, a noun or a side (set, read, put, left)."""

PRONOUNS = frozenset(_PRONOUNS.split())
NOUNS = frozenset(_NOUNS.split())
"""Words in -ed and -ing that name a thing or an action."""


@dataclass
class Counts:
    """What one package's files hold."""

    lines: list[int] = field(default_factory=list)
    activity_modules: list[str] = field(default_factory=list)
    functions: int = 0
    variables: int = 0
    named_functions: Counter[str] = field(default_factory=Counter)
    named_variables: Counter[str] = field(default_factory=Counter)


def is_participle_or_pronoun(name: str) -> bool:
    """Whether the whole name, underscores at its ends aside, is one participle or pronoun."""
    word = name.strip("_").lower()
    if not word or "_" in word or word in NOUNS:
        return False
    return word in IRREGULAR or word in PRONOUNS or bool(re.fullmatch(r"[a-z]{2,}(ed|ing)", word))


def assigned_names(tree: ast.AST) -> Iterator[str]:
    """Names that are bound: assignments, loops, ``with`` and arguments; an attribute of ``self`` counts too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def count_package(folder: Path) -> Counts:
    """The counts of all non-empty Python files below ``folder``."""
    counts = Counts()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            continue
        counts.lines.append(text.count("\n"))
        if is_participle_or_pronoun(path.stem):
            counts.activity_modules.append(str(path.relative_to(ROOT)))
        tree = ast.parse(text)
        functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        variables = list(assigned_names(tree))
        counts.functions += len(functions)
        counts.variables += len(variables)
        counts.named_functions.update(name for name in functions if is_participle_or_pronoun(name))
        counts.named_variables.update(name for name in variables if is_participle_or_pronoun(name))
    return counts


def package_table(counts: dict[str, Counts]) -> str:
    """A Markdown table of the counts, a row a package and one for all."""
    rows = [
        "| package | files | median / p90 / longest | modules named by an activity | functions that are "
        "a participle or pronoun | variables |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, count in counts.items():
        percentile = statistics.quantiles(count.lines, n=10)[-1]
        rows.append(
            f"| {name} | {len(count.lines)} | {statistics.median(count.lines):.0f} / {percentile:.0f} / "
            f"{max(count.lines)} | {len(count.activity_modules)} | {_share(count.named_functions, count.functions)} | "
            f"{_share(count.named_variables, count.variables)} |"
        )
    functions, variables = (
        sum(getattr(count, attribute) for count in counts.values()) for attribute in ("functions", "variables")
    )
    bare_functions = sum((count.named_functions for count in counts.values()), Counter[str]())
    bare_variables = sum((count.named_variables for count in counts.values()), Counter[str]())
    files = sum(len(count.lines) for count in counts.values())
    rows.append(f"| all | {files} | | | {_share(bare_functions, functions)} | {_share(bare_variables, variables)} |")
    return "\n".join(rows)


def _share(names: Counter[str], of: int) -> str:
    return f"{100 * names.total() / of:.1f} % ({names.total()} of {of})"


def folder_table() -> str:
    """A Markdown table of every package with modules of its own: its rooms, and the arrows between them."""
    graph = grimp.build_graph(*PACKAGES)
    rows = ["| folder | rooms | arrows |", "| --- | --- | --- |"]
    for folder in sorted(module for module in graph.modules if graph.find_children(module)):
        children = graph.find_children(folder)
        inside = {child: {child, *graph.find_descendants(child)} for child in children}
        arrows = sum(
            any(
                graph.direct_import_exists(importer=one, imported=two)
                for one in inside[first]
                for two in inside[second]
            )
            for first in children
            for second in children
            if first != second
        )
        rows.append(f"| {folder} | {len(children)} | {arrows} |")
    return "\n".join(rows)


def main() -> int:
    """Writes the tables to stdout."""
    parser = argparse.ArgumentParser(prog="python -m tools.vocabulary", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--list", action="store_true", help="name the functions and variables, most frequent first")
    options = parser.parse_args()
    counts = {name: count_package(ROOT / name) for name in PACKAGES}
    lines = [package_table(counts), "", folder_table()]
    if options.list:
        for name, count in counts.items():
            lines += ["", f"{name}: modules {', '.join(count.activity_modules) or 'none'}"]
            for kind, names in (("functions", count.named_functions), ("variables", count.named_variables)):
                lines.append(f"{name}: {kind} " + ", ".join(f"{word} {times}" for word, times in names.most_common()))
    sys.stdout.write("\n".join(chain(lines, [""])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
