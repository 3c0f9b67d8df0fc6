"""The graph's own file, and the compiled search where it is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lookalike import compiled
from lookalike.errors import IndexDamagedError, OperatorError
from lookalike.index import hnsw_graph as module
from lookalike.index.base import Vectors, ignore_progress
from lookalike.index.hnsw_graph import graph_search_status
from lookalike.wiring import INDEX_TYPES

COUNT, DIMENSION = 3000, 30


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    rows = np.random.default_rng(3).normal(size=(COUNT, DIMENSION)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def saved(vectors: Vectors, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a graph over the vectors."""
    path = tmp_path_factory.mktemp("graph") / "index"
    INDEX_TYPES.build("faiss-hnsw", vectors, ignore_progress).save(path)
    return path.read_bytes()


@pytest.fixture
def no_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder without compiled libraries, where they are looked for meanwhile."""
    caches = (compiled.compiled_library, module._functions)
    with monkeypatch.context() as patched:
        patched.setattr(compiled, "_FOLDER", tmp_path)
        for cache in caches:
            cache.cache_clear()
        yield tmp_path
    for cache in caches:
        cache.cache_clear()


def altered(saved: bytes, **fields: object) -> bytes:
    """The file with other fields in its head."""
    head = json.loads(saved[: module._HEADER_BYTES]) | fields
    return json.dumps(head).encode().ljust(module._HEADER_BYTES) + saved[module._HEADER_BYTES :]


def refused(path: Path, content: bytes, vectors: Vectors) -> str:
    path.write_bytes(content)
    with pytest.raises(IndexDamagedError) as caught:
        INDEX_TYPES.load("faiss-hnsw", path, vectors)
    assert caught.value.subject == str(path)
    return str(caught.value)


def test_a_file_that_is_no_graph_is_refused_by_name(saved: bytes, vectors: Vectors, tmp_path: Path) -> None:
    for content in (b"", b"{", b"x" * 10_000, json.dumps([1]).encode().ljust(9000), saved[:5000], saved[:-64]):
        assert "cannot be read as a graph" in refused(tmp_path / "index", content, vectors)


def test_a_graph_of_a_later_format_is_refused(saved: bytes, vectors: Vectors, tmp_path: Path) -> None:
    assert "lookalike-graph-9" in refused(tmp_path / "index", altered(saved, format="lookalike-graph-9"), vectors)


@pytest.mark.parametrize(
    "fields",
    [
        {"entry": COUNT}, {"entry": -1}, {"top": 500}, {"links": 30}, {"links": "many"}, {"parts": {}},
    ],
)  # fmt: skip
def test_a_head_that_contradicts_its_parts_is_refused(
    saved: bytes, vectors: Vectors, tmp_path: Path, fields: dict[str, object]
) -> None:
    refused(tmp_path / "index", altered(saved, **fields), vectors)


def test_parts_that_reach_beyond_the_file_are_refused(saved: bytes, vectors: Vectors, tmp_path: Path) -> None:
    parts = json.loads(saved[: module._HEADER_BYTES])["parts"]
    for place in ([0, *parts["records"][1:]], [len(saved), *parts["records"][1:]], [4096, -1, 5], []):
        refused(tmp_path / "index", altered(saved, parts=parts | {"records": place}), vectors)


def test_a_graph_of_fewer_vectors_is_refused(saved: bytes, vectors: Vectors, tmp_path: Path) -> None:
    assert f"{COUNT - 1} vectors" in refused(tmp_path / "index", saved, vectors[:-1])


def test_links_that_lead_nowhere_do_no_harm(saved: bytes, vectors: Vectors, tmp_path: Path) -> None:
    start, count, stride = json.loads(saved[: module._HEADER_BYTES])["parts"]["records"]
    content = bytearray(saved)
    noise = np.random.default_rng(1).integers(0, 256, count * stride, dtype=np.uint8).tobytes()
    content[start : start + count * stride] = noise
    (tmp_path / "index").write_bytes(content)
    found = INDEX_TYPES.load("faiss-hnsw", tmp_path / "index", vectors).search(vectors[:20], 10)
    truth = vectors[:20] @ vectors.T
    np.testing.assert_allclose(np.take_along_axis(truth, found.positions, 1), found.scores, atol=1e-5)


def test_without_the_library_a_graph_is_refused_with_what_to_do(no_libraries: Path, vectors: Vectors) -> None:
    assert "was not compiled" in graph_search_status()
    with pytest.raises(OperatorError, match=r"was not compiled; run `make install`.*--engine"):
        INDEX_TYPES.build("faiss-hnsw", vectors, ignore_progress)


def test_a_library_that_cannot_be_opened_is_named(no_libraries: Path, vectors: Vectors) -> None:
    (no_libraries / "_hnsw_search.abi3.so").write_bytes(b"no library")
    assert "_hnsw_search.abi3.so" in graph_search_status()
    with pytest.raises(OperatorError, match=r"_hnsw_search\.abi3\.so"):
        INDEX_TYPES.build("faiss-hnsw", vectors, ignore_progress)
