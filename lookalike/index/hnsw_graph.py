"""An HNSW graph over four-bit codes, its file, and the compiled search (``ext/csrc/hnsw_search.cpp``)."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lookalike.compiled import compiled_library
from lookalike.errors import IndexDamagedError, OperatorError
from lookalike.index.base import Mask, Neighbours, Positions, Vectors

FORMAT = "lookalike-graph-2"
_HEADER_BYTES = 4096  # of the file: JSON, padded with blanks
_CACHE_LINE = 64  # bytes; every record and part begins at a multiple
_Buffer: Any = ctypes.c_char * 0
_PARTS = {
    "matrix": np.int8, "scales": np.float32, "records": np.uint8,
    "climbers": np.int32, "starts": np.int64, "floors": np.int32,
}  # fmt: skip


def stride_for(width: int, links: int) -> int:
    """Bytes of a record: a code of ``width`` bytes and ``links`` node numbers, rounded up to cache lines."""
    return -(-(width + 4 * links) // _CACHE_LINE) * _CACHE_LINE


@dataclass(frozen=True)
class Graph:
    """n nodes, laid out as in ``ext/csrc/hnsw_search.h``; the arrays may be those of a mapped file.

    ``records`` is (n, stride) uint8: a code and the ``links`` of layer 0. ``climbers`` (c,) int32 are nodes of upper
    layers, ``starts`` (c,) int64 the first of their rows in ``floors`` (b, links / 2) int32. ``matrix`` (2 width, D)
    int8 and ``scales`` (2 width,) float32 give the weight of each number of a code for a query. The names are those of
    the file's parts.
    """

    matrix: npt.NDArray[np.int8]
    scales: Vectors
    records: npt.NDArray[np.uint8]
    links: int
    climbers: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    floors: npt.NDArray[np.int32]
    entry: int
    top: int

    def write(self, path: Path) -> None:
        """Write the file that ``read`` maps; raises OSError."""
        parts, layout, offset = self._parts(), {}, _HEADER_BYTES
        for name, part in parts.items():
            layout[name] = [offset, *part.shape]
            offset += -(-part.nbytes // _CACHE_LINE) * _CACHE_LINE
        header = {"format": FORMAT, "links": self.links, "entry": self.entry, "top": self.top, "parts": layout}
        with path.open("wb") as file:
            file.write(json.dumps(header).encode().ljust(_HEADER_BYTES))
            for part in parts.values():
                file.write(np.ascontiguousarray(part).data)
                file.write(bytes(-part.nbytes % _CACHE_LINE))

    @classmethod
    def read(cls, path: Path, vectors: Vectors) -> Self:
        """Map the graph of these vectors; raises IndexDamagedError if the file is another, or damaged."""
        try:
            file_bytes = np.memmap(path, dtype=np.uint8, mode="r")
            header = json.loads(bytes(file_bytes[:_HEADER_BYTES]))
            if header["format"] != FORMAT:
                raise ValueError(f"the format is {header['format']!r}")
            parts = {name: _map_part(file_bytes, dtype, *header["parts"][name]) for name, dtype in _PARTS.items()}
            graph = cls(links=int(header["links"]), entry=int(header["entry"]), top=int(header["top"]), **parts)
            graph._check(vectors)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamagedError(
                f"{path} cannot be read as a graph of the vectors beside it: {error}", subject=str(path)
            ) from error
        return graph

    def _parts(self) -> dict[str, npt.NDArray[Any]]:
        return {name: getattr(self, name) for name in _PARTS}

    def _check(self, vectors: Vectors) -> None:
        """Raise ValueError unless the shapes of all parts agree."""
        count, dimension = vectors.shape
        width = len(self.scales) // 2
        is_consistent = (
            self.matrix.shape == (2 * width, dimension)
            and self.scales.shape == (2 * width,)
            and width % 4 == 0
            and self.links % 2 == 0
            and self.records.shape == (count, stride_for(width, self.links))
            and self.starts.shape == self.climbers.shape
            and self.floors.shape[1:] == (self.links // 2,)
            and 0 <= self.entry < count
            and 0 <= self.top < _CACHE_LINE
        )
        if not is_consistent:
            raise ValueError(f"it is not of {count} vectors of {dimension} numbers")


class GraphSearch:
    """The compiled search of one graph over the (n, D) unit vectors that it was built of; safe from several threads.

    Raises OperatorError where the library was not compiled.
    """

    def __init__(self, graph: Graph, vectors: Vectors) -> None:
        self._candidates, self._search = _functions()
        self._graph, self._vectors = graph, vectors  # keeps the addresses below valid
        count, dimension = vectors.shape
        self._fields = _Fields(
            graph.records.ctypes.data, count, graph.records.shape[1], len(graph.scales) // 2, graph.links,
            graph.climbers.ctypes.data, graph.starts.ctypes.data, graph.floors.ctypes.data,
            len(graph.climbers), len(graph.floors), graph.entry, graph.top,
            graph.matrix.ctypes.data, graph.scales.ctypes.data, vectors.ctypes.data, dimension,
        )  # fmt: skip
        self._graph_pointer = ctypes.byref(self._fields)

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        """The ``depth`` nearest codes by a search of ``effort``, for contiguous (m, D) queries; (m, depth)."""
        positions = np.empty((len(queries), depth), dtype=np.int64)
        _check_memory(
            self._candidates(
                self._graph_pointer, _address(queries), len(queries), effort, depth, _Buffer.from_buffer(positions)
            )
        )
        return positions

    def search(self, queries: Vectors, effort: int, depth: int, k: int, mask: Mask | None) -> Neighbours:
        """The ``k`` best by inner product among the ``depth`` nearest codes that ``mask`` admits."""
        scores = np.empty((len(queries), k), dtype=np.float32)
        positions = np.empty((len(queries), k), dtype=np.int64)
        mask = None if mask is None else np.ascontiguousarray(mask)
        mask_address = None if mask is None else _address(mask)
        _check_memory(
            self._search(
                self._graph_pointer, _address(queries), len(queries), effort, depth, mask_address, k,
                _Buffer.from_buffer(scores), _Buffer.from_buffer(positions),
            )
        )  # fmt: skip
        return Neighbours(scores, positions)


def graph_search_status() -> str:
    """Where the compiled search was loaded from, or why it was not, for a person to read."""
    library, note = compiled_library("_hnsw_search")
    return note if library is None else f"compiled ({note})"


class _Fields(ctypes.Structure):
    """``LookalikeGraph`` of ``ext/csrc/hnsw_search.h``."""

    _fields_: ClassVar = [
        ("records", ctypes.c_void_p), ("count", ctypes.c_int64), ("stride", ctypes.c_int64), ("width", ctypes.c_int64),
        ("links", ctypes.c_int64), ("climbers", ctypes.c_void_p), ("starts", ctypes.c_void_p),
        ("floors", ctypes.c_void_p), ("climber_count", ctypes.c_int64), ("block_count", ctypes.c_int64),
        ("entry", ctypes.c_int64), ("top", ctypes.c_int64), ("matrix", ctypes.c_void_p), ("scales", ctypes.c_void_p),
        ("vectors", ctypes.c_void_p), ("dimension", ctypes.c_int64),
    ]  # fmt: skip


@cache
def _functions() -> tuple[Any, Any]:
    library, note = compiled_library("_hnsw_search")
    if library is None:
        raise OperatorError(
            f"the compiled search of graphs cannot be used: {note}; run `make install` to compile it here, or ask for "
            "another type of index with --engine",
            subject="_hnsw_search",
        )
    address, number = ctypes.c_void_p, ctypes.c_int64
    candidates, search = library.lookalike_graph_candidates, library.lookalike_graph_search
    candidates.argtypes = [address, address, number, number, number, address]
    search.argtypes = [address, address, number, number, number, address, number, address, address]
    return candidates, search


def _address(array: npt.NDArray[Any]) -> Any:
    """The address of an array; ``array.ctypes`` would take four times as long, which counts for a single query."""
    return _Buffer.from_buffer(array) if array.flags.writeable else array.ctypes.data


def _check_memory(status: int) -> None:
    if status:
        raise MemoryError("no memory to search the graph")


def _map_part(file_bytes: npt.NDArray[np.uint8], dtype: Any, start: int, *shape: int) -> npt.NDArray[Any]:
    """A part of a mapped file; raises ValueError if the file ends before it."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if start < _HEADER_BYTES or start % _CACHE_LINE or min(shape) < 0 or start + size > len(file_bytes):
        raise ValueError("it is shorter than its header says")
    part: npt.NDArray[Any] = file_bytes[start : start + size].view(dtype).reshape(shape)
    return part
