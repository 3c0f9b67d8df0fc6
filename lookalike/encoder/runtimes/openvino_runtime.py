"""Runs an exported network with OpenVINO on the CPU: as many requests at once as there are cores, each on one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from lookalike.cores import available_cores
from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.runtimes.exported import LARGEST_CHUNK, NetworkRunner
from lookalike.encoder.telemetry import import_openvino

CHUNK_COSTS = {LARGEST_CHUNK: 80, 4: 42, 1: 14}
"""Sizes of chunks that a network is compiled for, at the first need of each, and the relative time of each on one core.

A network for any size takes a sixth more time for each picture, and as much memory as one of these.
"""


def open_runner(model: Path | bytes, cache: Path | None) -> NetworkRunner:
    """An exported network in OpenVINO; arguments and errors as of ``OpenVinoRunner``."""
    return OpenVinoRunner(model, cache)


class OpenVinoRunner:
    """A ``NetworkRunner``: a batch is cut into chunks of few sizes, which run side by side.

    Infer requests are started and waited for here, not by OpenVINO's AsyncInferQueue: its callbacks enter Python from
    threads that the destructor of a network waits for, which can deadlock; and a queue belongs to one network, where
    here the networks for several sizes of chunk share the cores, and each caller waits for its own results.
    """

    def __init__(self, model: Path | bytes, cache: Path | None = None) -> None:
        """``model`` is an ONNX file or its content; what is compiled of it is kept in the folder ``cache``, if any.

        Raises RuntimeError for a network that OpenVINO cannot run.
        """
        openvino = import_openvino()
        self._cores = available_cores()
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": self._cores,
            "INFERENCE_NUM_THREADS": self._cores,
            "INFERENCE_PRECISION_HINT": "f32",  # else it rounds to bfloat16 where the machine is fast at that
        }
        if cache is not None:
            self._settings["CACHE_DIR"] = str(cache)
        self._core = openvino.Core()
        self._model = model
        self._version = openvino.get_version().partition("-")[0]
        self._compile_lock = threading.Lock()
        self._call_lock = threading.Lock()  # held for every call but waiting
        self._callers = 0
        # The networks of several sizes have threads of their own: together they would be more than the cores.
        self._request_slots = threading.Semaphore(self._cores)
        self._compiled: dict[int, _Compiled] = {}
        self._compile_for_size(1)

    @property
    def version(self) -> str:
        """OpenVINO and its version."""
        return f"openvino {self._version}"

    def run(self, batch: RGB) -> Vectors:
        """See ``NetworkRunner``. The first chunk of a new size waits for the network to be compiled for it."""
        results: list[Vectors] = []
        running: deque[tuple[_Compiled, Any]] = deque()
        start = 0
        with self._reserve_cores() as workers:
            try:
                for size in chunk_sizes(len(batch), workers):
                    # A caller with running requests never blocks for a slot: two such callers could deadlock.
                    while not self._request_slots.acquire(blocking=not running):
                        results.append(self._collect_result(*running.popleft()))
                    running.append(self._start_request(batch[start : start + size]))
                    start += size
                while running:
                    results.append(self._collect_result(*running.popleft()))
            finally:
                with ExitStack() as cleanup:  # requests are left here only if one before them has failed
                    for request in running:
                        cleanup.callback(self._collect_result, *request)
        return np.concatenate(results)

    @contextmanager
    def _reserve_cores(self) -> Iterator[int]:
        """A context with the number of cores for this caller: an equal share among the concurrent callers."""
        with self._call_lock:
            self._callers += 1
            workers = max(1, self._cores // self._callers)
        try:
            yield workers
        finally:
            with self._call_lock:
                self._callers -= 1

    def _start_request(self, chunk: RGB) -> tuple[_Compiled, Any]:
        """Start a request in a slot that was acquired before; it is released if this fails."""
        try:
            compiled = self._compile_for_size(len(chunk))
            with self._call_lock:
                request = compiled.take_request()
                # Copied, not shared: OpenVINO's own threads would have to acquire the GIL to release a shared array,
                # and two concurrent callers could then deadlock.
                np.copyto(request.get_input_tensor(0).data, chunk)
                request.start_async()
        except BaseException:
            self._request_slots.release()
            raise
        return compiled, request

    def _collect_result(self, compiled: _Compiled, request: Any) -> Vectors:
        """Wait for a request, release its slot and return its vectors."""
        try:
            request.wait()
        finally:
            self._request_slots.release()
        with self._call_lock:
            vectors: Vectors = np.array(request.get_output_tensor(0).data, np.float32)
        compiled.idle.put(request)
        return vectors

    def _compile_for_size(self, size: int) -> _Compiled:
        """The network for chunks of ``size`` pictures, one of ``CHUNK_COSTS``; compiled at its first call."""
        with self._compile_lock:
            if size not in self._compiled:
                model = self._core.read_model(self._model if isinstance(self._model, bytes) else str(self._model))
                shape = model.input(0).partial_shape
                shape[0] = size
                model.reshape(shape)
                self._compiled[size] = _Compiled(self._core.compile_model(model, "CPU", self._settings))
            return self._compiled[size]


@lru_cache(maxsize=1024)
def chunk_sizes(count: int, workers: int) -> tuple[int, ...]:
    """The sizes, all in ``CHUNK_COSTS``, of the chunks of a batch: those that so many workers finish first.

    Among candidates that finish at the same time, the one with the lowest total cost.
    """
    candidates = [_split_count(count, max_size) for max_size in CHUNK_COSTS]
    return min(candidates, key=lambda sizes: (_makespan(sizes, workers), sum(CHUNK_COSTS[size] for size in sizes)))


def _split_count(count: int, max_size: int) -> tuple[int, ...]:
    """As few chunk sizes as possible, none above ``max_size``, that sum to ``count``; large ones first."""
    sizes: list[int] = []
    for size in CHUNK_COSTS:
        if size <= max_size:
            sizes += [size] * (count // size)
            count %= size
    return tuple(sizes)


def _makespan(sizes: tuple[int, ...], workers: int) -> int:
    """How long it takes if each worker takes the next chunk when it has finished one."""
    loads = [0] * workers
    for size in sizes:
        loads[loads.index(min(loads))] += CHUNK_COSTS[size]
    return max(loads)


class _Compiled:
    """A compiled network and its idle requests."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.idle: SimpleQueue[Any] = SimpleQueue()

    def take_request(self) -> Any:
        """An idle request, or a new one: a request belongs to one caller at a time and costs a few kilobytes."""
        try:
            return self.idle.get_nowait()
        except Empty:
            return self._network.create_infer_request()
