"""The requests, the commands and the Python of docs/tags.md run, and its figures are those that were measured."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.train.tag_quality import quality_lines
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, running_on
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "tags.md").read_text(encoding="utf-8")
REQUESTS, COMMANDS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RESULTS = json.loads((REPOSITORY / "benchmarks/results/tags.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rex.jpg").write_bytes(encode_jpeg(make_picture(0), 90))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "rex.jpg").write_bytes(encode_jpeg(make_picture(0), 90))
    (tmp_path / "data").mkdir()
    return tmp_path


def test_the_requests_of_the_page_are_answered(folder: Path) -> None:
    environment = environment_of(folder) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}
    with served(folder, environment) as address:
        for request in REQUESTS.splitlines():
            words = shlex.split(request.replace(ADDRESS, address), comments=True)
            ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{request}\n{ended.stdout}{ended.stderr}"
            answer = json.loads(ended.stdout)
            if "PATCH" in request and "items/rex" in request:
                assert set(answer["item"]["metadata"]["auto_tags"]) == {"terrier", "dog"}


def test_the_commands_and_the_python_of_the_page_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = environment_of(folder) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}
    for command in COMMANDS.splitlines():
        words = [sys.executable, *shlex.split(command, comments=True)[1:]]
        ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"{command}\n{ended.stderr}"
    monkeypatch.chdir(folder)
    with running_on():
        exec(compile(PROGRAM, "tags.md", "exec"), {})


@pytest.mark.parametrize("encoder", RESULTS)
def test_the_figures_of_the_page_are_those_that_were_measured(encoder: str) -> None:
    assert quality_lines(RESULTS[encoder]) in PAGE
