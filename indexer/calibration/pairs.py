"""Pairs of pictures that show the same thing or different ones, with their scores and weights.

Labels give far more pairs than are needed, and nearly all of them score low. Large numbers are therefore sampled by
strata of score: small strata, such as those of the high scores that decide a threshold, are taken as a whole; of
others a sample is drawn, and each drawn pair has the weight (pairs in the stratum) / (pairs drawn). Weighted sums then
estimate those of all pairs, and no single sampled pair decides a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.encoder.base import Vectors

MAX_PAIRS = 100_000
"""Greatest number of pairs of a kind; of more, about so many are drawn."""
STRATA = 400
"""Number of ranges of score from which pairs of a kind are drawn."""
BLOCK = 256

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pairs:
    """(n,) arrays, an entry a pair: the rows of its two pictures, whether they are the same, cosine, and weight.

    ``weights`` say how many pairs of the population an entry stands for.
    """

    first: Rows
    second: Rows
    same: Flags
    scores: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.same)

    @property
    def positives(self) -> int:
        """Number of pairs that are the same."""
        return int(self.same.sum())

    @property
    def negatives(self) -> int:
        """Number of pairs that are different."""
        return len(self) - self.positives

    @property
    def pictures(self) -> int:
        """Number of pictures that are in any pair."""
        return len(np.union1d(self.first, self.second))

    @property
    def prevalence(self) -> float:
        """The share of same pairs among all, by weight."""
        return float(self.weights[self.same].sum() / self.weights.sum())

    def only(self, mask: Flags) -> Pairs:
        """The pairs where ``mask`` (n,) is true."""
        return Pairs(self.first[mask], self.second[mask], self.same[mask], self.scores[mask], self.weights[mask])


def join_sets(parts: Sequence[Pairs]) -> Pairs:
    """Concatenate the pairs of several sets: each set gets the same total weight, and rows are renumbered."""
    offsets = np.cumsum([0, *(_highest_row(part) + 1 for part in parts[:-1])])
    return Pairs(
        np.concatenate([part.first + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.second + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.same for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.weights / part.weights.sum() for part in parts]),
    )


def score_pairs(vectors: Vectors, first: Rows, second: Rows, same: Flags) -> Pairs:
    """Pairs of the given rows of ``vectors`` (n, D), unit length, each of weight one."""
    # In blocks: the vectors of all pairs at once would take too much memory.
    blocks = [
        np.einsum("nd,nd->n", vectors[first[at : at + BLOCK]], vectors[second[at : at + BLOCK]])
        for at in range(0, len(first), BLOCK)
    ]
    cosines = np.concatenate([np.empty(0, np.float32), *blocks]).astype(np.float64)
    return Pairs(first, second, same, np.clip(cosines, -1.0, 1.0), np.ones(len(same)))


def pairs_of_labels(vectors: Vectors, labels: Sequence[str], rows: Rows, seed: int) -> Pairs:
    """Same and different pairs among ``rows`` of ``vectors`` (n, D), unit length, labelled by ``labels`` (n).

    All pairs of a kind if there are no more than MAX_PAIRS, else a weighted sample (see the module's docstring).
    """
    codes = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)[rows]
    row_vectors = np.ascontiguousarray(vectors[rows], dtype=np.float32)
    counts = np.zeros(2 * STRATA, np.int64)
    if _pairs_of_larger_kind(codes) > MAX_PAIRS:
        for _, _, _, strata in _pair_blocks(row_vectors, codes):
            counts += np.bincount(strata, minlength=2 * STRATA)
    probabilities = np.concatenate([_sampling_probabilities(counts[:STRATA]), _sampling_probabilities(counts[STRATA:])])
    random = np.random.default_rng(seed)
    blocks = [_PairBlock(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))]
    for first, second, scores, strata in _pair_blocks(row_vectors, codes):
        is_drawn = random.random(len(strata)) < probabilities[strata]
        blocks.append(_PairBlock(first[is_drawn], second[is_drawn], scores[is_drawn], strata[is_drawn]))
    strata = np.concatenate([block.strata for block in blocks])
    stratum_weights = np.where(
        probabilities < 1, counts / np.maximum(1, np.bincount(strata, minlength=2 * STRATA)), 1.0
    )
    return Pairs(
        rows[np.concatenate([block.first for block in blocks])],
        rows[np.concatenate([block.second for block in blocks])],
        strata >= STRATA,
        np.concatenate([block.scores for block in blocks]),
        stratum_weights[strata],
    )


@dataclass(frozen=True, eq=False)
class _PairBlock:
    first: Rows
    second: Rows
    scores: Floats
    strata: Rows


def _pair_blocks(vectors: Vectors, codes: Rows) -> Iterator[tuple[Rows, Rows, Floats, Rows]]:
    """All pairs, once each, as blocks of (first, second, cosine, stratum); same pairs have the strata from STRATA on.

    Deterministic, so that two passes give the same values: the first counts strata, the second draws.
    """
    count = len(codes)
    for start in range(0, count, BLOCK):
        end = min(count, start + BLOCK)
        row, column = np.triu_indices(end - start, 1, count - start)
        first, second = row + start, column + start
        scores = np.clip((vectors[start:end] @ vectors[start:].T)[row, column], -1.0, 1.0).astype(np.float64)
        strata = np.minimum(((scores + 1) / 2 * STRATA).astype(np.int64), STRATA - 1)
        yield first, second, scores, strata + STRATA * (codes[first] == codes[second])


def _pairs_of_larger_kind(codes: Rows) -> int:
    sizes = np.bincount(codes, minlength=1)
    same = int((sizes * (sizes - 1) // 2).sum())
    return max(same, len(codes) * (len(codes) - 1) // 2 - same)


def _sampling_probabilities(counts: Rows) -> Floats:
    """The probability to draw a pair of each stratum: 1 for small strata, equal expected counts for the others."""
    sorted_counts, budget = np.sort(counts), float(MAX_PAIRS)
    for position, count in enumerate(sorted_counts):
        share = budget / (len(sorted_counts) - position)
        if count > share:
            return np.minimum(1.0, share / np.maximum(1, counts))
        budget -= count
    return np.ones(len(counts))


def _highest_row(pairs: Pairs) -> int:
    return int(max(pairs.first.max(initial=-1), pairs.second.max(initial=-1)))
