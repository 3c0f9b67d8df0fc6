"""Makes ``import torchvision`` work beside a torch that it was not built for; call it before ``import timm``.

The torchvision of the package index is built for torch with CUDA. Beside a CPU torch its compiled part does
not load, so the operators that its Python part describes (``nms``, ``qnms``) are unknown and the import
stops. Nothing here calls these operators: declaring them is enough for models and transforms; a call still
raises.
"""

from __future__ import annotations

import importlib
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from lookalike.encoder.telemetry import silence_huggingface_hub

_SYMPTOM = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_lock = threading.Lock()
_declared_libraries: list[Any] = []
"""Declared schemas last as long as the torch.library.Library that made them."""


@dataclass(frozen=True, slots=True)
class TorchvisionStatus:
    """Whether every program can import torchvision, not only lookalike, and in words what to do if not."""

    works_everywhere: bool
    text: str


def ensure_torchvision() -> None:
    """Import torchvision, declaring its missing operators first if it fails for want of exactly those.

    Cheap and harmless to call again, from any thread. Any other failure of the import is raised as it is.
    """
    silence_huggingface_hub()
    with _lock:
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if _SYMPTOM not in str(error) or _declared_libraries:
                raise
            _declare_operators()
            importlib.import_module("torchvision")


def torchvision_status() -> TorchvisionStatus:
    """Import torchvision, and say whether it works by itself; if not, how programs beside lookalike get it to work."""
    ensure_torchvision()
    if not _declared_libraries:
        return TorchvisionStatus(True, "torchvision and timm can be imported by any program")
    fits = version("torchvision").partition("+")[0]
    return TorchvisionStatus(
        False,
        "torchvision and timm work inside lookalike only: this torchvision was built for another torch, and a plain "
        "`import torchvision` or `import timm` fails. For programs of yours: pip install --force-reinstall --no-deps "
        f"torchvision=={fits} with --index-url, the index that your torch came from",
    )


def _declare_operators() -> None:
    torch_library: Any = importlib.import_module("torch.library")
    library = torch_library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared_libraries.append(library)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
