"""The examples of docs/cli.md print what the page shows."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from indexer.__main__ import main
from indexer.cli import all_commands
from indexer.console.reporter import JsonReporter
from lookalike.encoder import calibrations
from tests.conftest import REPOSITORY, running_on
from tools.docs.cli_examples import EXAMPLES, mask, recorded, run_examples, shown
from tools.docs.cli_page import EVENTS
from tools.docs.library_pages import DOCS

pytestmark = pytest.mark.slow


def test_see_also_names_verbs_and_pages() -> None:
    for example in EXAMPLES:
        for name in example.related:
            assert (DOCS / name).is_file() if name.endswith(".md") else name in {other.verb for other in EXAMPLES}


def test_the_table_of_contents_leads_to_every_section() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    titles = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"(?m)^## (.+)$", page)}
    assert titles == set(re.findall(r"(?m)^- \[.*?\]\(#(.*?)\)", page))


def test_the_events_have_the_fields_that_the_page_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with JsonReporter().stage("encoding", 1) as stage:
        stage.advance()
    JsonReporter().answer("")
    monkeypatch.setattr(sys, "argv", ["indexer", "verify", "-c", "shop", "--data", str(tmp_path), "--json"])
    with pytest.raises(SystemExit):
        main()
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {event["event"] for event in events} == set(EVENTS)
    for event in events:
        assert event.keys() == {"event", *EVENTS[event["event"]]}


def test_every_verb_has_an_example() -> None:
    assert sorted(example.verb for example in EXAMPLES) == sorted(all_commands())
    assert set(recorded()) == {example.verb for example in EXAMPLES if example.runs}


@pytest.mark.timeout(600)
def test_the_examples_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_ENCODERS_DIR", str(tmp_path / ".cache" / "lookalike" / "encoders"))
    monkeypatch.setattr(calibrations, "SHIPPED", REPOSITORY / "lookalike/encoder/bundled/calibrations")
    with running_on():
        printed = run_examples(tmp_path)
    for example in EXAMPLES:
        if example.runs:
            before, now = recorded()[example.verb], printed[example.verb]
            assert mask(shown(example, now.printed)) == mask(shown(example, before.printed)), "run `make docs`"
            assert now.fields == before.fields, "run `make docs`"
