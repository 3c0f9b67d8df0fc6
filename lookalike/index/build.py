"""From vectors to an index that has been measured: plan, build, tune, one type up if the target was missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from lookalike.errors import RecallTooLowError
from lookalike.index.base import IndexSettings, Tell, TunableIndex, VectorIndex, Vectors
from lookalike.index.index_types import IndexTypes
from lookalike.index.planner import AUTO, IndexWish, next_up, plan_index
from lookalike.index.recall import Recall, measure_recall
from lookalike.index.search_effort import K, Sample, draw_sample, tune

QUERIES = 4000  # a walk loses one in some hundred wholly, which pushes the bound of fewer far down
QUERIES_OF_MANY = 500  # above two million vectors, where an exact answer takes a second
MANY = 2_000_000
EXACT_QUERIES = 256


@dataclass(frozen=True, slots=True)
class Chosen:
    """An index and what is known of it.

    ``planned`` is the engine of the plan, ``engine`` the one that was built in the end; ``settings`` is None for an
    exact engine, and ``recall`` for a collection of nothing.
    """

    index: VectorIndex
    planned: str
    engine: str
    settings: IndexSettings | None
    recall: Recall | None
    reasons: tuple[str, ...]


def choose_index(vectors: Vectors, wish: IndexWish, types: IndexTypes, *, seed: int, tell: Tell) -> Chosen:
    """The index for (n, D) unit vectors, built and measured; ``seed`` draws the queries that measure it.

    Raises RecallTooLowError where no index that may be built reaches the target.
    """
    plan = plan_index(len(vectors), vectors.shape[1], wish, types)
    engine, reasons, sample = plan.engine, list(plan.reasons), None
    while True:
        index = types.build(engine, vectors, tell)
        if not is_tunable(index):
            recall = _of_exact(index, vectors, seed)
            return Chosen(index, plan.engine, engine, None, recall, tuple(reasons))
        sample = sample or _sample(vectors, seed, tell)
        trial = tune(index, vectors, sample, wish.target_recall, tell)
        if trial.recall.low >= wish.target_recall:
            reasons.append(_words(engine, trial.settings, trial.recall))
            return Chosen(index, plan.engine, engine, trial.settings, trial.recall, tuple(reasons))
        above = next_up(engine, len(vectors), types) if wish.engine == AUTO else None
        if above is None:
            raise _too_low(engine, trial.recall, wish.target_recall)
        reasons.append(f"{_words(engine, trial.settings, trial.recall)}: below {wish.target_recall}, so {above}")
        engine = above


def is_tunable(index: VectorIndex) -> TypeGuard[TunableIndex]:
    """Whether an index may miss neighbours, and has settings that say how many."""
    return hasattr(index, "candidates")


def _sample(vectors: Vectors, seed: int, tell: Tell) -> Sample:
    return draw_sample(vectors, QUERIES_OF_MANY if len(vectors) > MANY else QUERIES, seed, tell)


def _of_exact(index: VectorIndex, vectors: Vectors, seed: int) -> Recall | None:
    """Measured all the same, on fewer queries: each passes over all vectors."""
    if len(vectors) == 0:
        return None
    count = min(EXACT_QUERIES, max(16, 50_000_000 // len(vectors)))
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:count]
    return measure_recall(index, vectors, np.array(vectors[np.sort(chosen)]), K)


def _words(engine: str, settings: IndexSettings, recall: Recall) -> str:
    return (
        f"{engine}: recall@{recall.k} {recall.value:.4f} ({recall.low:.4f} to {recall.high:.4f}) over {recall.queries} "
        f"queries, with effort {settings.effort} and {settings.factor:g} candidates a neighbour"
    )


def _too_low(engine: str, recall: Recall, target: float) -> RecallTooLowError:
    reached = max(0.0, int(recall.low * 1000) / 1000)
    return RecallTooLowError(
        f"the index {engine} reaches recall@{recall.k} {recall.value:.4f} (at least {recall.low:.4f}), and {target} "
        f"was asked for: ask for --recall {reached:g}, or for another type with --engine",
        subject=engine,
    )
