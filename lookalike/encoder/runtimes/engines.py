"""The engines that run an exported network, by name: OpenVINO and ONNX Runtime, each also in float32 arithmetic."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from lookalike.encoder.int8.float_arithmetic import float_form
from lookalike.encoder.runtimes.exported import Engine
from lookalike.options import RuntimeName

ENGINES: tuple[RuntimeName, ...] = tuple(
    name for name in RuntimeName if name not in (RuntimeName.AUTO, RuntimeName.TORCH)
)
IN_FLOAT32: dict[RuntimeName, str] = {name: f"{name}-float32" for name in ENGINES}
"""Engines that compute an int8 network in float32 arithmetic, for processors whose eight-bit products overflow."""


def open_engine(name: str, model: Path, cache: Path | None) -> Engine:
    """One of ``ENGINES``, or of ``IN_FLOAT32``, with an exported network.

    Raises ImportError, and RuntimeError for a network it cannot run.
    """
    network = float_form(model, cache) if name in IN_FLOAT32.values() else model
    runtime = import_module(f"{__package__}.{name.removesuffix('-float32')}_runtime")
    engine: Engine = runtime.open_engine(network, cache)
    return engine
