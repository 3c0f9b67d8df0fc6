"""Tuning: the cheapest setting that is good enough is taken, and what is not good enough is not published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.errors import RecallTooLowError
from lookalike.index import planner
from lookalike.index.base import (
    IndexSettings,
    Mask,
    Neighbours,
    Positions,
    ProgressCallback,
    VectorIndex,
    Vectors,
    ignore_progress,
)
from lookalike.index.build import build_measured_index
from lookalike.index.engines.exact import ExactIndex
from lookalike.index.index_types import IndexTypes
from lookalike.index.planner import IndexRequirements
from lookalike.index.recall import recall_of_counts
from lookalike.index.search_effort import draw_sample, tune
from lookalike.wiring import INDEX_TYPES


def unit(rows: npt.NDArray[np.float64]) -> Vectors:
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return unit(np.random.default_rng(1).standard_normal((2000, 16)))


class Forgetful(ExactIndex):
    """An index that sees only the first ``effort`` tenths of the vectors; its candidates are in the right order."""

    settings = IndexSettings()
    most = 10

    def efforts(self) -> Sequence[int]:
        return range(5, self.most + 1)

    def depths(self, effort: int) -> tuple[int, int]:
        return 10, 10 + effort

    def cost(self, effort: int, depth: int) -> float:
        return effort * 1000 + depth

    def candidates(self, queries: Vectors, effort: int, depth: int) -> Positions:
        seen = np.arange(len(self)) < len(self) * effort / 10
        return super().search(queries, depth, mask=seen).positions

    def search(self, queries: Vectors, k: int, *, mask: Mask | None = None) -> Neighbours:
        seen = np.arange(len(self)) < len(self) * self.settings.effort / 10
        return super().search(queries, k, mask=seen if mask is None else seen & mask)


class Hopeless(Forgetful):
    """Never sees more than nine tenths."""

    most = 9


def test_the_cheapest_setting_that_reaches_the_target_is_taken(vectors: Vectors) -> None:
    index = Forgetful(vectors)
    sample = draw_sample(vectors, 1000, 3, ignore_progress)
    trial = tune(index, vectors, sample, 0.75, ignore_progress)
    assert index.settings == trial.settings == IndexSettings(effort=8, factor=1.0), "eight tenths are the first above"
    assert 0.75 <= trial.recall.low < trial.recall.value < 0.85


def test_a_query_is_not_counted_as_its_own_neighbour(vectors: Vectors) -> None:
    sample = draw_sample(vectors, 200, 3, ignore_progress)
    for query, own, kth in zip(sample.queries[:100], sample.positions[:100], sample.kth[:100], strict=True):
        scores = vectors @ query
        assert scores[own] == pytest.approx(1.0, abs=1e-6), "the first half are vectors of the collection"
        assert kth == pytest.approx(np.sort(np.delete(scores, own))[-10], abs=1e-6)


@pytest.mark.parametrize("copies", [3, 60])
def test_any_copy_of_a_neighbour_is_as_right_as_the_others(copies: int, vectors: Vectors) -> None:
    many = np.repeat(vectors[:200], copies, axis=0)
    sample = draw_sample(many, 100, 3, ignore_progress)
    found = np.argsort(-(sample.queries @ many.T), axis=1, kind="stable")[:, :400]
    forwards = sample.hit_counts(many, found)
    assert (forwards[:, 9] >= 9).all(), "all but those whose own copy took a place"
    assert (forwards[:, -1] == 10).all()
    # The copies of a vector lie together: turned round within each, they are other positions of the same scores.
    turned = sample.hit_counts(many, found // copies * copies + copies - 1 - found % copies)
    assert (turned[:, -1] == 10).all()
    assert (sample.hit_counts(many, (found + 7 * copies) % len(many))[:, -1] < 10).any(), (
        "positions of other vectors are not"
    )


def test_half_of_the_queries_are_of_no_vector_of_the_collection(vectors: Vectors) -> None:
    sample = draw_sample(vectors, 200, 3, ignore_progress)
    nearest = (sample.queries[100:] @ vectors.T).max(axis=1)
    assert np.linalg.norm(sample.queries, axis=1) == pytest.approx(np.ones(200), abs=1e-5)
    assert nearest.mean() < 0.9


def test_the_worse_half_is_what_is_told(vectors: Vectors) -> None:
    sample = draw_sample(vectors, 200, 3, ignore_progress)
    counts = np.where(np.arange(200) < 100, 10, 6)
    assert sample.recall(counts).value == pytest.approx(0.6)


def test_neighbours_of_one_query_count_for_less_than_as_many_drawn_apart() -> None:
    together = recall_of_counts(np.array([10] * 90 + [0] * 10), 10)
    apart = recall_of_counts(np.array([9] * 100), 10)
    assert together.value == apart.value == pytest.approx(0.9)
    # Wilson's interval of 90 in 100, and of 900 in 1000.
    assert (together.low, together.high) == pytest.approx((0.8256, 0.9448), abs=2e-3)
    assert (apart.low, apart.high) == pytest.approx((0.8798, 0.9171), abs=2e-3)


def test_an_index_asked_for_by_name_that_misses_the_target_is_refused_with_what_it_reaches(vectors: Vectors) -> None:
    class Types(IndexTypes):
        def build(self, _name: str, rows: Vectors, _tell: ProgressCallback) -> VectorIndex:
            return Hopeless(rows)

    with pytest.raises(RecallTooLowError, match=r"faiss-hnsw reaches recall@10 0\.8.*--recall 0\.8"):
        build_measured_index(
            vectors,
            IndexRequirements("faiss-hnsw", 0.99),
            Types(INDEX_TYPES.loaders),
            seed=1,
            report_progress=ignore_progress,
        )


def test_what_was_not_asked_for_by_name_gives_way_to_a_type_that_misses_less(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "EXACT_UP_TO", 1000)
    asked: list[str] = []

    class Types(IndexTypes):
        def build(self, name: str, rows: Vectors, tell: ProgressCallback) -> VectorIndex:
            asked.append(name)
            return Hopeless(rows) if name == "faiss-hnsw" else INDEX_TYPES.build(name, rows, tell)

    chosen = build_measured_index(
        vectors, IndexRequirements("auto", 0.99), Types(INDEX_TYPES.loaders), seed=1, report_progress=ignore_progress
    )
    assert asked == ["faiss-hnsw", "faiss-flat16"]
    assert (chosen.planned, chosen.engine) == ("faiss-hnsw", "faiss-flat16")
    assert chosen.recall is not None
    assert chosen.recall.low >= 0.99
    assert "below 0.99, so faiss-flat16" in " ".join(chosen.reasons)


@pytest.mark.parametrize("engine", ["faiss-flat16", "faiss-hnsw"])
def test_a_published_index_answers_as_well_as_it_promises(engine: str, vectors: Vectors, tmp_path: Path) -> None:
    chosen = build_measured_index(
        vectors, IndexRequirements(engine, 0.95), INDEX_TYPES, seed=1, report_progress=ignore_progress
    )
    assert chosen.recall is not None
    assert chosen.recall.low >= 0.95
    queries = unit(np.random.default_rng(9).standard_normal((300, 16)))
    truth = np.sort(queries @ vectors.T, axis=1)[:, -10]
    found = chosen.index.search(queries, 10)
    assert (found.scores >= truth[:, None] - 1e-5).mean() >= 0.95
    chosen.index.save(tmp_path / "index")
    assert (tmp_path / "index").stat().st_size > 0
