"""timm can be imported beside any torchvision, from any thread, without a warning."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import version

import pytest

from lookalike.encoder import torchvision_shim

SCRIPT = """
import threading
from lookalike.encoder.torchvision_shim import ensure_torchvision
threads = [threading.Thread(target=ensure_torchvision) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ensure_torchvision()
import timm
from torchvision.models import alexnet
print(timm.is_model("resnet18"), alexnet.__name__)
"""


def test_a_fresh_interpreter_can_import_timm() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("True alexnet\n", "")


def test_any_other_failure_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError(f"{name} is broken in a way of its own")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match="in a way of its own"):
        torchvision_shim.ensure_torchvision()


@pytest.mark.parametrize("declared", [False, True])
def test_it_is_said_whether_other_programs_can_import_it_and_what_to_install_if_not(
    declared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchvision_shim, "ensure_torchvision", lambda: None)
    monkeypatch.setattr(torchvision_shim, "_declared_libraries", [object()] if declared else [])
    status = torchvision_shim.torchvision_status()
    plain = version("torchvision").partition("+")[0]
    assert status.works_everywhere != declared
    assert ("inside lookalike only" in status.text) == declared
    assert (f"pip install --force-reinstall --no-deps torchvision=={plain} with --index-url" in status.text) == declared
