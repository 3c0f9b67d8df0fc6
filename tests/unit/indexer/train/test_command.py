"""The training command refuses with one sentence that says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.train import tasks
from indexer.train.__main__ import main
from tests.unit.indexer.train.test_pool import write_pool


def run_in(folder: Path, *task: str) -> int:
    """The exit code of a task whose data, work and encoders are in ``folder``."""
    places = [f"--{place}={folder}" for place in ("data", "work", "encoders-dir")]
    return main([*places, f"--teacher={folder / 'teacher.npz'}", *task])


def is_one_sentence(text: str, code: str) -> bool:
    return text.startswith(f"{code}: ") and text.count("\n") == 1


@pytest.mark.parametrize("task", ["targets", "distil", "table"])
def test_absent_data_is_one_sentence(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_in(tmp_path, task) == 1
    message = capsys.readouterr().err
    assert is_one_sentence(message, "source-not-found")
    assert "--data" in message


@pytest.mark.parametrize("name", ["none.pt", "none.safetensors"])
@pytest.mark.parametrize("task", ["quality", "finish", "export"])
def test_absent_weights_are_named(task: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, output = str(tmp_path / name), str(tmp_path / "out.safetensors")
    arguments = {"quality": [weights], "finish": [output, "--weights", weights], "export": [weights, output]}[task]
    assert run_in(tmp_path, task, *arguments) == 1
    assert is_one_sentence(message := capsys.readouterr().err, "source-not-found")
    assert name in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["targets"], ["distil"], ["finish", "out.safetensors"]])
def test_a_network_that_is_not_installed_is_told_with_the_command(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pool").mkdir()
    write_pool(tmp_path / "pool")
    assert run_in(tmp_path, *arguments) == 1
    message = capsys.readouterr().err
    assert is_one_sentence(message, "encoder-not-installed")
    assert f"`python -m indexer encoders install {tasks.TEACHER_NETWORK}`" in message
    assert not (tmp_path / "pool-224.npy").exists(), "nothing is decoded for a run that cannot be"
