"""What every index engine promises, checked on each of them against the definition of the inner product."""

from __future__ import annotations

import errno
import functools
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.errors import IndexDamagedError, VectorsInvalidError
from lookalike.index.base import IndexSettings, Neighbours, VectorIndex, ignore_progress
from lookalike.wiring import INDEX_TYPES

SEED = 20
SCANS = ("exact", "faiss-flat")
Vectors = npt.NDArray[np.float32]


def unit_vectors(count: int, dimension: int = 24, seed: int = SEED) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(params=INDEX_TYPES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def filled(engine: str, vectors: Vectors) -> VectorIndex:
    return INDEX_TYPES.build(engine, vectors, ignore_progress)


@functools.cache
def large(engine: str) -> tuple[VectorIndex, Vectors]:
    """An index over so many vectors that every type walks its codes, built once for all tests that only ask it."""
    vectors = unit_vectors(5000)
    return filled(engine, vectors), vectors


def assert_neighbours(found: Neighbours, queries: Vectors, vectors: Vectors, mask: npt.NDArray[np.bool_]) -> None:
    """Scores are the k greatest inner products in float64; each position has the score that stands beside it."""
    truth = queries.astype(np.float64) @ vectors.astype(np.float64).T
    truth[:, ~mask] = -np.inf
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
    mask = np.random.default_rng(SEED).random(400) < 0.1
    found = filled(engine, vectors).search(queries, 60, mask=mask)
    assert mask[found.positions[found.positions >= 0]].all()
    assert (found.positions >= 0).sum(axis=1).tolist() == [min(60, int(mask.sum()))] * 9
    assert_neighbours(found, queries, vectors, mask)


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


@pytest.mark.parametrize("scan", SCANS)
def test_an_index_of_nothing_answers_nothing(scan: str, tmp_path: Path) -> None:
    nothing = unit_vectors(0)
    empty = filled(scan, nothing)
    assert (empty.search(unit_vectors(2), 3).positions == -1).all()
    empty.save(tmp_path / "index")
    assert len(INDEX_TYPES.load(scan, tmp_path / "index", nothing)) == 0


@pytest.mark.parametrize("approximate", sorted(set(INDEX_TYPES) - set(SCANS)))
def test_what_must_be_trained_is_not_built_over_nothing(approximate: str) -> None:
    with pytest.raises(VectorsInvalidError, match="use faiss-flat"):
        filled(approximate, unit_vectors(0))


def test_no_query_gets_no_answer(engine: str) -> None:
    assert len(filled(engine, unit_vectors(5)).search(unit_vectors(0), 3).scores) == 0


def test_a_mask_that_lets_nothing_through_answers_nothing(engine: str) -> None:
    found = filled(engine, unit_vectors(300)).search(unit_vectors(2), 3, mask=np.zeros(300, dtype=bool))
    assert (found.positions == -1).all()


def test_a_saved_index_answers_as_before(engine: str, tmp_path: Path) -> None:
    (index, vectors), queries = large(engine), unit_vectors(6, seed=SEED + 4)
    index.save(tmp_path / "index")
    loaded = INDEX_TYPES.load(engine, tmp_path / "index", vectors)
    assert (len(loaded), loaded.dimension) == (5000, 24)
    np.testing.assert_array_equal(loaded.search(queries, 8).positions, index.search(queries, 8).positions)
    mask = np.arange(5000) % 2 == 0
    assert (loaded.search(queries, 8, mask=mask).positions % 2 == 0).all()


def test_scores_are_exact_and_nothing_is_missing_whatever_the_index_has_lost(engine: str) -> None:
    (index, vectors), queries = large(engine), unit_vectors(30, seed=SEED + 5)
    truth = queries.astype(np.float64) @ vectors.astype(np.float64).T
    for k in (1, 10, 300, 1000):
        found = index.search(queries, k)
        assert (found.positions >= 0).all()
        np.testing.assert_allclose(np.take_along_axis(truth, found.positions, 1), found.scores, atol=1e-5)
        assert (np.diff(found.scores, axis=1) <= 0).all()
        assert all(len(set(row.tolist())) == k for row in found.positions)
        kth = np.sort(truth, axis=1)[:, -k]
        assert (found.scores >= kth[:, None] - 1e-5).mean() > 0.85


def test_a_mask_keeps_its_word_however_many_pass(engine: str) -> None:
    (index, vectors), queries = large(engine), unit_vectors(8, seed=SEED + 6)
    for share in (0.001, 0.02, 0.5, 0.98):
        mask = np.random.default_rng(SEED).random(5000) < share
        found = index.search(queries, 20, mask=mask)
        assert (found.positions >= 0).sum(axis=1).tolist() == [min(20, int(mask.sum()))] * 8
        assert mask[found.positions[found.positions >= 0]].all()
        kth = np.sort((queries @ vectors.T)[:, mask], axis=1)[:, -min(20, int(mask.sum()))]
        real = found.scores[np.isfinite(found.scores)].reshape(8, -1)
        assert (real >= kth[:, None] - 1e-5).mean() > 0.85


def test_threads_that_ask_at_once_get_what_each_would_get_alone(engine: str) -> None:
    index, _ = large(engine)
    questions = [
        (unit_vectors(3, seed=seed), 1 + seed % 40, np.arange(5000) % (1 + seed % 3) == 0) for seed in range(24)
    ]

    def ask(question: tuple[Vectors, int, npt.NDArray[np.bool_]]) -> list[list[int]]:
        queries, k, mask = question
        answer: list[list[int]] = index.search(queries, k, mask=mask).positions.tolist()
        return answer

    alone = [ask(question) for question in questions]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, questions)) == alone


