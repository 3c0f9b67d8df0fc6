"""The requests, the command and the Python of docs/recommend.md run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.recommendation import LIKED
from lookalike import Collection
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, running_on
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "recommend.md").read_text(encoding="utf-8")
(REQUESTS,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RESULTS = json.loads((REPOSITORY / "benchmarks/results/recommendation.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples of the page run; they change nothing."""
    folder = tmp_path_factory.mktemp("recommend")
    (folder / "mug.jpg").write_bytes(encode_jpeg(make_picture(0), 90))
    with running_on(), Collection.create(folder / "data", "products") as collection:
        for number in range(10):
            collection.upsert(
                f"sku-{number}",
                make_picture(number),
                product_id=f"p-{number // 2}",
                metadata={"price": 10 * number},
            )
    return folder


def test_the_requests_of_the_page_are_answered(folder: Path) -> None:
    *requests, command = REQUESTS.splitlines()
    environment = environment_of(folder) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}
    answers: list[dict[str, Any]] = []
    with served(folder, environment) as address:
        for request in requests:
            words = [*shlex.split(request.replace(ADDRESS, address), comments=True), "--fail-with-body"]
            ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{request}\n{ended.stdout}"
            answers.append(json.loads(ended.stdout))
    keys = [{hit["key"] for hit in answer["results"]} for answer in answers]
    every_key = {f"sku-{number}" for number in range(10)}
    assert keys[0] == every_key - {"sku-1", "sku-4", "sku-9"}
    assert keys[1] == keys[4] == every_key - {"sku-1", "sku-4"}
    assert len(keys[2]) == 5
    assert {"sku-2", "sku-3", "sku-4"}.isdisjoint(keys[2])
    assert len({hit["group"] for hit in answers[3]["results"]}) == len(keys[3]) == 5
    assert [answer["basis"] for answer in answers] == ["liked", "liked", "liked", "representative", "liked"]
    words = [sys.executable, *shlex.split(command)[1:], "--json"]
    ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert {hit["key"] for hit in json.loads(ended.stdout)["results"]} == keys[0]


def test_the_python_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with running_on():
        exec(compile(PROGRAM, "recommend.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + 3
    assert all(line.endswith("the centre of a cluster of items") for line in lines[3:])


def test_the_figures_of_the_page_are_those_that_were_measured() -> None:
    assert LIKED == 3
    rows = [re.sub(r"\*", "", row) for row in re.findall(r"(?m)^\| .*\d\.\d{3}.*$", PAGE)]
    shown = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    one, two = shown[: len(RESULTS)], shown[len(RESULTS) :]
    names = ("single", "mean", "best", "mean, unliked", "best, unliked")
    shares = ("mean, either", "best, either", "mean, worse", "best, worse")
    assert len(one) == len(two) == len(RESULTS)
    for result, one_row, two_row in zip(RESULTS.values(), one, two, strict=True):
        assert one_row[0].startswith(str(result["pictures"]))
        assert one_row[0].endswith(str(result["kinds"]))
        for row, group, columns in ((one_row, "one_taste", names), (two_row, "two_tastes", shares)):
            measured = [result[group][name] for name in columns]
            assert [float(cell) for cell in row[1:]] == pytest.approx(measured, abs=0.00051), row
