"""Libraries that report their use to their makers unless they are told not to, imported so that they do not.

Every import of them goes through here. What another part of a program has imported before, or has set in the
environment, is left as it is.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

_ONNXRUNTIME_SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
"""What its versions read, once, when it is imported: nothing is sent then, and no mark of the machine is written."""

_OPENVINO_REPORTS = "openvino_telemetry"
"""What OpenVINO imports to send an event with a client's number, which it keeps in the home folder, at each import."""

_HUGGINGFACE_SWITCH = "HF_HUB_DISABLE_TELEMETRY"
"""What the hub's client reads, once, when it is imported.

Else a download asks the hub, even beside a mirror, for a list of programs that may have called it, keeps the list in
the home folder, and names the program.
"""

_hidden_lock = threading.Lock()


def silence_huggingface_hub() -> None:
    """To be called before anything is imported that imports the hub's client, as timm does."""
    os.environ.setdefault(_HUGGINGFACE_SWITCH, "1")


def import_huggingface_hub(submodule: str | None = None) -> ModuleType:
    """The hub's client, or a module of it."""
    silence_huggingface_hub()
    import huggingface_hub

    return huggingface_hub if submodule is None else import_module(f"huggingface_hub.{submodule}")


def import_onnxruntime(submodule: str | None = None) -> ModuleType:
    """ONNX Runtime, or a module of it; raises ImportError if it is not installed."""
    for switch in _ONNXRUNTIME_SWITCHES:
        os.environ.setdefault(switch, "1")
    import onnxruntime

    return onnxruntime if submodule is None else import_module(f"onnxruntime.{submodule}")


def import_openvino(submodule: str | None = None) -> ModuleType:
    """OpenVINO, or a module of it; raises ImportError if it is not installed.

    A program cannot switch its reports off. Where it cannot import what sends them, it uses a stand-in of its own that
    does nothing, and keeps that for as long as the process lasts. Others who import the sender find it as ever.
    """
    with _hidden(_OPENVINO_REPORTS):
        import openvino

        return openvino if submodule is None else import_module(f"openvino.{submodule}")


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """A module that cannot be imported meanwhile; what has imported it before keeps it."""
    absent = object()
    with _hidden_lock:  # a second thread would take the first one's mark for what was there before
        previous = sys.modules.get(name, absent)
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's mark of a module not to be found
        try:
            yield
        finally:
            if previous is absent:
                del sys.modules[name]
            else:
                sys.modules[name] = previous  # type: ignore[assignment]