def test_a_disk_without_room_is_an_error_of_the_system(engine: str, tmp_path: Path) -> None:
    index, _ = large(engine)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            index.save(tmp_path / "index")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_an_index_of_other_vectors_is_refused_by_name(engine: str, tmp_path: Path) -> None:
    filled(engine, unit_vectors(300)).save(tmp_path / "index")
    with pytest.raises(IndexDamagedError, match="index"):
        INDEX_TYPES.load(engine, tmp_path / "index", unit_vectors(301))


@pytest.mark.parametrize("approximate", sorted(set(INDEX_TYPES) - set(SCANS)))
def test_settings_of_one_index_do_not_reach_another_over_the_same_file(approximate: str, tmp_path: Path) -> None:
    (index, vectors), queries = large(approximate), unit_vectors(30, seed=SEED + 7)
    index.save(tmp_path / "index")
    easy = INDEX_TYPES.load(approximate, tmp_path / "index", vectors, IndexSettings(1, 1.0))
    hard = INDEX_TYPES.load(approximate, tmp_path / "index", vectors, IndexSettings(64, 30.0))
    before = easy.search(queries, 10).scores.sum()
    assert hard.search(queries, 10).scores.sum() >= before
    assert easy.search(queries, 10).scores.sum() == before


@pytest.mark.parametrize("content", [b"", b"not an index", b"\x93NUMPY\x01\x00v\x00{'descr'"])
def test_a_damaged_file_is_refused_by_name(engine: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(IndexDamagedError, match="broken"):
        INDEX_TYPES.load(engine, tmp_path / "broken", unit_vectors(3))


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (np.zeros((2, 23), dtype=np.float32), r"\(n, 24\)"),
        (np.zeros(24, dtype=np.float32), r"\(n, 24\)"),
        (np.zeros((2, 24), dtype=np.float64), "float64"),
        (np.full((2, 24), np.nan, dtype=np.float32), "NaN"),
    ],
)
def test_wrong_queries_are_refused_in_words(engine: str, vectors: Vectors, says: str) -> None:
    index = filled(engine, unit_vectors(4))
    with pytest.raises(VectorsInvalidError, match=says):
        index.search(vectors, 1)


def test_long_queries_are_answered_as_long_as_they_are_finite(engine: str) -> None:
    vectors = unit_vectors(50)
    index = filled(engine, vectors)
    found = index.search(np.float32(1e25) * vectors[7:8], 1)  # its square is beyond float32
    assert found.positions.shape == (1, 1)
    with pytest.raises(VectorsInvalidError, match="infinite"):
        index.search(np.float32(np.inf) * np.ones((1, 24), dtype=np.float32), 1)


def test_queries_that_must_not_be_written_are_answered_alike(engine: str) -> None:
    (index, _), queries = large(engine), unit_vectors(3, seed=SEED + 8)
    expected = index.search(queries, 5).positions
    queries.flags.writeable = False
    np.testing.assert_array_equal(index.search(queries, 5).positions, expected)


def test_a_mask_of_the_wrong_length_is_refused(engine: str) -> None:
    index = filled(engine, unit_vectors(4))
    with pytest.raises(VectorsInvalidError, match=r"\(4,\)"):
        index.search(unit_vectors(1), 1, mask=np.ones(5, dtype=bool))


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(VectorsInvalidError, match="faiss-flat, faiss-flat16"):
        INDEX_TYPES.build("annoy", unit_vectors(3), ignore_progress)
