"""The plan: which index for how many vectors, in how much memory, and that it says why."""

from __future__ import annotations

import pytest

from lookalike.errors import VectorsInvalidError
from lookalike.index.planner import IndexRequirements, next_up, plan_index
from lookalike.wiring import INDEX_TYPES

GIGABYTE = 10**9


@pytest.mark.parametrize(
    ("count", "memory", "engine", "bytes_in_memory", "reason"),
    [
        # A vector of 608 float32 takes 2432 bytes in a scan, and 325 in a graph: 192 of code, 128 of links on layer 0
        # and 5 of links above. In lists it takes 72, and each of the lists 4 bytes for each of 256 components.
        (0, None, "faiss-flat", 0, "faiss-flat: exact search over 0 vectors"),
        (20_000, None, "faiss-flat", 48_640_000, "faiss-flat: exact search over 20000 vectors"),
        (
            20_001, None, "faiss-hnsw", 6_500_325,
            "faiss-hnsw: a graph over 20001 vectors, 7 MB in memory; the candidates are scored exactly",
        ),
        (
            1_000_000, 12 * GIGABYTE, "faiss-hnsw", 325_000_000,
            "faiss-hnsw: a graph over 1000000 vectors, 0.3 GB in memory; the candidates are scored exactly",
        ),
        (
            10_000_000, 12 * GIGABYTE, "faiss-hnsw", 3_250_000_000,
            "faiss-hnsw: a graph over 10000000 vectors, 3.2 GB in memory; the candidates are scored exactly",
        ),
        (
            10_000_000, 2 * GIGABYTE, "faiss-ivfpq", 725_000_000,
            "faiss-ivfpq: a graph would take 3.2 GB, and 2.0 GB may be used",
        ),
        (
            100_000_000, 12 * GIGABYTE, "faiss-ivfpq", 7_216_000_000,
            "faiss-ivfpq: a graph would take 32.5 GB, and 12.0 GB may be used",
        ),
    ],
)  # fmt: skip
def test_the_number_of_pictures_and_the_memory_decide(
    count: int, memory: int | None, engine: str, bytes_in_memory: int, reason: str
) -> None:
    plan = plan_index(count, 608, IndexRequirements(memory=memory), INDEX_TYPES)
    assert plan.engine == engine
    assert plan.estimate.memory == pytest.approx(bytes_in_memory, rel=1e-3)
    assert reason in plan.reasons


def test_what_is_asked_for_by_name_is_planned() -> None:
    assert plan_index(50, 608, IndexRequirements("exact"), INDEX_TYPES).engine == "exact"
    assert plan_index(3_000, 608, IndexRequirements("faiss-ivfpq"), INDEX_TYPES).engine == "faiss-ivfpq"


def test_too_few_to_train_on_are_searched_exactly_and_the_plan_says_so() -> None:
    plan = plan_index(1_999, 608, IndexRequirements("faiss-hnsw"), INDEX_TYPES)
    assert plan.engine == "faiss-flat"
    assert "too few" in plan.reasons[0]


def test_a_recall_of_one_is_an_exact_search() -> None:
    assert plan_index(500_000, 608, IndexRequirements(target_recall=1.0), INDEX_TYPES).engine == "faiss-flat"


def test_reasons_of_a_short_memory_name_both_sizes() -> None:
    why = " ".join(plan_index(10_000_000, 608, IndexRequirements(memory=2 * GIGABYTE), INDEX_TYPES).reasons)
    assert "3.2 GB" in why, "192 bytes of code and 133 of links for each of ten million"
    assert "2.0 GB" in why


def test_estimates_say_what_a_flat_index_weighs() -> None:
    flat = INDEX_TYPES.estimates(1_000_000, 608)["faiss-flat"]
    assert (flat.memory, flat.disk, flat.build_s) == (1_000_000 * 608 * 4, 1_000_000 * 608 * 4, 0)


def test_estimates_of_a_million_order_the_types_by_memory() -> None:
    estimates = INDEX_TYPES.estimates(1_000_000, 608)
    assert sorted(estimates, key=lambda name: estimates[name].memory) == [
        "faiss-ivfpq",
        "faiss-hnsw",
        "faiss-flat16",
        "faiss-flat",
    ]


@pytest.mark.parametrize(
    ("count", "engine", "build_s", "query_ms"),
    [
        (30_000, "faiss-hnsw", 13.5, 0.19), (100_000, "faiss-hnsw", 51.0, 0.25),
        (30_000, "faiss-ivfpq", 2.9, 1.1), (100_000, "faiss-ivfpq", 5.6, 1.6),
    ],
)  # fmt: skip
def test_estimates_of_time_are_near_the_measurements_that_they_were_fitted_to(
    count: int, engine: str, build_s: float, query_ms: float
) -> None:
    # The figures of the comments in ``estimate`` of either type: one 2.5 GHz core with AVX-512, vectors of 608 numbers.
    estimate = INDEX_TYPES.estimates(count, 608)[engine]
    assert estimate.build_s == pytest.approx(build_s, rel=0.1)
    assert estimate.query_ms == pytest.approx(query_ms, rel=0.1)


@pytest.mark.parametrize(
    ("count", "build_s", "query_ms"), [(10_000, 5.44, 0.198), (100_000, 55.7, 0.321), (1_000_000, 787.0, 0.626)]
)
def test_estimates_of_a_graph_are_of_the_size_of_the_published_measurements(
    count: int, build_s: float, query_ms: float
) -> None:
    # benchmarks/results/index-10k.json, index.json and index-1m.json: build_cpu_s, and single_us at a recall of 0.99.
    estimate = INDEX_TYPES.estimates(count, 608)["faiss-hnsw"]
    assert estimate.build_s == pytest.approx(build_s, rel=0.5)
    assert estimate.query_ms == pytest.approx(query_ms, rel=0.5)


def test_after_a_miss_comes_a_type_that_misses_less_until_a_scan_would_take_seconds() -> None:
    names = ("faiss-ivfpq", "faiss-hnsw", "faiss-flat16", "faiss-flat")
    assert [next_up(name, 100_000, INDEX_TYPES) for name in names] == [*names[1:], None]
    assert next_up("faiss-hnsw", 3_000_000, INDEX_TYPES) is None


def test_a_type_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(VectorsInvalidError, match="no index engine 'annoy'; there are: faiss-flat, faiss-flat16"):
        plan_index(3_000, 608, IndexRequirements("annoy"), INDEX_TYPES)


def test_each_type_that_may_miss_gives_way_to_one_that_there_is_until_nothing_is_missed() -> None:
    for name in INDEX_TYPES:
        above: str | None = name
        for _ in INDEX_TYPES:
            above = None if above is None else INDEX_TYPES[above].next_up
        assert above is None
        assert (INDEX_TYPES[name].next_up is None) == INDEX_TYPES[name].is_exact
