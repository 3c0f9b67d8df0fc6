"""The requests, the command and the Python of docs/text.md run, and its figures are those that were measured."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike import Collection
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, running_on
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "text.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RESULTS = json.loads((REPOSITORY / "benchmarks/results/words.json").read_text(encoding="utf-8"))
TITLES = ("Red mug", "Striped mug blue 0.3 l", "Mug with stripes, 0.3 l, blue", "Striped mug")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples of the page run; they change nothing. Numbers 1 and 5 are the same product."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "mug.jpg").write_bytes(encode_jpeg(make_picture(0), 90))
    with running_on(), Collection.create(folder / "data", "products") as collection:
        for number in range(8):
            title = TITLES[2] if number == 5 else TITLES[number % 2 or 3 * (number % 4 == 2)]
            seller = "own-shop" if number < 4 else "other-shop"
            picture = make_picture(1 if number == 5 else number)
            collection.upsert(f"sku-{number}", picture, title=title, metadata={"price": 10 * number, "seller": seller})
    return folder


def test_the_requests_of_the_page_are_answered(folder: Path) -> None:
    commands = "".join(BLOCKS).replace("\\\n", " ").splitlines()
    environment = environment_of(folder) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}
    answers: list[dict[str, Any]] = []
    with served(folder, environment) as address:
        for command in commands:
            words = shlex.split(command.replace(ADDRESS, address), comments=True)
            words = [sys.executable, *words[1:], "--json"] if words[0] == "python" else [*words, "--fail-with-body"]
            ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
            answers.append(json.loads(ended.stdout.splitlines()[-1]))
    keys = [[hit["key"] for hit in answer["results"]] for answer in answers]
    alone, phrase, typed, with_picture, by_key, command_line, recipe = keys
    assert alone == command_line == ["sku-0", "sku-4"]
    assert phrase == ["sku-2", "sku-1", "sku-3"]
    assert len(typed) == 5
    assert len(with_picture) == 8
    assert by_key[:2] == ["sku-0", "sku-4"]
    assert recipe[0] == "sku-5"
    assert answers[-1]["results"][0]["tier"] == "same-bytes"


def test_the_python_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with running_on():
        exec(compile(PROGRAM, "text.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 sku-5 Mug with stripes")
    assert len(lines) == 4


def test_the_times_of_the_page_are_those_that_were_measured() -> None:
    databases = RESULTS["cost"].values()
    rows = {row[0].strip(): row[1:] for row in (line.strip("|").split("|") for line in PAGE.splitlines())}
    for kind in set(next(iter(databases))) - {"fill", "lengths", "a picture alone"}:
        measured = [one[kind][name]["cpu_ms"] for one in databases for name in ("first", "repeated", "with a picture")]
        assert [float(cell) for cell in rows[kind]] == pytest.approx(measured, rel=0.05), kind


def test_the_precision_of_the_page_is_what_was_measured() -> None:
    rows = [row.strip("|").split("|") for row in re.findall(r"(?m)^\|.* \d\.\d{3} \|$", PAGE)]
    measured = [
        shares[queries]
        for queries in ("photographs", "clean pictures with whole names")
        for shares in RESULTS["precision_at_1"].values()
    ]
    assert len(rows) == len(measured) == 4
    for row, figures in zip(rows, measured, strict=True):
        assert [float(cell) for cell in row[1:]] == pytest.approx(
            [figures[name] for name in ("picture", "title", "both")], abs=0.00051
        )
