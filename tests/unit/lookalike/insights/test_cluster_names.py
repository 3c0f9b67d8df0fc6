"""A cluster is named by what tells it from others."""

from __future__ import annotations

import math

import pytest

from lookalike.insights.cluster_names import ClusterValue, ValueCounts, name_clusters, value_texts


def test_a_value_counts_by_its_share_times_the_logarithm_of_its_lift() -> None:
    counts = ValueCounts(2)
    for values in (["mug", "red"], ["mug", "blue"], ["mug", "mug"], []):
        counts.add(0, values)
    for values in (["red"], ["red"], ["blue"], ["blue"], [], []):
        counts.add(1, values)
    (first, *others) = counts.telling_values(0)
    assert (first.value, first.share) == ("mug", 3 / 4)
    assert first.lift == pytest.approx((3 / 4) / (3 / 10))
    assert first.score == pytest.approx(3 / 4 * math.log(2.5))
    assert others == [], "red and blue are rarer here than elsewhere"


def test_a_second_value_is_in_the_name_if_it_tells_nearly_as_much() -> None:
    strong, near, weak = (ClusterValue(name, share, 4.0) for name, share in (("a", 0.8), ("b", 0.5), ("c", 0.3)))
    assert name_clusters([[strong, near, weak]]) == ["a / b"]
    assert name_clusters([[strong, weak]]) == ["a"]


def test_a_value_of_few_items_names_nothing() -> None:
    assert name_clusters([[ClusterValue("rare", 0.2, 40.0)], []]) == ["cluster 1", "cluster 2"]


def test_no_two_names_are_the_same_and_long_ones_are_cut() -> None:
    mug = [ClusterValue("mug", 1.0, 2.0)]
    assert name_clusters([mug, mug, [ClusterValue("mug 2", 1.0, 2.0)], mug]) == ["mug", "mug 2", "mug 2 2", "mug 3"]
    (name,) = name_clusters([[ClusterValue("x" * 500, 1.0, 2.0)]])
    assert len(name) == 40


def test_values_of_any_type_are_texts() -> None:
    assert value_texts(["a", 1, True, ""]) == ["a", "1", "True"]
    assert value_texts(5.5) == ["5.5"]
    assert value_texts(None) == value_texts("") == value_texts([]) == []
