"""Build an index and measure its recall: plan, build, tune, and the next type if the target was missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from lookalike.errors import RecallTooLowError
from lookalike.index.base import IndexSettings, ProgressCallback, TunableIndex, VectorIndex, Vectors
from lookalike.index.index_types import IndexTypes
from lookalike.index.planner import AUTO, IndexRequirements, next_up, plan_index
from lookalike.index.recall import Recall, measure_recall
from lookalike.index.search_effort import K, QuerySample, draw_sample, tune

QUERIES = (
    4000  # a graph misses all neighbours of about 1 % of queries; with fewer queries that widens the interval too much
)
QUERIES_OF_MANY_VECTORS = 500  # above two million vectors, where an exact answer takes a second
MANY_VECTORS = 2_000_000
EXACT_QUERIES = 256


@dataclass(frozen=True, slots=True)
class MeasuredIndex:
    """An index and its measured recall.

    ``planned`` is the engine of the plan, ``engine`` the one that was built in the end; ``settings`` is None for an
    exact engine, and ``recall`` for an empty collection.
    """

    index: VectorIndex
    planned: str
    engine: str
    settings: IndexSettings | None
    recall: Recall | None
    reasons: tuple[str, ...]


def build_measured_index(
    vectors: Vectors,
    requirements: IndexRequirements,
    types: IndexTypes,
    *,
    seed: int,
    report_progress: ProgressCallback,
) -> MeasuredIndex:
    """Plan, build, tune and measure the index for (n, D) unit vectors; ``seed`` draws the queries.

    Raises RecallTooLowError if no index that the requirements allow reaches the target.
    """
    plan = plan_index(len(vectors), vectors.shape[1], requirements, types)
    engine, reasons, sample = plan.engine, list(plan.reasons), None
    while True:
        index = types.build(engine, vectors, report_progress)
        if not is_tunable(index):
            recall = _measure_exact(index, vectors, seed)
            return MeasuredIndex(index, plan.engine, engine, None, recall, tuple(reasons))
        sample = sample or _draw_queries(vectors, seed, report_progress)
        trial = tune(index, vectors, sample, requirements.target_recall, report_progress)
        if trial.recall.low >= requirements.target_recall:
            reasons.append(_describe(engine, trial.settings, trial.recall))
            return MeasuredIndex(index, plan.engine, engine, trial.settings, trial.recall, tuple(reasons))
        next_engine = next_up(engine, len(vectors), types) if requirements.engine == AUTO else None
        if next_engine is None:
            raise _too_low_error(engine, trial.recall, requirements.target_recall)
        reasons.append(
            f"{_describe(engine, trial.settings, trial.recall)}: below {requirements.target_recall}, so {next_engine}"
        )
        engine = next_engine


def is_tunable(index: VectorIndex) -> TypeGuard[TunableIndex]:
    """Whether an index is approximate, with settings that decide its recall."""
    return hasattr(index, "candidates")


def _draw_queries(vectors: Vectors, seed: int, report_progress: ProgressCallback) -> QuerySample:
    return draw_sample(
        vectors, QUERIES_OF_MANY_VECTORS if len(vectors) > MANY_VECTORS else QUERIES, seed, report_progress
    )


def _measure_exact(index: VectorIndex, vectors: Vectors, seed: int) -> Recall | None:
    """Measured as well, on fewer queries, since each of them reads all vectors."""
    if len(vectors) == 0:
        return None
    count = min(EXACT_QUERIES, max(16, 50_000_000 // len(vectors)))
    positions = np.random.default_rng(seed).permutation(len(vectors))[:count]
    return measure_recall(index, vectors, np.array(vectors[np.sort(positions)]), K)


def _describe(engine: str, settings: IndexSettings, recall: Recall) -> str:
    return (
        f"{engine}: recall@{recall.k} {recall.value:.4f} ({recall.low:.4f} to {recall.high:.4f}) over {recall.queries} "
        f"queries, with effort {settings.effort} and {settings.factor:g} candidates a neighbour"
    )


def _too_low_error(engine: str, recall: Recall, target: float) -> RecallTooLowError:
    reachable = max(0.0, int(recall.low * 1000) / 1000)
    return RecallTooLowError(
        f"the index {engine} reaches recall@{recall.k} {recall.value:.4f} (at least {recall.low:.4f}), and {target} "
        f"was asked for: ask for --recall {reachable:g}, or for another type with --engine",
        subject=engine,
    )
