"""The examples of docs/cli.md print what the page shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from indexer.cli import app
from lookalike.encoder import calibrations
from tests.conftest import REPOSITORY, running_on
from tools.docs.cli_examples import EXAMPLES, mask, recorded, run_examples, shown


def test_every_verb_has_an_example() -> None:
    root: Any = typer.main.get_command(app)
    verbs = list(root.commands) + [f"encoders {verb}" for verb in root.commands["encoders"].commands]
    assert sorted(example.verb for example in EXAMPLES) == sorted(verbs)
    assert set(recorded()) == {example.verb for example in EXAMPLES if example.runs}


@pytest.mark.timeout(600)
def test_the_examples_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_ENCODERS_DIR", str(tmp_path / ".cache" / "lookalike" / "encoders"))
    monkeypatch.setattr(calibrations, "SHIPPED", REPOSITORY / "lookalike/encoder/bundled/calibrations")
    with running_on():
        printed = run_examples(tmp_path)
    for example in EXAMPLES:
        if example.runs:
            before = mask(shown(example, recorded()[example.verb]))
            assert mask(shown(example, printed[example.verb])) == before, "run `make docs`"
