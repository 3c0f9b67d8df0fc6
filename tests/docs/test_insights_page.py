"""The commands, requests and Python of docs/insights.md run, and its figures are those that were measured."""

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
from lookalike.images import encode_png
from lookalike.insights import picture_faults
from lookalike.insights.mislabelled import DEFAULT_MARGIN
from lookalike.insights.outliers import DEFAULT_NEIGHBOURS
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, running_on
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "insights.md").read_text(encoding="utf-8")
COMMANDS, REQUESTS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SETS = ("clothing_test", "grocery_test", "caltech101_eval", "trashnet_eval", "imagenette_val")


def results(name: str) -> Any:
    return json.loads((REPOSITORY / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def rows(title: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    table = PAGE[PAGE.index(title) :].partition("| --- |")[2]
    lines = re.match(r"[^\n]*\n((?:\|.*\n)+)", table)
    assert lines is not None
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines[1].splitlines()]


def numbers(row: list[str]) -> list[float]:
    return [float(cell) for cell in row if re.fullmatch(r"-?[\d.]+", cell)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples of the page run: pictures of three categories, in folders of these names."""
    folder = tmp_path_factory.mktemp("insights")
    with running_on(), Collection.create(folder / "data", "products") as collection:
        for number in range(24):
            category = ("mug", "shoe", "book")[number % 3]
            pixels = make_picture(number % 3)
            pixels[: 2 + number // 3] = 10 * number
            collection.upsert(
                f"{category}/{number}", encode_png(pixels), metadata={"category": category, "price": number}
            )
    return folder


def test_the_commands_and_requests_of_the_page_run(folder: Path) -> None:
    environment = environment_of(folder) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}
    for command in COMMANDS.splitlines():
        words = [sys.executable, *shlex.split(command, comments=True)[1:]]
        ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"{command}\n{ended.stderr}"
    assert (folder / "clusters.csv").read_text(encoding="utf-8").count("\n") == 1 + 24
    assert (folder / "faults.csv").read_text(encoding="utf-8").startswith("rank,fault,value,limit,reason,key,path\n")
    with served(folder, environment) as address:
        for request in REQUESTS.splitlines():
            words = [*shlex.split(request.replace(ADDRESS, address), comments=True), "--fail-with-body"]
            ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{request}\n{ended.stdout}"
            path = f"{address}/jobs/{json.loads(ended.stdout)['id']}"
            follow = subprocess.run(["curl", "-sf", f"{path}/events"], capture_output=True, text=True, check=True)
            assert '"state":"succeeded"' in follow.stdout


def test_the_python_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with running_on():
        exec(compile(PROGRAM, "insights.md", "exec"), {})
    assert "24" in capsys.readouterr().out.splitlines()


def test_the_limits_of_the_page_are_those_of_the_program() -> None:
    limits = {row[0].strip("`"): float(re.findall(r"[\d.]+", row[2])[0]) for row in rows("| fault | measure")}
    assert limits == {
        "blurred": picture_faults.MAX_BLUR,
        "dark": picture_faults.MIN_LIGHTEST,
        "overexposed": picture_faults.MAX_BURNT,
        "empty": picture_faults.MIN_SPREAD,
        "tiny": picture_faults.MIN_SIDE,
        "shape": picture_faults.MAX_ASPECT,
    }
    assert f"margin of {DEFAULT_MARGIN} on" in PAGE
    assert f"{DEFAULT_NEIGHBOURS}th nearest" in " ".join(PAGE.split())


def test_the_figures_of_the_page_are_those_that_were_measured() -> None:
    measured = results("clusters")
    columns = ("chosen", "chosen_nmi", "chosen_ari", "as_many_nmi", "as_many_ari", "faiss_ari")
    for row, name in zip(rows("| pictures, labels | chosen"), SETS, strict=True):
        assert numbers(row[1:]) == [measured[name][column] for column in columns], row
    measured = results("outliers")
    for row in rows("| score | 10 strangers"):
        assert numbers(row[1:]) == [measured[part]["all"][row[0]] for part in ("strangers", "alike")], row
    quality = measured["quality"]
    found = {row[0]: int(row[1]) for row in rows("| version | found")}
    assert found == quality["found"]
    measured = results("mislabelled")
    names = (
        "recall", "precision", "suggestion_right", "average_precision", "vote_average_precision",
        "logistic_average_precision", "untouched",
    )  # fmt: skip
    for row, name in zip(rows("| pictures, labels | recall"), SETS, strict=True):
        assert row[0].startswith(str(measured[name]["pictures"]))
        assert numbers(row[1:]) == [measured[name][column] for column in names], row
