"""Runs an exported network with OpenVINO on the CPU: one stream a core, as many requests as there are callers."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.runtimes.exported import LARGEST_CHUNK, cores

FIXED = (1, LARGEST_CHUNK)
"""Sizes of chunks that a network is compiled for: a lone query's and an indexer's, a tenth faster than any size."""

_ANY = 0


class OpenVinoEngine:
    """An ``Engine``: chunks run side by side, each on one core."""

    def __init__(self, model: Path, cache: Path | None = None) -> None:
        """``model`` is an ONNX file; what is compiled of it is kept in the folder ``cache``, if there is one.

        Raises RuntimeError for a file that OpenVINO cannot run.
        """
        import openvino

        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": cores(),
            "INFERENCE_NUM_THREADS": cores(),
            "INFERENCE_PRECISION_HINT": "f32",  # else it rounds to bfloat16 where the machine is fast at that
        }
        if cache is not None:
            self._settings["CACHE_DIR"] = str(cache)
        self._core = openvino.Core()
        self._model = model
        self._version = openvino.get_version().partition("-")[0]
        self._compiling = threading.Lock()
        self._calling = threading.Lock()  # all calls but waiting, one at a time
        self._compiled: dict[int, _Compiled] = {}
        self._for(1)

    @property
    def version(self) -> str:
        """OpenVINO and its version."""
        return f"openvino {self._version}"

    def run(self, chunks: list[RGB]) -> list[Vectors]:
        """See ``Engine``. The first chunk of a new size may wait for the network to be compiled for it."""
        found: list[Vectors] = []
        for start in range(0, len(chunks), cores()):
            begun = [self._begun(chunk) for chunk in chunks[start : start + cores()]]
            for compiled, request in begun:
                request.wait()
                with self._calling:
                    found.append(np.array(request.get_output_tensor(0).data, np.float32))
                compiled.idle.put(request)
        return found

    def _begun(self, chunk: RGB) -> tuple[_Compiled, Any]:
        compiled = self._for(len(chunk))
        with self._calling:
            request = compiled.request()
            # Copied, not shared: OpenVINO's own threads would have to wait for Python's lock to give an array back,
            # and two callers at once then wait for each other for ever.
            given = request.get_input_tensor(0)
            given.shape = chunk.shape
            np.copyto(given.data, chunk)
            request.start_async()
        return compiled, request

    def _for(self, count: int) -> _Compiled:
        """The network for chunks of ``count`` pictures."""
        size = count if count in FIXED else _ANY
        with self._compiling:
            if size not in self._compiled:
                model = self._core.read_model(str(self._model))
                if size != _ANY:
                    shape = model.input(0).partial_shape
                    shape[0] = size
                    model.reshape(shape)
                self._compiled[size] = _Compiled(self._core.compile_model(model, "CPU", self._settings))
            return self._compiled[size]


class _Compiled:
    """A compiled network and its idle requests."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.idle: SimpleQueue[Any] = SimpleQueue()

    def request(self) -> Any:
        """An idle request, or a new one: a request belongs to one caller at a time and costs a few kilobytes."""
        try:
            return self.idle.get_nowait()
        except Empty:
            return self._network.create_infer_request()
