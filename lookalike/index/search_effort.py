"""Tuning: the cheapest settings of an approximate index that reach the target recall on queries of the collection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.cores import available_cores
from lookalike.index.base import IndexSettings, Positions, ProgressCallback, TunableIndex, Vectors
from lookalike.index.faiss_ops import scores_at, search_all, use_threads
from lookalike.index.recall import SCORE_TOLERANCE, Recall, recall_of_counts

K = 10
STEP = 1.0
SUBSAMPLE_STEP = 8  # every eighth query decides whether an effort is worth measuring on all
TIES = 21  # neighbours beyond the k-th that are checked for its score
BLOCK = 500  # queries answered exactly in one pass over the vectors, between two calls of the progress callback
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QuerySample:
    """Sampled queries, and the correct neighbours of each.

    The first half are vectors of the collection. Such a vector always finds itself, which says nothing about an index,
    so it is left out of both results. It is also a node of the graph or a member of a list, which another picture is
    not, so the second half are vectors that were perturbed: see ``_perturb``.

    A position is correct if its score is at least that of the k-th best, ``kth``, less ``SCORE_TOLERANCE``: duplicates
    tie, and any of them is correct. ``right`` (m, r) has these positions, and -1 for others; a row without -1 may be
    incomplete.
    """

    k: int
    positions: Positions
    queries: Vectors
    kth: Vectors
    right: Positions

    def subsample(self, step: int) -> QuerySample:
        """Every ``step``-th query, of both halves."""
        rows = slice(None, None, step)
        return QuerySample(self.k, self.positions[rows], self.queries[rows], self.kth[rows], self.right[rows])

    def hit_counts(self, vectors: Vectors, positions: Positions) -> Counts:
        """How many of the k neighbours are among the first 1, 2, .. r of (m, r + 1) returned positions; (m, r)."""
        other_positions = _drop_own(positions, self.positions)
        row_offsets = np.arange(len(other_positions))[:, None] * len(vectors)
        right = self.right >= 0
        hits = np.isin(row_offsets + other_positions, (row_offsets + self.right)[right]) & (other_positions >= 0)
        tied_rows = np.flatnonzero(right.all(axis=1))
        hits[tied_rows] = (
            scores_at(vectors, self.queries[tied_rows], other_positions[tied_rows])
            >= self.kth[tied_rows, None] - SCORE_TOLERANCE
        )
        return np.minimum(np.cumsum(hits, axis=1), self.k).astype(np.int64)

    def recall(self, hit_counts: Counts) -> Recall:
        """Recall of (m,) hit counts: that of the half with the lower one."""
        half = len(hit_counts) // 2
        parts = [recall_of_counts(part, self.k) for part in (hit_counts[:half], hit_counts[half:]) if len(part)]
        return min(parts, key=lambda recall: recall.low)


@dataclass(frozen=True, slots=True)
class Trial:
    """The recall of an index with some settings."""

    settings: IndexSettings
    recall: Recall


def draw_sample(vectors: Vectors, count: int, seed: int, report_progress: ProgressCallback) -> QuerySample:
    """``count`` queries from (n, D) unit vectors, n at least 2, drawn by the seed, with their exact neighbours."""
    random = np.random.default_rng(seed)
    positions = random.permutation(len(vectors))[:count]
    half = len(positions) // 2
    queries = np.array(vectors[positions])
    queries[half:] = _perturb(queries[half:], np.array(queries), random)
    k = min(K, len(vectors) - 1)
    right = np.empty((len(queries), k + TIES), dtype=np.int64)
    kth = np.empty(len(queries), dtype=np.float32)
    with use_threads(available_cores()):
        for start in range(0, len(queries), BLOCK):
            part = slice(start, start + BLOCK)
            neighbours = search_all(vectors, queries[part], k + TIES + 1)
            order = _other_columns(neighbours.positions, positions[part])
            scores = np.take_along_axis(neighbours.scores, order, axis=1)
            kth[part] = scores[:, k - 1]
            is_tied = scores >= scores[:, k - 1 : k] - SCORE_TOLERANCE
            right[part] = np.where(is_tied, np.take_along_axis(neighbours.positions, order, axis=1), -1)
            report_progress("answering sampled queries exactly", min(start + BLOCK, len(queries)), len(queries))
    return QuerySample(k, positions, queries, kth, right)


def _perturb(vectors: Vectors, spread: Vectors, random: np.random.Generator) -> Vectors:
    """The vectors, each moved by a random step with the collection's distribution, ``STEP`` times its spread.

    The step is normally distributed with the covariance of ``spread``. Measured on a collection of real pictures, an
    index needs as much effort for these as for pictures that it has never seen.
    """
    weights = random.standard_normal((len(vectors), len(spread))).astype(np.float32)
    steps = weights @ (spread - spread.mean(axis=0)) / np.sqrt(len(spread), dtype=np.float32)
    perturbed = vectors + np.float32(STEP) * steps
    return np.ascontiguousarray(perturbed / np.maximum(np.linalg.norm(perturbed, axis=1, keepdims=True), 1e-12))


def tune(
    index: TunableIndex, vectors: Vectors, sample: QuerySample, target: float, report_progress: ProgressCallback
) -> Trial:
    """Set the index to the cheapest settings whose recall's lower 95 % bound reaches ``target``.

    If none does, it keeps the most expensive ones, and the recall of the trial is below the target.
    """
    efforts = index.efforts()
    cheapest, lowest_cost = None, float("inf")
    hardest = IndexSettings(efforts[-1], max(1.0, index.depths(efforts[-1])[1] / sample.k))
    for number, effort in enumerate(efforts):
        if index.cost(effort, sample.k) >= lowest_cost:
            break
        depth = _find_depth(index, vectors, sample, target, effort)
        if depth is not None and index.cost(effort, depth) < lowest_cost:
            cheapest, lowest_cost = IndexSettings(effort, depth / sample.k), index.cost(effort, depth)
        report_progress("tuning the search effort", number + 1, len(efforts))
    index.settings = cheapest or hardest
    return Trial(index.settings, measure_search_recall(index, vectors, sample))


def measure_search_recall(index: TunableIndex, vectors: Vectors, sample: QuerySample) -> Recall:
    """Recall of the index with its current settings, by ``search`` as everybody calls it."""
    positions = index.search(sample.queries, sample.k + 1).positions
    return sample.recall(sample.hit_counts(vectors, positions)[:, -1])


def _find_depth(index: TunableIndex, vectors: Vectors, sample: QuerySample, target: float, effort: int) -> int | None:
    """The number of candidates to score again for the target at this effort; None if no number is enough."""
    min_depth, max_depth = index.depths(effort)
    depth_limit = max(sample.k, max_depth)
    subsample = sample.subsample(SUBSAMPLE_STEP)
    if subsample.recall(_candidate_hits(index, vectors, subsample, effort, depth_limit)[:, -1]).high < target:
        return None  # an eighth of the queries is enough to rule out most efforts
    hit_counts = _candidate_hits(index, vectors, sample, effort, depth_limit)
    for depth in _depths_to_try(max(sample.k, min_depth), hit_counts.shape[1]):
        if sample.recall(hit_counts[:, depth - 1]).low >= target:
            return depth
    return None


def _candidate_hits(index: TunableIndex, vectors: Vectors, sample: QuerySample, effort: int, depth: int) -> Counts:
    return sample.hit_counts(vectors, index.candidates(sample.queries, effort, depth + 1))


def _depths_to_try(min_depth: int, max_depth: int) -> list[int]:
    """From ``min_depth`` to ``max_depth`` in steps of 20 %."""
    depths = [min(min_depth, max_depth)]
    while depths[-1] < max_depth:
        depths.append(min(max_depth, max(depths[-1] + 1, round(depths[-1] * 1.2))))
    return depths


def _drop_own(positions: Positions, own_positions: Positions) -> Positions:
    """(m, r + 1) positions without each query's own, or without the last if that is not among them; (m, r)."""
    return np.take_along_axis(positions, _other_columns(positions, own_positions), axis=1)


def _other_columns(positions: Positions, own_positions: Positions) -> Positions:
    """The columns that ``_drop_own`` leaves, (m, r)."""
    return np.argsort(positions == own_positions[:, None], axis=1, kind="stable")[:, :-1]
