"""The program as a user runs it, on real files, with the encoder in the box."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indexer.__main__ import main
from lookalike.encoder import calibrations
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, running_on
from tests.e2e.processes import Program
from tests.helpers.wheel import built_wheel, install

SLOW_ON_POSTGRES = {"test_jobs.py", "test_other_clients.py", "test_pins_and_keys.py"}
"""Files whose tests of whole programs wait for minutes, on either database; `make test` runs them on SQLite."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what these files do on PostgreSQL to `make test-full`: contracts and services are tested on both."""
    for item in items:
        if item.path.name in SLOW_ON_POSTGRES and item.path.parent.name == "e2e" and "postgresql" in item.name:
            item.add_marker(pytest.mark.slow)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def answer(self) -> dict[str, Any]:
        """The fields of the last answer under --json."""
        return [event for event in self.events if event["event"] == "answer"][-1]


Run = Callable[..., Ended]


@pytest.fixture(scope="module", autouse=True)
def users_runtime() -> Iterator[None]:
    """One runtime from a module's first fixture on; those of the session run processes, which ``Program`` tells it."""
    with running_on():
        yield


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoders_dir: Path
) -> Iterator[Run]:
    """Runs ``python -m indexer`` with these arguments, in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LOOKALIKE_ENCODERS_DIR", str(encoders_dir))
    # Tests of the service hide them for as long as their process lasts.
    monkeypatch.setattr(calibrations, "SHIPPED", REPOSITORY / "lookalike/encoder/bundled/calibrations")

    def run_command(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["indexer", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        code = stop.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    with running_on():
        yield run_command


def write_pictures(folder: Path, count: int, *, start: int = 0) -> list[Path]:
    """So many different pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03d}.jpg" for number in range(start, start + count)]
    for number, path in enumerate(paths, start=start):
        path.write_bytes(encode_jpeg(make_picture(number, size=(96, 72)), 90))
    return paths


@pytest.fixture
def shop(tmp_path: Path, run: Run) -> Path:
    """A folder of eight pictures, indexed as the collection ``shop``."""
    write_pictures(tmp_path / "shop", 8)
    assert run("index", tmp_path / "shop", "-c", "shop").code == 0
    return tmp_path / "shop"


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel of this checkout."""
    return built_wheel()


@pytest.fixture(scope="session")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The wheel, installed, and an empty folder outside the checkout to run it in."""
    python = install(wheel, tmp_path_factory.mktemp("installed") / "environment")
    return Program(python, tmp_path_factory.mktemp("elsewhere"))


@dataclass(frozen=True)
class Stock:
    """A folder of eight pictures, and a data folder where they are the collection ``shop``; not to be changed."""

    folder: Path
    data: Path

    @property
    def picture(self) -> bytes:
        """The file of ``000.jpg``."""
        return (self.folder / "000.jpg").read_bytes()


@pytest.fixture(scope="session")
def stock(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """What services serve that are not there to see it change."""
    tmp = tmp_path_factory.mktemp("stock")
    write_pictures(tmp / "pictures", 8)
    program.index(tmp / "pictures", "shop", tmp / "data")
    return Stock(tmp / "pictures", tmp / "data")
