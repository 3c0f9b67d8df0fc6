"""Pairs of pictures that are known to show the same thing or not, with their scores and weights.

Labels make far more pairs than are needed, and nearly all of them score low. So where there are many, they are drawn
from strata of equal score: of the few that score high, which decide a threshold, every one is taken, and of the many
others a sample, in which each pair stands for as many as there are in its stratum for one that was drawn. Weighted
sums are then those of all pairs, and no pair that was drawn by chance decides a threshold by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_PAIRS = 100_000
"""Pairs of a kind that are taken; of more, so many are drawn."""
STRATA = 400
"""Ranges of score that pairs of a kind are drawn from."""
BLOCK = 256

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pairs:
    """(n,) arrays, an entry a pair: the rows of its two pictures, whether they are the same, cosine, and weight.

    ``weights`` are natural: how many pairs of the whole an entry stands for.
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

    def only(self, chosen: Flags) -> Pairs:
        """The pairs where ``chosen`` (n,) holds."""
        return Pairs(
            self.first[chosen], self.second[chosen], self.same[chosen], self.scores[chosen], self.weights[chosen]
        )


def join_sets(parts: Sequence[Pairs]) -> Pairs:
    """Pairs of several sets of pictures as one: each set weighs the same in all, and no row means two pictures."""
    offsets = np.cumsum([0, *(_highest_row(part) + 1 for part in parts[:-1])])
    return Pairs(
        np.concatenate([part.first + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.second + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.same for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.weights / part.weights.sum() for part in parts]),
    )


def score_pairs(vectors: Vectors, first: Rows, second: Rows, same: Flags) -> Pairs:
    """Given pairs of rows of ``vectors`` (n, D), unit length, each of weight one."""
    # In blocks: gathered at once, the vectors of all pairs would fill the memory.
    blocks = [
        np.einsum("nd,nd->n", vectors[first[at : at + BLOCK]], vectors[second[at : at + BLOCK]])
        for at in range(0, len(first), BLOCK)
    ]
    cosines = np.concatenate([np.empty(0, np.float32), *blocks]).astype(np.float64)
    return Pairs(first, second, same, np.clip(cosines, -1.0, 1.0), np.ones(len(same)))


def pairs_of_labels(vectors: Vectors, labels: Sequence[str], rows: Rows, seed: int) -> Pairs:
    """Same and different pairs among ``rows`` of ``vectors`` (n, D), unit length, labelled by ``labels`` (n).

    All pairs of a kind if there are no more than MOST_PAIRS, else as many, drawn and weighted as the module says.
    """
    codes = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)[rows]
    chosen = np.ascontiguousarray(vectors[rows], dtype=np.float32)
    counts = np.zeros(2 * STRATA, np.int64)
    if _pairs_of_larger_kind(codes) > MOST_PAIRS:
        for _, _, _, strata in _blocks(chosen, codes):
            counts += np.bincount(strata, minlength=2 * STRATA)
    chances = np.concatenate([_chances(counts[:STRATA]), _chances(counts[STRATA:])])
    random = np.random.default_rng(seed)
    blocks = [_Drawn(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))]
    for first, second, scores, strata in _blocks(chosen, codes):
        drawn = random.random(len(strata)) < chances[strata]
        blocks.append(_Drawn(first[drawn], second[drawn], scores[drawn], strata[drawn]))
    strata = np.concatenate([block.strata for block in blocks])
    each = np.where(chances < 1, counts / np.maximum(1, np.bincount(strata, minlength=2 * STRATA)), 1.0)
    return Pairs(
        rows[np.concatenate([block.first for block in blocks])],
        rows[np.concatenate([block.second for block in blocks])],
        strata >= STRATA,
        np.concatenate([block.scores for block in blocks]),
        each[strata],
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    first: Rows
    second: Rows
    scores: Floats
    strata: Rows


def _blocks(vectors: Vectors, codes: Rows) -> Iterator[tuple[Rows, Rows, Floats, Rows]]:
    """All pairs, once each, as blocks of (first, second, cosine, stratum); same pairs have the strata from STRATA on.

    Two passes give the same values: what is counted in the first is met in the second.
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


def _chances(counts: Rows) -> Floats:
    """The chance of each stratum's pairs to be drawn: small strata are taken whole, of the others as many each."""
    ordered, left = np.sort(counts), float(MOST_PAIRS)
    for position, count in enumerate(ordered):
        share = left / (len(ordered) - position)
        if count > share:
            return np.minimum(1.0, share / np.maximum(1, counts))
        left -= count
    return np.ones(len(counts))


def _highest_row(pairs: Pairs) -> int:
    return int(max(pairs.first.max(initial=-1), pairs.second.max(initial=-1)))
