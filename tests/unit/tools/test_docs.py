"""The tables of the model card show every encoder and set that the training measures, with measured figures alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer.train import quality, tasks
from lookalike.encoder.int8.artifact import in_the_box
from tools.docs import figures

KINDS = [*figures.COPIES, "overall"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results as ``python -m indexer.train table`` writes them, of encoders and sets that all differ."""
    report = {
        encoder: {
            name: {"recall_at_1": (10 * column + row) / 100, "mean_average_precision": (10 * column + row) / 200}
            for row, name in enumerate([*figures.SETS, "mean_of_labelled"])
        }
        | {"near_duplicates": {kind: (column + 1) / 10 + place / 1000 for place, kind in enumerate(KINDS)}}
        for column, encoder in enumerate(figures.ENCODERS)
    }
    (tmp_path / "encoder.json").write_text(json.dumps(report), encoding="utf-8")
    monkeypatch.setattr(figures, "RESULTS", tmp_path)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_column_and_row_is_one_that_the_training_measures() -> None:
    measured = [
        *in_the_box(),
        *(f"{name}, untrained" for name in tasks.UNTRAINED_NETWORKS),
        "colour_histogram",
        "teacher",
    ]
    assert set(figures.ENCODERS) <= set(measured)
    assert list(figures.SETS) == [*quality.LABELLED_SETS, quality.HELD_OUT, quality.SAMPLE]


@pytest.mark.usefixtures("results")
def test_the_table_of_encoders_has_a_column_an_encoder_and_a_row_a_set() -> None:
    head, rule, *rows = [cells(line) for line in figures.encoder_table().splitlines()]
    assert head == ["set", *figures.ENCODERS.values()]
    assert rule == ["---"] * len(head)
    assert [row[0] for row in rows[:-2]] == list(figures.SETS.values())
    assert rows[0][1:3] == ["0.000 / 0.000", "0.100 / 0.050"]
    assert rows[6][-1] == "0.660 / 0.330"
    assert rows[-2] == ["**mean of the first five**", *(f"0.{c}70 / 0.{5 * c * 10 + 35:03d}" for c in range(7))]
    assert rows[-1][1:] == ["0.111", "0.211", "0.311", "0.411", "0.511", "0.611", "0.711"]


@pytest.mark.usefixtures("results")
def test_the_table_of_copies_is_that_of_the_default_encoder_weakest_first() -> None:
    rows = [cells(line) for line in figures.copies_table().splitlines()[2:]]
    assert rows == [[label, f"{0.1 + place / 1000:.3f}"] for place, label in enumerate(figures.COPIES.values())]
