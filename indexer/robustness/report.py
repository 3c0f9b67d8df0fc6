"""HTML page of a robustness trial: tables, effects, and one picture with all its perturbations."""

from __future__ import annotations

from pathlib import Path

from indexer.reports.page import picture, render, write_page
from indexer.robustness.experiment import Trial
from indexer.robustness.tables import bounds, effects, perturbation_names, tables
from lookalike.thresholds import normalise_score


def write_report(path: Path, trial: Trial, source: str) -> None:
    """Write the page about a trial of ``source``; raises DataPathError and DiskFullError."""
    example = trial.example
    tiles = [
        {
            "name": perturbation.name,
            "picture": None if pixels is None else picture(pixels),
            "scores": [normalise_score(score) for score in scores],
        }
        for perturbation, pixels, scores in example.perturbations
    ]
    html = render(
        "robustness.html.j2",
        trial=trial,
        source=source,
        tables=tables(trial),
        effects=[
            (group.value, perturbation_names(group, trial), effects_by_encoder)
            for group, effects_by_encoder in effects(trial).items()
        ],
        bounds=bounds(),
        example={"key": example.key, "picture": picture(example.original), "perturbations": tiles},
    )
    write_page(path, html)
