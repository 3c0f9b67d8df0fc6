"""The trial as a page: the tables, how each kind of change tells, and one picture with everything done to it."""

from __future__ import annotations

from pathlib import Path

from indexer.reports.page import picture, render, write_page
from indexer.robustness.experiment import Trial
from indexer.robustness.tables import bounds, changes_of, effects, tables
from lookalike.thresholds import normalized


def write_report(path: Path, trial: Trial, source: str) -> None:
    """Write the page about a trial of ``source``; raises DataPathError and DiskFullError."""
    example = trial.example
    shown = [
        {
            "name": change.name,
            "picture": None if pixels is None else picture(pixels),
            "scores": [normalized(score) for score in scores],
        }
        for change, pixels, scores in example.changed
    ]
    html = render(
        "robustness.html.j2",
        trial=trial,
        source=source,
        tables=tables(trial),
        effects=[(group.value, changes_of(group, trial), found) for group, found in effects(trial).items()],
        bounds=bounds(),
        example={"key": example.key, "picture": picture(example.original), "changes": shown},
    )
    write_page(path, html)
