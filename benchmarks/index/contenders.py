"""Each contender: how it is built into a file, and how it is loaded from there and asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np
import numpy.typing as npt

from lookalike.cores import available_cores
from lookalike.index.base import IndexSettings, ignore_progress
from lookalike.index.build import is_tunable
from lookalike.index.faiss_ops import use_threads
from lookalike.wiring import INDEX_TYPES

faiss: Any = untyped_faiss
Vectors = npt.NDArray[np.float32]
Answers = npt.NDArray[np.int64]
Search = Callable[[Vectors, int], Answers]

K = 10
LINKS, CONSTRUCTION = 16, 200
EFFORTS = (16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320, 384, 512)


@dataclass
class Contender:
    """One index: ``search`` takes queries and an effort; the curve has a row an effort.

    ``mapped`` is how much of its memory is a mapped file, which the process does not count as its own.
    """

    name: str
    search: Search
    efforts: Sequence[int] = EFFORTS
    mapped: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """``build`` writes an index of the vectors into a file, ``load`` makes a contender of it."""

    build: Callable[[Vectors, Path], None]
    load: Callable[[Vectors, Path], Contender]


def _own(engine: str) -> Kind:
    """An index of this project, over the mapped vectors."""

    def build(vectors: Vectors, path: Path) -> None:
        INDEX_TYPES.build(engine, vectors, ignore_progress).save(path)

    def load(vectors: Vectors, path: Path) -> Contender:
        index = INDEX_TYPES.load(engine, path, vectors, None)
        name = f"lookalike {engine}"
        if not is_tunable(index):
            return Contender(name, lambda queries, _: index.search(queries, K).positions, (1,), path.stat().st_size)

        def search(queries: Vectors, effort: int) -> Answers:
            # About what tuning finds: of a graph a third of what the walk keeps is scored again.
            index.settings = IndexSettings(effort, max(1.0, effort / 3 / K) if engine == "faiss-hnsw" else 30.0)
            return index.search(queries, K).positions

        efforts = EFFORTS if engine == "faiss-hnsw" else index.efforts()
        return Contender(name, search, efforts, path.stat().st_size, {"vectors_bytes_mapped": vectors.nbytes})

    return Kind(build, load)


def _faiss_build(vectors: Vectors, path: Path) -> None:
    """FAISS's graph over float32 vectors."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = CONSTRUCTION
    with use_threads(available_cores()):
        index.add(vectors)
    faiss.write_index(index, str(path))


def _faiss_load(_vectors: Vectors, path: Path) -> Contender:
    index = faiss.read_index(str(path))

    def search(queries: Vectors, effort: int) -> Answers:
        answers: Answers = index.search(queries, K, params=faiss.SearchParametersHNSW(efSearch=effort))[1]
        return answers

    return Contender("faiss HNSW flat", search)


def _hnswlib_build(vectors: Vectors, path: Path) -> None:
    hnswlib: Any = import_module("hnswlib")
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=CONSTRUCTION)
    for start in range(0, len(vectors), 100_000):  # it copies what it is given
        index.add_items(vectors[start : start + 100_000], num_threads=os.cpu_count())
    index.save_index(str(path))


def _hnswlib_load(vectors: Vectors, path: Path) -> Contender:
    hnswlib: Any = import_module("hnswlib")
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.load_index(str(path))
    index.set_num_threads(1)

    def search(queries: Vectors, effort: int) -> Answers:
        index.set_ef(effort)
        return np.asarray(index.knn_query(queries, k=K, num_threads=1)[0], dtype=np.int64)

    return Contender("hnswlib", search)


def _usearch(vectors: Vectors) -> Any:
    return import_module("usearch.index").Index(
        ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=LINKS, expansion_add=CONSTRUCTION
    )


def _usearch_build(vectors: Vectors, path: Path) -> None:
    index = _usearch(vectors)
    index.add(np.arange(len(vectors)), vectors, threads=os.cpu_count())
    index.save(str(path))


def _usearch_load(vectors: Vectors, path: Path) -> Contender:
    index = _usearch(vectors)
    index.load(str(path))

    def search(queries: Vectors, effort: int) -> Answers:
        index.expansion_search = effort
        keys = index.search(queries, K, threads=1).keys
        return np.asarray(keys, dtype=np.int64).reshape(len(queries), K)

    return Contender("usearch f16", search)


KINDS: dict[str, Kind] = {
    "lookalike": _own("faiss-hnsw"),
    "ivfpq": _own("faiss-ivfpq"),
    "faiss": Kind(_faiss_build, _faiss_load),
    "hnswlib": Kind(_hnswlib_build, _hnswlib_load),
    "usearch": Kind(_usearch_build, _usearch_load),
    "flat": _own("faiss-flat"),
}
