"""ONNX Runtime without its reports to its maker, which are on by default."""

from __future__ import annotations

import os
from types import ModuleType

SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
"""What its versions read, once, when it is imported: nothing is sent then, and no mark of the machine is written."""


def import_onnxruntime() -> ModuleType:
    """The module; raises ImportError if it is not installed. Whoever has set the switches otherwise is obeyed."""
    for switch in SWITCHES:
        os.environ.setdefault(switch, "1")
    import onnxruntime

    found: ModuleType = onnxruntime
    return found
