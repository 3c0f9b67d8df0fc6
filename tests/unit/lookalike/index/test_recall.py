"""Recall: counted by score, so that ties are right, and told with its interval."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.index.base import Mask, Neighbours, Vectors
from lookalike.index.brute_force import scan
from lookalike.index.engines.exact import ExactIndex
from lookalike.index.recall import count_hits, measure_recall, wilson_interval


def neighbours(scores: list[list[float]], positions: list[list[int]]) -> Neighbours:
    return Neighbours(np.array(scores, dtype=np.float32), np.array(positions, dtype=np.int64))


def test_a_tie_answered_by_another_position_is_a_hit() -> None:
    truth = neighbours([[1.0, 0.5]], [[0, 1]])
    assert count_hits(neighbours([[1.0, 0.5]], [[0, 7]]), truth) == 2


def test_a_weaker_answer_and_a_missing_one_are_no_hits() -> None:
    truth = neighbours([[1.0, 0.5, 0.4]], [[0, 1, 2]])
    assert count_hits(neighbours([[1.0, 0.3, -np.inf]], [[0, 9, -1]]), truth) == 1


def test_the_reference_has_full_recall_against_itself() -> None:
    vectors = np.eye(12, dtype=np.float32)
    index = ExactIndex(vectors)
    recall = measure_recall(index, vectors, vectors[:5], k=3)
    assert (recall.value, recall.k, recall.queries, recall.high) == (1.0, 3, 5, 1.0)


def test_an_index_that_lacks_half_of_the_vectors_is_found_out() -> None:
    vectors = np.random.default_rng(3).normal(size=(2000, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    half = ExactIndex(vectors[:1000])
    recall = measure_recall(half, vectors, vectors[:200], k=10)
    assert 0.4 < recall.value < 0.6
    assert recall.low < recall.value < recall.high


class Liar(ExactIndex):
    """Gives true scores beside wrong positions, or the best position k times."""

    def __init__(self, vectors: Vectors, *, repeats: bool) -> None:
        super().__init__(vectors)
        self._repeats = repeats

    def search(self, queries: Vectors, k: int, *, mask: Mask | None = None) -> Neighbours:
        true = super().search(queries, k, mask=mask)
        if self._repeats:
            return Neighbours(np.repeat(true.scores[:, :1], k, axis=1), np.repeat(true.positions[:, :1], k, axis=1))
        return Neighbours(true.scores, (true.positions + 1) % len(self))


@pytest.mark.parametrize(("repeats", "share"), [(False, 0.1), (True, 0.3)])
def test_an_index_that_lies_about_its_answers_is_found_out(repeats: bool, share: float) -> None:
    vectors = np.random.default_rng(4).normal(size=(500, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = Liar(vectors, repeats=repeats)
    assert measure_recall(index, vectors, vectors[:50], k=5).value < share


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(8, 10, 0.490, 0.943), (0, 20, 0.0, 0.161), (5, 5, 0.566, 1.0)]
)
def test_wilson_interval_has_the_published_values(hits: int, total: int, low: float, high: float) -> None:
    # Values of the Wilson score interval as R's prop.test(correct=FALSE) and Hmisc's binconf print them.
    assert wilson_interval(hits, total) == pytest.approx((low, high), abs=1e-3)


def test_scanning_by_blocks_is_scanning_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(5).normal(size=(1000, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = scan(vectors, vectors[:7], 15)
    monkeypatch.setattr("lookalike.index.brute_force.BLOCK_ROWS", 64)
    monkeypatch.setattr(
        "lookalike.index.brute_force.MAX_SCORES", 3 * 64
    )  # three queries at once, then one that is left over
    parts = scan(vectors, vectors[:7], 15)
    np.testing.assert_array_equal(parts.positions, whole.positions)
