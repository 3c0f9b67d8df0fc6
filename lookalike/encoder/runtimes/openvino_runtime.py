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

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.runtimes.exported import LARGEST_CHUNK, Engine, cores
from lookalike.encoder.telemetry import import_openvino

COSTS = {LARGEST_CHUNK: 80, 4: 42, 1: 14}
"""Sizes of chunks that a network is compiled for, when one is first needed, and about how long one core has for each.

A network for any size takes a sixth more time for each picture, and as much memory as one of these.
"""


def open_engine(model: Path | bytes, cache: Path | None) -> Engine:
    """An exported network in OpenVINO; arguments and errors as of ``OpenVinoEngine``."""
    return OpenVinoEngine(model, cache)


class OpenVinoEngine:
    """An ``Engine``: a batch is cut into chunks of few sizes, which run side by side."""

    def __init__(self, model: Path | bytes, cache: Path | None = None) -> None:
        """``model`` is an ONNX file or its content; what is compiled of it is kept in the folder ``cache``, if any.

        Raises RuntimeError for a network that OpenVINO cannot run.
        """
        openvino = import_openvino()
        self._cores = cores()
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
        self._compiling = threading.Lock()
        self._calling = threading.Lock()  # all calls but waiting, one at a time
        self._callers = 0
        # The networks of several sizes have threads of their own: together they would be more than the cores.
        self._running = threading.Semaphore(self._cores)
        self._compiled: dict[int, _Compiled] = {}
        self._for(1)

    @property
    def version(self) -> str:
        """OpenVINO and its version."""
        return f"openvino {self._version}"

    def run(self, batch: RGB) -> Vectors:
        """See ``Engine``. The first chunk of a new size waits for the network to be compiled for it."""
        found: list[Vectors] = []
        begun: deque[tuple[_Compiled, Any]] = deque()
        start = 0
        with self._share() as workers:
            try:
                for size in chunk_sizes(len(batch), workers):
                    # Who has begun something never waits for others: two callers could wait for each other for ever.
                    while not self._running.acquire(blocking=not begun):
                        found.append(self._ended(*begun.popleft()))
                    begun.append(self._begun(batch[start : start + size]))
                    start += size
                while begun:
                    found.append(self._ended(*begun.popleft()))
            finally:
                with ExitStack() as others:  # there are others only where one before them has failed
                    for one in begun:
                        others.callback(self._ended, *one)
        return np.concatenate(found)

    @contextmanager
    def _share(self) -> Iterator[int]:
        """How many cores a caller has, if those who call meanwhile have as many."""
        with self._calling:
            self._callers += 1
            workers = max(1, self._cores // self._callers)
        try:
            yield workers
        finally:
            with self._calling:
                self._callers -= 1

    def _begun(self, chunk: RGB) -> tuple[_Compiled, Any]:
        """A request under way, for which ``_running`` was acquired."""
        try:
            compiled = self._for(len(chunk))
            with self._calling:
                request = compiled.request()
                # Copied, not shared: OpenVINO's own threads would have to wait for Python's lock to give an array back,
                # and two callers at once then wait for each other for ever.
                np.copyto(request.get_input_tensor(0).data, chunk)
                request.start_async()
        except BaseException:
            self._running.release()
            raise
        return compiled, request

    def _ended(self, compiled: _Compiled, request: Any) -> Vectors:
        try:
            request.wait()
        finally:
            self._running.release()
        with self._calling:
            vectors: Vectors = np.array(request.get_output_tensor(0).data, np.float32)
        compiled.idle.put(request)
        return vectors

    def _for(self, size: int) -> _Compiled:
        """The network for chunks of ``size`` pictures, one of ``COSTS``."""
        with self._compiling:
            if size not in self._compiled:
                model = self._core.read_model(self._model if isinstance(self._model, bytes) else str(self._model))
                shape = model.input(0).partial_shape
                shape[0] = size
                model.reshape(shape)
                self._compiled[size] = _Compiled(self._core.compile_model(model, "CPU", self._settings))
            return self._compiled[size]


@lru_cache(maxsize=1024)
def chunk_sizes(count: int, workers: int) -> tuple[int, ...]:
    """The sizes, all in ``COSTS``, of the chunks of a batch: those that so many workers have done first.

    Where several ways end at the same time, the one that costs least.
    """
    ways = [_divided(count, most) for most in COSTS]
    return min(ways, key=lambda way: (_until_done(way, workers), sum(COSTS[size] for size in way)))


def _divided(count: int, most: int) -> tuple[int, ...]:
    """A number in as few as possible of the sizes up to ``most``, large ones first."""
    found: list[int] = []
    for size in COSTS:
        if size <= most:
            found += [size] * (count // size)
            count %= size
    return tuple(found)


def _until_done(way: tuple[int, ...], workers: int) -> int:
    """How long it takes if each worker goes on with the next chunk when it has ended one."""
    loads = [0] * workers
    for size in way:
        loads[loads.index(min(loads))] += COSTS[size]
    return max(loads)


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
