"""``plan`` says which index a collection would get, what it costs, and why, before any work is done."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from indexer.commands.options import Engine, EngineOption, MemoryOption, RecallOption, RootOption, memory_budget
from indexer.commands.session import Session, with_session
from indexer.console.reporter import Reporter
from indexer.console.units import clock, size
from lookalike.collection.snapshot import read_manifest
from lookalike.index.index_types import Estimate
from lookalike.index.planner import DEFAULT_RECALL, IndexRequirements, plan_index
from lookalike.sources.open_source import open_source
from lookalike.wiring import INDEX_TYPES, default_dimension

SourceArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[SOURCE]", help="What would be indexed: a folder, a .zip or a manifest; or give --count."),
]
CountOption = Annotated[
    int | None, typer.Option("--count", envvar="LOOKALIKE_COUNT", min=0, help="Number of pictures to plan for.")
]
DimensionOption = Annotated[
    int | None,
    typer.Option(
        "--dimension",
        envvar="LOOKALIKE_DIMENSION",
        min=2,
        help="Length of a vector. Without it: that of the collection, or of the default encoder.",
    ),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        "-c",
        envvar="LOOKALIKE_COLLECTION",
        help="Plan for vectors like those of this collection.",
    ),
]


@with_session("data", "encoders_dir")
def plan(
    session: Session,
    source: SourceArgument = None,
    count: CountOption = None,
    collection: CollectionOption = None,
    dimension: DimensionOption = None,
    engine: EngineOption = Engine.AUTO,
    recall: RecallOption = DEFAULT_RECALL,
    memory: MemoryOption = None,
    images_root: RootOption = None,
) -> None:
    """Show which index type a number of pictures would get, what it costs and why, with the alternatives."""
    if (source is None) == (count is None):
        raise typer.BadParameter("give SOURCE or --count, one of them", param_hint="SOURCE")
    reporter = session.reporter
    dimension = dimension or _dimension(session, collection)
    total = count if count is not None else _pictures(source or Path(), images_root, reporter)
    wish = IndexRequirements(engine.value, recall, memory_budget(memory))
    index_plan = plan_index(total, dimension, wish, INDEX_TYPES)
    estimates = INDEX_TYPES.estimates(total, dimension)
    lines = [
        f"{total} vectors of {dimension} numbers: {index_plan.engine}",
        *(f"  {why}" for why in index_plan.reasons),
    ]
    lines += ["", f"  {'type':<14}{'memory':>10}{'disk':>10}{'building':>14}{'a query':>12}"]
    lines += [_line(name, estimate, name == index_plan.engine) for name, estimate in estimates.items()]
    lines += ["", "  Estimates for one core. When it is published, the index is measured, and refused below "]
    lines[-1] += f"recall@10 {recall:g}."
    reporter.answer(
        "\n".join(lines),
        count=total,
        dimension=dimension,
        engine=index_plan.engine,
        reasons=list(index_plan.reasons),
        estimate=index_plan.estimate.fields(index_plan.engine),
        alternatives=[estimate.fields(name) for name, estimate in estimates.items() if name != index_plan.engine],
    )


def _dimension(session: Session, collection: str | None) -> int:
    if collection is not None:
        layout = session.layout(collection)
        generation = layout.current_or_none()
        if generation is not None:
            return read_manifest(layout, generation).dimension
        session.reporter.say(f"{collection} has published nothing yet: planned with the encoder in the box")
    return default_dimension(session.places.encoders_dir)


def _pictures(source: Path, images_root: Path | None, reporter: Reporter) -> int:
    total = 0
    with closing(open_source(source, images_root=images_root)) as open_corpus, reporter.stage("listing", 0) as stage:
        for _ in open_corpus.entries():
            total += 1
            stage.advance()
    return total


def _line(name: str, estimate: Estimate, is_planned: bool) -> str:
    mark = "*" if is_planned else " "
    building = clock(estimate.build_s) if estimate.build_s >= 1 else "-"
    return (
        f"{mark} {name:<14}{size(estimate.memory):>10}{size(estimate.disk):>10}{building:>14}"
        f"{estimate.query_ms:>9.1f} ms"
    )
