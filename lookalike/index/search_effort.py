"""Finding the cheapest setting of an approximate index that is good enough, by trying it on the collection itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.base import IndexSettings, Positions, Tell, TunableIndex, Vectors
from lookalike.index.faiss_ops import all_threads, nearest, scores_at, threads
from lookalike.index.recall import HAIR, Recall, recall_of_counts

K = 10
STEP = 1.0
THIN = 8  # of so many queries one has to show that an effort may be enough
TIES = 21  # answers beyond the k-th that are looked at for its equals
BLOCK = 500  # queries that are answered exactly in one pass over the vectors, between two words of progress
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """What stands for queries, and the right answers to each.

    The first half are vectors of the collection. Such a vector always finds itself, which says nothing about an index,
    so it is left out of the answers on both sides. It is also a place of the index's own graph or lists, where a
    picture from outside is not, so the second half are vectors moved away from where they lie: see ``_strangers``.

    A position is right if its score is that of the k-th best, ``kth``, within a hair: duplicates tie, and any of them
    is right. ``right`` (m, r) has these positions, and -1 in the place of others; a row that has no -1 may not be all.
    """

    k: int
    positions: Positions
    queries: Vectors
    kth: Vectors
    right: Positions

    def thinned(self, step: int) -> Sample:
        """Every so manieth query, of both halves."""
        chosen = slice(None, None, step)
        return Sample(self.k, self.positions[chosen], self.queries[chosen], self.kth[chosen], self.right[chosen])

    def counts(self, vectors: Vectors, found: Positions) -> Counts:
        """How many of the k neighbours are among the first 1, 2, .. r of (m, r + 1) found positions; (m, r)."""
        others = _without(found, self.positions)
        rows = np.arange(len(others))[:, None] * len(vectors)
        right = self.right >= 0
        hits = np.isin(rows + others, (rows + self.right)[right]) & (others >= 0)
        many = np.flatnonzero(right.all(axis=1))
        hits[many] = scores_at(vectors, self.queries[many], others[many]) >= self.kth[many, None] - HAIR
        return np.minimum(np.cumsum(hits, axis=1), self.k).astype(np.int64)

    def recall(self, counts: Counts) -> Recall:
        """Recall of (m,) counts: that of the half which is answered worse."""
        half = len(counts) // 2
        parts = [recall_of_counts(part, self.k) for part in (counts[:half], counts[half:]) if len(part)]
        return min(parts, key=lambda recall: recall.low)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the index gives with some settings."""

    settings: IndexSettings
    recall: Recall


def draw_sample(vectors: Vectors, count: int, seed: int, tell: Tell) -> Sample:
    """So many queries from (n, D) unit vectors, n at least 2, chosen by the seed, with their exact answers."""
    random = np.random.default_rng(seed)
    positions = random.permutation(len(vectors))[:count]
    half = len(positions) // 2
    queries = np.array(vectors[positions])
    queries[half:] = _strangers(queries[half:], np.array(queries), random)
    k = min(K, len(vectors) - 1)
    right = np.empty((len(queries), k + TIES), dtype=np.int64)
    kth = np.empty(len(queries), dtype=np.float32)
    with threads(all_threads()):
        for start in range(0, len(queries), BLOCK):
            part = slice(start, start + BLOCK)
            found = nearest(vectors, queries[part], k + TIES + 1)
            order = _others(found.positions, positions[part])
            scores = np.take_along_axis(found.scores, order, axis=1)
            kth[part] = scores[:, k - 1]
            tied = scores >= scores[:, k - 1 : k] - HAIR
            right[part] = np.where(tied, np.take_along_axis(found.positions, order, axis=1), -1)
            tell("answering sampled queries exactly", min(start + BLOCK, len(queries)), len(queries))
    return Sample(k, positions, queries, kth, right)


def _strangers(vectors: Vectors, spread: Vectors, random: np.random.Generator) -> Vectors:
    """The vectors, each moved by a random step that has the shape of the collection, and ``STEP`` times its size.

    The step is normally distributed with the covariance of ``spread``. Measured on a collection of real pictures, an
    index needs as much effort for these as for pictures that it has never seen.
    """
    weights = random.standard_normal((len(vectors), len(spread))).astype(np.float32)
    steps = weights @ (spread - spread.mean(axis=0)) / np.sqrt(len(spread), dtype=np.float32)
    moved = vectors + np.float32(STEP) * steps
    return np.ascontiguousarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12))


def tune(index: TunableIndex, vectors: Vectors, sample: Sample, target: float, tell: Tell) -> Trial:
    """Give the index the cheapest settings whose recall's lower 95 % bound reaches ``target``.

    Where none does, it is left with the hardest ones: the caller sees it in the recall.
    """
    efforts = index.efforts()
    chosen, price = None, float("inf")
    hardest = IndexSettings(efforts[-1], max(1.0, index.depths(efforts[-1])[1] / sample.k))
    for number, effort in enumerate(efforts):
        if index.cost(effort, sample.k) >= price:
            break
        depth = _depth(index, vectors, sample, target, effort)
        if depth is not None and index.cost(effort, depth) < price:
            chosen, price = IndexSettings(effort, depth / sample.k), index.cost(effort, depth)
        tell("weighing how hard to search", number + 1, len(efforts))
    index.settings = chosen or hardest
    return Trial(index.settings, searched_recall(index, vectors, sample))


def searched_recall(index: TunableIndex, vectors: Vectors, sample: Sample) -> Recall:
    """Recall of the index as it answers everyone, with the settings that it has."""
    found = index.search(sample.queries, sample.k + 1).positions
    return sample.recall(sample.counts(vectors, found)[:, -1])


def _depth(index: TunableIndex, vectors: Vectors, sample: Sample, target: float, effort: int) -> int | None:
    """How many candidates must be scored again for the target at this effort; None if no number is enough."""
    least, most = index.depths(effort)
    deepest = max(sample.k, most)
    few = sample.thinned(THIN)
    if few.recall(_counts(index, vectors, few, effort, deepest)[:, -1]).high < target:
        return None  # told by an eighth of the queries, as it is of most efforts
    counts = _counts(index, vectors, sample, effort, deepest)
    for depth in _depths(max(sample.k, least), counts.shape[1]):
        if sample.recall(counts[:, depth - 1]).low >= target:
            return depth
    return None


def _counts(index: TunableIndex, vectors: Vectors, sample: Sample, effort: int, depth: int) -> Counts:
    return sample.counts(vectors, index.candidates(sample.queries, effort, depth + 1))


def _depths(least: int, deepest: int) -> list[int]:
    """From the least on in steps of a fifth."""
    depths = [min(least, deepest)]
    while depths[-1] < deepest:
        depths.append(min(deepest, max(depths[-1] + 1, round(depths[-1] * 1.2))))
    return depths


def _without(found: Positions, own: Positions) -> Positions:
    """(m, r + 1) positions without each row's own, or without the last where that is not among them; (m, r)."""
    return np.take_along_axis(found, _others(found, own), axis=1)


def _others(found: Positions, own: Positions) -> Positions:
    """The columns of what ``_without`` leaves, (m, r)."""
    return np.argsort(found == own[:, None], axis=1, kind="stable")[:, :-1]
