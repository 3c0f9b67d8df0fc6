"""What runs an exported network, by name: OpenVINO and ONNX Runtime, each also in float32 arithmetic."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from lookalike.encoder.int8.float_arithmetic import float_form
from lookalike.encoder.runtimes.exported import NetworkRunner
from lookalike.options import RuntimeName

EXPORT_RUNTIMES: tuple[RuntimeName, ...] = tuple(
    name for name in RuntimeName if name not in (RuntimeName.AUTO, RuntimeName.TORCH)
)
FLOAT32_VARIANTS: dict[RuntimeName, str] = {name: f"{name}-float32" for name in EXPORT_RUNTIMES}
"""Variants that compute an int8 network in float32 arithmetic, for processors whose eight-bit products overflow."""


def open_runner(name: str, model: Path, cache: Path | None) -> NetworkRunner:
    """One of ``EXPORT_RUNTIMES``, or of ``FLOAT32_VARIANTS``, with an exported network.

    Raises ImportError, and RuntimeError for a network it cannot run.
    """
    network = float_form(model, cache) if name in FLOAT32_VARIANTS.values() else model
    runtime = import_module(f"{__package__}.{name.removesuffix('-float32')}_runtime")
    runner: NetworkRunner = runtime.open_runner(network, cache)
    return runner
