"""Without the compiled library the formula serves, says so once, and the status gives every reason."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from lookalike.encoder.network import operators
from lookalike.errors import OperatorError


def use_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(operators, "_LIBRARY", operators.OperatorLibrary(folder))


def test_the_status_names_the_library_that_serves() -> None:
    status = operators.operator_status()
    assert status.available, status.text
    assert status.reasons == ()
    assert status.path is not None
    assert Path(status.path).is_file()
    assert status.text == "compiled operators"


def test_a_folder_without_the_library_says_so_and_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_folder(monkeypatch, tmp_path)
    status = operators.operator_status()
    assert not status.available
    assert status.path is None
    assert len(status.reasons) == 1
    assert str(tmp_path) in status.reasons[0]
    assert "not compiled" in status.reasons[0]
    with pytest.raises(OperatorError, match="make install") as caught:
        operators.require_operator()
    assert caught.value.code == "operator-unavailable"
    assert status.reasons[0] in caught.value.message


def test_every_library_that_failed_gives_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_operators.abi3.so").write_bytes(b"this is no library, whatever its name says" * 9)
    (tmp_path / "_operators.cpython-39.so").write_bytes(b"")
    use_folder(monkeypatch, tmp_path)
    status = operators.operator_status()
    assert not status.available
    assert status.path == str(tmp_path / "_operators.abi3.so")
    assert [Path(reason.split(": ")[0]).name for reason in status.reasons] == [
        "_operators.abi3.so",
        "_operators.cpython-39.so",
    ]
    assert all("damaged" in reason for reason in status.reasons)


def test_the_formula_serves_and_warns_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    maps = [torch.rand(2, 3, 4, 5), torch.rand(2, 6, 2, 2)]
    images = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    expected = operators.multiscale_fuse(maps, 6)
    moments = operators.multiscale_moments(maps)
    weighted = operators.multiscale_moments(maps, weighted=True)
    sums = operators.channel_moments(images)
    use_folder(monkeypatch, tmp_path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            torch.testing.assert_close(operators.multiscale_fuse(maps, 6), expected, rtol=0, atol=1e-6)
            torch.testing.assert_close(operators.multiscale_moments(maps), moments, rtol=0, atol=1e-6)
            torch.testing.assert_close(operators.multiscale_moments(maps, weighted=True), weighted, rtol=0, atol=1e-6)
            assert np.array_equal(operators.channel_moments(images), sums)
    (record,) = caplog.records
    assert record.name == "lookalike.encoder.network.operators"
    assert "not compiled" in record.getMessage()
    assert "the formula in PyTorch is used instead" in record.getMessage()


def test_the_library_is_opened_once_however_many_threads_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def load(folder: Path) -> operators.OperatorStatus:
        opened.append(folder)
        return operators.OperatorStatus(False, None, ("slow",))

    monkeypatch.setattr(operators, "_load", load)
    library = operators.OperatorLibrary(tmp_path)
    threads = [threading.Thread(target=library.status) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [tmp_path]


def test_importing_loads_nothing_and_a_library_without_an_operator_is_called_outdated(tmp_path: Path) -> None:
    path = operators.operator_status().path
    assert path is not None
    shutil.copy(path, tmp_path / "_operators.abi3.so")
    # In a process of its own: operators can be defined only once in a process.
    code = """
import sys
from pathlib import Path
import torch
from lookalike.encoder.network import operators
print(sum("_operators" in path for path in torch.ops.loaded_libraries))
operators._OPERATORS |= {"multiscale_fuse": ("maps", "of_tomorrow"), "an_operator_of_tomorrow": ("maps", "images")}
print(operators.OperatorLibrary(Path(sys.argv[1])).status().text)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded, text = done.stdout.splitlines()
    assert loaded == "0"
    missing = "multiscale_fuse(maps, of_tomorrow) and an_operator_of_tomorrow(maps, images)"
    assert f"lacks {missing}: it was compiled from older sources" in text
