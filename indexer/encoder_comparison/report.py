"""HTML page of a comparison, with the queries whose answers changed most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.console.reporter import Reporter
from indexer.encoder_comparison.experiment import ComparisonResult
from indexer.encoder_comparison.switch import Switch
from indexer.encoder_comparison.tables import HEADS, about, cells, facts, spreads
from indexer.reports.page import picture, render, write_page
from lookalike.errors import LookalikeError
from lookalike.images import decode
from lookalike.options import ImageLimits
from lookalike.sources.base import Source
from lookalike.thresholds import normalise_score

SIDE = 200  # twice the size on the page, for high-density screens


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the page; ``kind`` is its frame: "query", "right", "wrong" or ""."""

    kind: str
    image: str | None
    score: str
    key: str


def write_report(path: Path, result: ComparisonResult, pictures: Mapping[int, str], switch: Switch) -> None:
    """Write the page; ``pictures`` are ``data:`` URIs by row. Raises DataPathError and DiskFullError."""
    comparison, entries = result.comparison, result.sample.entries
    names = (comparison.before.name, comparison.after.name)
    queries = [
        {
            "overlap": query.overlap,
            "query": Tile("query", pictures.get(query.row), "", entries[query.row].key),
            "sides": [
                (name, [_tile(query.row, row, score, result, pictures) for row, score in hits])
                for name, hits in zip(names, (query.before, query.after), strict=True)
            ],
        }
        for query in comparison.changed_queries
    ]
    html = render(
        "upgrade.html.j2",
        title=f"{result.collection}: from {names[0]} to {names[1]}",
        names=names,
        comparison=comparison,
        about=about(result),
        facts=facts(comparison),
        heads=HEADS,
        spreads=[(pair_kind, name, cells(spread)) for pair_kind, name, spread in spreads(comparison)],
        queries=queries,
        switch=switch,
    )
    write_page(path, html)


def read_thumbnails(
    result: ComparisonResult, source: Source, limits: ImageLimits, reporter: Reporter
) -> dict[int, str]:
    """Read the most changed queries and their answers as ``data:`` URIs, by row; unreadable ones are reported."""
    queries = result.comparison.changed_queries
    rows = {query.row for query in queries}
    rows |= {row for query in queries for row, _ in (*query.before, *query.after)}
    images: dict[int, str] = {}
    with reporter.stage("pictures of the report", len(rows)) as stage:
        for row in sorted(rows):
            entry = result.sample.entries[row]
            try:
                data = source.read(entry.location, limits.max_bytes)
                images[row] = picture(decode(data, limits=limits, name=entry.key).pixels, SIDE)
            except LookalikeError as error:
                reporter.say(f"warning: {entry.key} cannot be shown: {error.message}")
            stage.advance()
    return images


def _tile(query: int, row: int, score: float, result: ComparisonResult, pictures: Mapping[int, str]) -> Tile:
    kind = ""
    query_label, label = result.sample.labels.values[query], result.sample.labels.values[row]
    if result.comparison.labelled_count and query_label is not None and label is not None:
        kind = "right" if query_label == label else "wrong"
    return Tile(kind, pictures.get(row), f"{normalise_score(score):.3f}", result.sample.entries[row].key)
