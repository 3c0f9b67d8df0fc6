"""Measures of answers, on rankings small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from indexer.evaluation import measures
from indexer.evaluation.encoders import pareto
from indexer.evaluation.measures import (
    bootstrap,
    by_class,
    confusion,
    rank_queries,
    recall_curve,
    retrieval_metrics,
    summary,
    worst,
)

Floats = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def at_degrees(*angles: float) -> Floats:
    """Unit vectors in the plane: of two, the nearer angle is the more similar."""
    return np.array([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in angles], dtype=np.float32)


def test_ranking_worked_out_by_hand() -> None:
    # Rows at 0, 10, 25 and 45 degrees; names a, b, a, b.
    # 0 ranks b a b: average precision 1/2. 10 ranks a a b: 1/3. 25 ranks b b a: 1/3. 45 ranks a b a: 1/2.
    figures = retrieval_metrics(at_degrees(0, 10, 25, 45), ["a", "b", "a", "b"])
    assert figures["recall_at_1"] == 0.0
    assert figures["precision_at_5"] == pytest.approx(1 / 5)
    assert figures["mean_average_precision"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2) / 4)


def test_two_right_answers_average_their_precisions() -> None:
    # 0 (a) ranks a b a: (1/1 + 2/3) / 2. 10 (a) ranks a b a, likewise. 21 (b) is alone and asks nothing.
    # 50 (a) ranks b a a: (1/2 + 2/3) / 2.
    figures = retrieval_metrics(at_degrees(0, 10, 21, 50), ["a", "a", "b", "a"])
    assert figures["recall_at_1"] == pytest.approx(2 / 3)
    assert figures["mean_average_precision"] == pytest.approx((5 / 6 + 5 / 6 + 7 / 12) / 3)
    assert figures["precision_at_5"] == pytest.approx(2 / 5)


def test_recall_at_k_counts_queries_with_a_right_answer_so_early() -> None:
    # At 0 and 40 lies "a"; between them and beyond lie pictures that are alone: 0 finds 40 fourth, 40 finds 0 fourth.
    rankings = rank_queries(at_degrees(0, 10, 20, 30, 40, 75), ["a", "x", "y", "z", "a", "w"])
    assert rankings.queries.tolist() == [0, 4]
    assert rankings.first_right.tolist() == [4, 5]
    figures = summary(rankings)
    assert (figures.recall_at_1.value, figures.recall_at_5.value, figures.queries) == (0.0, 1.0, 2)
    assert recall_curve(rankings) == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert recall_curve(rankings, 3) == [0.0, 0.0, 0.0]


def test_equal_scores_keep_the_order_of_the_pictures() -> None:
    # All the same vector: each query ranks the others by position. Row 3 (b) meets a, b, a; row 1 (b) meets a, a, b.
    rankings = rank_queries(at_degrees(5, 5, 5, 5), ["a", "b", "a", "b"])
    assert rankings.answers.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert rankings.first_right.tolist() == [2, 3, 1, 2]


def test_pictures_taken_by_blocks_are_ranked_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(11)
    vectors = chance.normal(size=(211, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = [str(number) for number in chance.integers(0, 9, 211)]
    told: list[int] = []
    whole = rank_queries(vectors, labels)
    monkeypatch.setattr(measures, "BLOCK_BYTES", 8 * 211 * 10)
    parts = rank_queries(vectors, labels, told.append)
    np.testing.assert_array_equal(parts.first_right, whole.first_right)
    np.testing.assert_array_equal(parts.answers, whole.answers)
    np.testing.assert_allclose(parts.average_precision, whole.average_precision)
    assert told == [10] * 21 + [1]


def test_figures_agree_with_a_ranking_written_down_plainly() -> None:
    chance = np.random.default_rng(12)
    vectors = chance.normal(size=(60, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = [str(number) for number in chance.integers(0, 4, 60)]
    precisions = []
    for query in range(60):
        others = sorted(
            (row for row in range(60) if row != query), key=lambda row: -float(vectors[query] @ vectors[row])
        )
        right = [labels[row] == labels[query] for row in others]
        hits = [sum(right[: rank + 1]) / (rank + 1) for rank in range(59) if right[rank]]
        precisions.append(sum(hits) / len(hits))
    np.testing.assert_allclose(rank_queries(vectors, labels).average_precision, precisions, atol=1e-4)


def test_confusion_names_what_was_answered_instead() -> None:
    # 0 (a) is nearest to 4 (b), 4 (b) to 0 (a); 50 (a) to 52 (c); 52 and 53 (c) to each other.
    rankings = rank_queries(at_degrees(0, 4, 30, 50, 52, 53), ["a", "b", "b", "a", "c", "c"])
    found = confusion(rankings)
    assert found.names == ("a", "b", "c")
    # 30 (b) is 20 away from 50 (a) and 26 away from 4 (b).
    assert found.matrix.tolist() == [[0, 1, 1], [2, 0, 0], [0, 0, 2]]
    assert found.pairs == (("b", "a", 2), ("a", "b", 1), ("a", "c", 1))


def test_a_label_that_is_alone_can_be_a_wrong_answer() -> None:
    found = confusion(rank_queries(at_degrees(0, 3, 10), ["a", "alone", "a"]))
    assert found.names == ("a", "alone")
    assert found.matrix.tolist() == [[0, 2], [0, 0]]


def test_each_class_has_figures_of_its_own() -> None:
    # a at 0 and 1 find each other; b at 40 and 80 find b second, after an a at 1, and b first after nothing nearer.
    classes = by_class(rank_queries(at_degrees(0, 1, 40, 80), ["a", "a", "b", "b"]))
    assert list(classes) == ["a", "b"]
    assert classes["a"].recall_at_1.value == 1.0
    # 40 is 39 from 1 (a), 40 from 0 (a) and 40 from 80: rows 0 and 3 tie, and row 0 comes first.
    assert classes["b"].recall_at_1.value == 0.5
    assert classes["b"].mean_average_precision.value == pytest.approx((1 / 3 + 1) / 2)


def test_worst_queries_come_first() -> None:
    rankings = rank_queries(at_degrees(0, 1, 40, 80), ["a", "a", "b", "b"])
    assert rankings.queries[worst(rankings, 1)].tolist() == [2]


def test_interval_of_a_share_is_wilsons() -> None:
    pairs = [angle for start in range(0, 80, 20) for angle in (start, start + 1)]
    labels = [str(row // 2) for row in range(8)]
    # 100 is 39 away from 61 and 50 from its like at 150: nine of ten queries find theirs first.
    found = summary(rank_queries(at_degrees(*pairs, 100, 150), [*labels, "far", "far"])).recall_at_1
    assert found.value == 0.9
    # As R's prop.test(9, 10, correct=FALSE) prints it.
    assert (found.low, found.high) == pytest.approx((0.596, 0.982), abs=1e-3)


def test_bootstrap_interval_is_near_the_normal_one_and_the_same_each_time() -> None:
    values = np.random.default_rng(3).uniform(size=(4000, 2))
    low, high = bootstrap(values)
    half = 1.96 * values.std(axis=0) / math.sqrt(4000)
    np.testing.assert_allclose(low, values.mean(axis=0) - half, atol=0.1 * half.max())
    np.testing.assert_allclose(high, values.mean(axis=0) + half, atol=0.1 * half.max())
    np.testing.assert_array_equal(bootstrap(values)[0], low)


def test_an_encoder_is_worth_its_price_unless_another_is_better_in_one_and_worse_in_none() -> None:
    best, cheap, dear, twin = (0.9, 30.0, 512), (0.7, 5.0, 128), (0.8, 31.0, 512), (0.9, 30.0, 512)
    assert pareto([best, cheap, dear]) == [True, True, False]
    assert pareto([best, twin]) == [True, True]
    assert pareto([(0.7, 5.0, 64), cheap]) == [True, False]
