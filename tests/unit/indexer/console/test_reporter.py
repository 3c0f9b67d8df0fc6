"""Progress as a person reads it where no terminal shows a bar."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from indexer.console.reporter import HumanReporter, JsonReporter
from indexer.console.staged_progress import StagedProgress


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written, at once; each look at the clock finds it two seconds later."""
    times = iter(range(0, 1000, 2))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(times)))
    return io.StringIO()


def human(out: io.StringIO) -> HumanReporter:
    return HumanReporter(Console(file=out, width=200, soft_wrap=True, force_terminal=False), out)


def test_a_known_total_is_counted_towards(said: io.StringIO) -> None:
    with human(said).stage("encoding", 6) as stage:
        stage.advance(2)
        stage.advance(4, rejected=1)
    assert said.getvalue().splitlines() == [
        "encoding: 2/6, 1.0/s, 4 s left",
        "encoding: 6/6, 1.5/s, 0 s left, 1 rejected",
    ]


def test_an_unknown_total_is_not_shown_as_none_at_all(said: io.StringIO) -> None:
    with human(said).stage("listing", 0) as stage:
        stage.advance(2)
    assert said.getvalue() == "listing: 2, 1.0/s\n"


def test_an_empty_answer_prints_no_line(said: io.StringIO) -> None:
    human(said).answer("", results=[])
    assert said.getvalue() == ""
    JsonReporter(out=said).answer("", results=[])
    assert said.getvalue() == '{"event": "answer", "results": []}\n'


def test_work_that_names_its_steps_shows_each_against_its_own_total(said: io.StringIO) -> None:
    with StagedProgress(human(said), "sample") as progress:
        progress.report("drawing pictures", 2, 4)
        progress.report("drawing pictures", 4, 4)
    assert [line.partition(",")[2].partition(",")[0] for line in said.getvalue().splitlines()] == [
        " drawing pictures: 2/4",
        " drawing pictures: 4/4",
    ]
