"""``plan`` says which index a collection would get, what it costs, and why, before any work is done."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.common import JsonOption, make_reporter, memory_budget, size
from indexer.commands.index import Engine, EngineOption, MemoryOption, RecallOption, RootOption
from indexer.progress import Reporter, clock
from lookalike.index.planner import DEFAULT_RECALL, Estimate, IndexWish, estimates, plan_index
from lookalike.sources.opening import open_source

BUNDLED_DIMENSION = 608

SourceArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[SOURCE]", help="What would be indexed: a folder, a .zip or a manifest; else say --count."),
]
CountOption = Annotated[
    int | None, typer.Option("--count", envvar="LOOKALIKE_COUNT", min=0, help="Plan for so many pictures.")
]
DimensionOption = Annotated[
    int,
    typer.Option(
        "--dimension", envvar="LOOKALIKE_DIMENSION", min=2, help="Numbers a vector; the bundled encoder gives 608."
    ),
]


def plan(
    source: SourceArgument = None,
    count: CountOption = None,
    dimension: DimensionOption = BUNDLED_DIMENSION,
    engine: EngineOption = Engine.AUTO,
    recall: RecallOption = DEFAULT_RECALL,
    memory: MemoryOption = None,
    images_root: RootOption = None,
    json: JsonOption = False,
) -> None:
    """Say which index so many pictures would get, what it costs and why, with the alternatives."""
    if (source is None) == (count is None):
        raise typer.BadParameter("give SOURCE or --count, one of them", param_hint="SOURCE")
    reporter = make_reporter(json)
    total = count if count is not None else _pictures(source or Path(), images_root, reporter)
    wish = IndexWish(engine.value, recall, memory_budget(memory))
    planned = plan_index(total, dimension, wish)
    known = estimates(total, dimension)
    lines = [f"{total} vectors of {dimension} numbers: {planned.engine}", *(f"  {why}" for why in planned.reasons)]
    lines += ["", f"  {'type':<14}{'memory':>10}{'disk':>10}{'building':>14}{'a query':>12}"]
    lines += [_line(estimate, planned.engine) for estimate in known]
    lines += ["", "  Estimates for one core. When it is published, the index is measured, and refused below "]
    lines[-1] += f"recall@10 {recall:g}."
    reporter.answer(
        "\n".join(lines),
        count=total,
        dimension=dimension,
        engine=planned.engine,
        reasons=list(planned.reasons),
        estimate=planned.estimate.fields(),
        alternatives=[estimate.fields() for estimate in known if estimate.engine != planned.engine],
    )


def _pictures(source: Path, images_root: Path | None, reporter: Reporter) -> int:
    total = 0
    with closing(open_source(source, images_root=images_root)) as opened, reporter.stage("listing", 0) as stage:
        for _ in opened.entries():
            total += 1
            stage.advance()
    return total


def _line(estimate: Estimate, chosen: str) -> str:
    mark = "*" if estimate.engine == chosen else " "
    building = clock(estimate.build_s) if estimate.build_s >= 1 else "-"
    return (
        f"{mark} {estimate.engine:<14}{size(estimate.memory):>10}{size(estimate.disk):>10}{building:>14}"
        f"{estimate.query_ms:>9.1f} ms"
    )
