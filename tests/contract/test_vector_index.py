"""What every index engine promises, checked on each of them against the definition of the inner product."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.errors import IndexDamagedError, VectorsInvalidError
from lookalike.index.base import Neighbours, VectorIndex
from lookalike.wiring import ENGINE_NAMES, load_index, new_index

SEED = 20
Vectors = npt.NDArray[np.float32]


def unit_vectors(count: int, dimension: int = 24, seed: int = SEED) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(params=ENGINE_NAMES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def filled(engine: str, vectors: Vectors) -> VectorIndex:
    index = new_index(engine, vectors.shape[1])
    index.add(vectors)
    return index


def assert_neighbours(found: Neighbours, queries: Vectors, vectors: Vectors, allowed: npt.NDArray[np.bool_]) -> None:
    """Scores are the k greatest inner products in float64; each position has the score that stands beside it."""
    truth = queries.astype(np.float64) @ vectors.astype(np.float64).T
    truth[:, ~allowed] = -np.inf
    for row, (scores, positions) in enumerate(zip(found.scores, found.positions, strict=True)):
        real = positions >= 0
        expected = np.sort(truth[row])[::-1][: len(scores)]
        np.testing.assert_allclose(scores[real], expected[np.isfinite(expected)], atol=1e-5)
        np.testing.assert_allclose(truth[row, positions[real]], scores[real], atol=1e-5)
        assert len(set(positions[real].tolist())) == real.sum(), "a position came twice"
        assert np.all(np.isneginf(scores[~real]))


def test_neighbours_are_those_of_the_definition(engine: str) -> None:
    vectors, queries = unit_vectors(500), unit_vectors(20, seed=SEED + 1)
    index = filled(engine, vectors)
    for k in (1, 7, 500):
        found = index.search(queries, k)
        assert found.scores.shape == found.positions.shape == (20, k)
        assert found.scores.dtype == np.float32
        assert found.positions.dtype == np.int64
        assert_neighbours(found, queries, vectors, np.ones(500, dtype=bool))


def test_a_vector_finds_itself_first(engine: str) -> None:
    vectors = unit_vectors(300)
    found = filled(engine, vectors).search(vectors, 1)
    assert found.positions[:, 0].tolist() == list(range(300))
    np.testing.assert_allclose(found.scores[:, 0], 1.0, atol=1e-6)
    assert found.scores.max() <= 1.0


def test_a_mask_leaves_out_exactly_what_it_says(engine: str) -> None:
    vectors, queries = unit_vectors(400), unit_vectors(9, seed=SEED + 2)
    allowed = np.random.default_rng(SEED).random(400) < 0.1
    found = filled(engine, vectors).search(queries, 60, allowed=allowed)
    assert allowed[found.positions[found.positions >= 0]].all()
    assert (found.positions >= 0).sum(axis=1).tolist() == [min(60, int(allowed.sum()))] * 9
    assert_neighbours(found, queries, vectors, allowed)


def test_equal_vectors_all_come_and_in_rising_order(engine: str) -> None:
    vectors = unit_vectors(50)
    vectors[[10, 20, 30]] = vectors[40]
    found = filled(engine, vectors).search(vectors[40:41], 4)
    assert found.positions[0].tolist() == [10, 20, 30, 40]


def test_asking_for_more_than_there_is_gives_all_and_says_where_it_ends(engine: str) -> None:
    vectors = unit_vectors(3)
    found = filled(engine, vectors).search(vectors[:1], 5)
    assert sorted(found.positions[0, :3].tolist()) == [0, 1, 2]
    assert found.positions[0, 3:].tolist() == [-1, -1]
    assert np.isneginf(found.scores[0, 3:]).all()


def test_an_empty_index_and_an_empty_query_answer_nothing(engine: str) -> None:
    empty = new_index(engine, 24)
    found = empty.search(unit_vectors(2), 3)
    assert (found.positions == -1).all()
    assert len(filled(engine, unit_vectors(5)).search(unit_vectors(0), 3).scores) == 0


def test_adding_in_parts_is_adding_at_once(engine: str) -> None:
    vectors, queries = unit_vectors(100), unit_vectors(5, seed=SEED + 3)
    index = new_index(engine, 24)
    for start in range(0, 100, 17):
        index.add(vectors[start : start + 17])
    assert len(index) == 100
    found, expected = index.search(queries, 10), filled(engine, vectors).search(queries, 10)
    np.testing.assert_array_equal(found.positions, expected.positions)


def test_a_saved_index_answers_as_before(engine: str, tmp_path: Path) -> None:
    vectors, queries = unit_vectors(200), unit_vectors(6, seed=SEED + 4)
    index = filled(engine, vectors)
    index.save(tmp_path / "index")
    loaded = load_index(engine, tmp_path / "index")
    assert (len(loaded), loaded.dimension) == (200, 24)
    np.testing.assert_array_equal(loaded.search(queries, 8).positions, index.search(queries, 8).positions)
    allowed = np.arange(200) % 2 == 0
    assert (loaded.search(queries, 8, allowed=allowed).positions % 2 == 0).all()


def test_a_disk_without_room_is_an_error_of_the_system(engine: str, tmp_path: Path) -> None:
    index = filled(engine, unit_vectors(5000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            index.save(tmp_path / "index")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("content", [b"", b"not an index", b"\x93NUMPY\x01\x00v\x00{'descr'"])
def test_a_damaged_file_is_refused_by_name(engine: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(IndexDamagedError, match="broken"):
        load_index(engine, tmp_path / "broken")


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (np.zeros((2, 23), dtype=np.float32), r"\(n, 24\)"),
        (np.zeros(24, dtype=np.float32), r"\(n, 24\)"),
        (np.zeros((2, 24), dtype=np.float64), "float64"),
        (np.full((2, 24), np.nan, dtype=np.float32), "NaN"),
    ],
)
def test_wrong_vectors_are_refused_in_words(engine: str, vectors: Vectors, says: str) -> None:
    index = filled(engine, unit_vectors(4))
    with pytest.raises(VectorsInvalidError, match=says):
        index.add(vectors)
    with pytest.raises(VectorsInvalidError, match=says):
        index.search(vectors, 1)
    assert len(index) == 4


def test_a_mask_of_the_wrong_length_is_refused(engine: str) -> None:
    index = filled(engine, unit_vectors(4))
    with pytest.raises(VectorsInvalidError, match=r"\(4,\)"):
        index.search(unit_vectors(1), 1, allowed=np.ones(5, dtype=bool))


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(VectorsInvalidError, match="exact, faiss-flat"):
        new_index("annoy", 8)


def test_an_empty_index_is_saved_too(engine: str, tmp_path: Path) -> None:
    new_index(engine, 24).save(tmp_path / "index")
    assert len(load_index(engine, tmp_path / "index")) == 0
