"""Runs an exported network with ONNX Runtime on the CPU: one thread a chunk, so that none waits for another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.cores import available_cores
from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.runtimes.exported import NetworkRunner, split_batch
from lookalike.encoder.telemetry import import_onnxruntime


def open_runner(model: Path | bytes, _cache: Path | None) -> NetworkRunner:
    """An exported network in ONNX Runtime, which keeps nothing in a folder; errors as of ``OnnxRuntimeRunner``."""
    return OnnxRuntimeRunner(model)


class OnnxRuntimeRunner:
    """A ``NetworkRunner``: chunks run side by side, each on one core."""

    def __init__(self, model: Path | bytes, *, exact_products: bool = False) -> None:
        """``model`` is an ONNX file or its content; raises RuntimeError for one that ONNX Runtime cannot run.

        With ``exact_products`` an int8 network's rounded numbers are multiplied in float32: slowly, and with the same
        vectors on every processor.
        """
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        # Several threads for one chunk spin while they wait for each other, which costs more than it gains.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        if exact_products:
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        source = model if isinstance(model, bytes) else str(model)
        self._session: Any = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self._input: str = self._session.get_inputs()[0].name
        self._pool = ThreadPoolExecutor(available_cores(), thread_name_prefix="onnxruntime")
        self._version: str = onnxruntime.__version__

    @property
    def version(self) -> str:
        """ONNX Runtime and its version."""
        return f"onnxruntime {self._version}"

    def run(self, batch: RGB) -> Vectors:
        """See ``NetworkRunner``."""
        if len(batch) == 1:
            return self._run_chunk(batch)
        return np.concatenate(list(self._pool.map(self._run_chunk, split_batch(batch, available_cores()))))

    def _run_chunk(self, chunk: RGB) -> Vectors:
        vectors: Vectors = self._session.run(None, {self._input: chunk})[0]
        return vectors
