"""The examples of docs/api.md answer what the page shows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import USERS_RUNTIME
from tools.docs.api_examples import EXAMPLES, environment_of, kinds, recorded, run_examples

pytestmark = pytest.mark.slow


def agrees(now: Any, before: Any) -> bool:
    """Whether two answers have the same fields with values of the same kinds; one of them may have none."""
    if isinstance(now, dict) and isinstance(before, dict):
        return now.keys() == before.keys() and all(agrees(now[name], before[name]) for name in now)
    return now == before or "NoneType" in (now, before)


@pytest.mark.timeout(400)
def test_the_examples_answer_what_the_page_shows(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    answers = run_examples(tmp_path, environment_of(tmp_path) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME})
    before = recorded()
    assert list(answers) == list(before) == list(EXAMPLES)
    for title, answer in answers.items():
        assert agrees(kinds(answer), kinds(before[title])), f"{title}: run `make docs`"
