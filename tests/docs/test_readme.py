"""What README tells a newcomer to type works."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME
from tests.e2e.conftest import Run, run, write_pictures
from tests.helpers.calibration import EACH, LABELS, view
from tools.docs.api_examples import ADDRESS, environment_of, served

__all__ = ["run"]

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
NEEDS_NETWORK = "encoders install"
STAND_IN = ("resnet50", "bundled-resnet18")
"""A published network of README, which has to be downloaded, and the encoder in the box that is run in its place."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def home(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with pictures, and the two pictures that README speaks of in the working folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_pictures(tmp_path / "Pictures", 6)
    for folder, each in {"Pictures": EACH, "labelled": 2}.items():  # enough to calibrate with, and to evaluate
        for label in range(LABELS):
            (tmp_path / folder / f"thing {label}").mkdir(parents=True)
            for number in range(each):
                (tmp_path / folder / f"thing {label}" / f"{number}.jpg").write_bytes(
                    encode_jpeg(view(label, number), 92)
                )
    for number, name in enumerate(("cat.jpg", "dog.jpg"), start=20):
        Path(name).write_bytes(encode_jpeg(make_picture(number), 90))
    (tmp_path / "products.csv").write_text(blocks("csv")[0], encoding="utf-8")
    for number, path in enumerate(products(), start=30):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(encode_jpeg(make_picture(number), 90))
    return tmp_path


def products() -> list[str]:
    """Paths of the pictures of README's manifest."""
    return [row.split(",")[0] for row in blocks("csv")[0].splitlines()[1:]]


@pytest.mark.slow
def test_the_commands_run_in_the_order_in_which_they_stand(run: Run, home: Path) -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("python -m indexer")]
    assert len(lines) >= 8
    for line in lines:
        if NEEDS_NETWORK in line:
            continue
        command = line.replace(*STAND_IN)
        words = [os.path.expanduser(word) for word in shlex.split(command, comments=True)]  # noqa: PTH111  # as a shell does
        completed = run(*words[3:])
        assert completed.code == (4 if words[3:4] == ["compare"] else 0), f"{line}\n{completed.err}"


def test_a_published_encoder_is_installed_before_it_is_used() -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines() if STAND_IN[0] in line]
    assert f"{NEEDS_NETWORK} {STAND_IN[0]}" in lines[0]
    assert len(lines) > 1


def test_the_python_block_runs(run: Run, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("index", home / "Pictures", "--collection", "pictures")
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert -1.0 <= float(lines[0]) <= 1.0
    assert lines[1].startswith("Judgement(score=")
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3", "4", "5"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_requests_are_answered_by_a_service_over_what_was_indexed(run: Run, home: Path) -> None:
    assert run("index", home / "Pictures", "--collection", "pictures").code == 0
    assert run("index", home / "products.csv", "--collection", "products").code == 0
    requests = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("curl ")]
    assert len(requests) >= 6
    with served(home, environment_of(home) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}) as address:
        for line in requests:
            words = shlex.split(line.replace(ADDRESS, address), comments=True)
            ended = subprocess.run([*words, "--fail-with-body"], capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{line}\n{ended.stdout}"
            answer = json.loads(ended.stdout)
            if "k=5" in words:
                indexed = len(products()) - 1 if "collection=products" in words else 5
                assert len(answer["results"]) == indexed, line


def test_the_versions_of_torch_are_those_that_are_pinned() -> None:
    dependencies = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    pins = set(re.findall(r"`(torch\w*==[\d.]+)`", README))
    assert pins == {name for name in dependencies if name.startswith("torch")}


def test_every_make_target_that_is_told_of_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    told = set(re.findall(r"\bmake ([a-z][a-z-]*)", README + (REPOSITORY / "CONTRIBUTING.md").read_text()))
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert told - {"it"} <= targets


PAGES = [*sorted(REPOSITORY.glob("docs/**/*.md")), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page} links to {target}"
