"""Libraries that report to their makers are imported so that they do not, and nobody else's use of them changes.

The libraries are stand-ins here, which behave as the real ones do when they are imported; the real ones are watched in
``tests/e2e/test_privacy.py``.
"""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from lookalike.encoder.telemetry import import_huggingface_hub, import_onnxruntime, import_openvino

OPENVINO = """
import time
time.sleep(0.1)  # long enough for a second thread to come
try:
    import openvino_telemetry
    openvino_telemetry.events.append("import")
    reports = True
except ImportError:
    reports = False
"""


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries of these names that nobody has imported yet."""
    files = {
        "openvino/__init__.py": OPENVINO,
        "openvino/frontend.py": "",
        "openvino_telemetry.py": "events = []",
        "onnxruntime.py": "import os\nswitch = os.environ['ORT_DISABLE_TELEMETRY']",
        "huggingface_hub.py": "import os\nswitch = os.environ['HF_HUB_DISABLE_TELEMETRY']",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for name in ("openvino", "openvino.frontend", "openvino_telemetry", "onnxruntime", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))  # what a test imports is gone after it, too
        monkeypatch.delitem(sys.modules, name)
    for switch in ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(switch, "")
        monkeypatch.delenv(switch)
    monkeypatch.syspath_prepend(tmp_path)


def test_openvino_reports_nothing_and_others_find_what_sends_its_reports() -> None:
    openvino = import_openvino()
    assert not openvino.reports
    assert importlib.import_module("openvino_telemetry").events == []


def test_what_another_part_of_the_program_has_imported_stays_its_own() -> None:
    sender = importlib.import_module("openvino_telemetry")
    assert not import_openvino().reports
    assert sys.modules["openvino_telemetry"] is sender


def test_an_openvino_that_is_there_already_is_taken_as_it_is() -> None:
    theirs = importlib.import_module("openvino")
    assert theirs.reports
    assert import_openvino() is theirs
    assert importlib.import_module("openvino_telemetry").events == ["import"]


def test_two_threads_that_come_at_once_leave_things_as_they_were() -> None:
    imported = []
    threads = [threading.Thread(target=lambda: imported.append(import_openvino())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [openvino.reports for openvino in imported] == [False, False]
    assert importlib.import_module("openvino_telemetry").events == []


def test_without_openvino_nothing_is_left_hidden(tmp_path: Path) -> None:
    (tmp_path / "openvino" / "__init__.py").write_text("raise ImportError('a library is missing')")
    with pytest.raises(ImportError, match="a library is missing"):
        import_openvino()
    assert importlib.import_module("openvino_telemetry").events == []


def test_a_part_of_openvino_is_imported_with_the_whole() -> None:
    assert import_openvino("frontend").__name__ == "openvino.frontend"
    assert not sys.modules["openvino"].reports


@pytest.mark.parametrize("said", [None, "0"])
def test_the_others_are_told_by_their_switches_unless_the_user_has_set_them(
    said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", said)
        monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", said)
    assert import_onnxruntime().switch == (said or "1")
    assert import_huggingface_hub().switch == (said or "1")
