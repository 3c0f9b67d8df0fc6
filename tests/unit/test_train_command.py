"""The training command refuses with one sentence that says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.train.__main__ import main


@pytest.mark.parametrize("task", [["targets"], ["distil"]])
def test_absent_data_is_one_sentence(task: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--work", str(tmp_path), *task]) == 1
    said = capsys.readouterr().err
    assert said.startswith("source-not-found: ")
    assert said.count("\n") == 1
    assert "--data" in said


@pytest.mark.parametrize("task", ["quality", "finish", "export"])
def test_absent_weights_are_named(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("none.pt", "none.safetensors"):
        arguments = [str(tmp_path / name)] + ([] if task == "quality" else [str(tmp_path / "out")])
        assert main(["--data", str(tmp_path), "--work", str(tmp_path), task, *arguments]) == 1
        assert name in capsys.readouterr().err
