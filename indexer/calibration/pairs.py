"""Pairs of pictures that are known to show the same thing or not, with their scores and weights.

From labels there are far more pairs than anybody needs, and nearly all different ones are easy. So the different
pairs are drawn from two strata: the hard ones, where one picture is among the other's nearest of other labels, and
the rest. Each pair stands for as many as there are in its stratum for one that was drawn, so the hard ones count by
their natural share, and the tail that decides a threshold is still made of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_PAIRS = 40_000
"""Pairs of a kind that are drawn, at most; the hard ones come beside them."""
NEAREST = 10
"""How many nearest pictures of other labels make hard pairs."""
BLOCK = 1024

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pairs:
    """(n,) arrays, an entry a pair: the rows of its two pictures, whether they are the same, cosine, and weight.

    ``weights`` are natural: how many pairs of the whole an entry stands for.
    """

    first: Rows
    second: Rows
    same: npt.NDArray[np.bool_]
    scores: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.same)

    @property
    def positives(self) -> int:
        """How many are the same."""
        return int(self.same.sum())

    @property
    def negatives(self) -> int:
        """How many are different."""
        return len(self) - self.positives

    def only(self, chosen: npt.NDArray[np.bool_]) -> Pairs:
        """The pairs where ``chosen`` (n,) holds."""
        return Pairs(
            self.first[chosen], self.second[chosen], self.same[chosen], self.scores[chosen], self.weights[chosen]
        )


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Pairs of several sets of pictures as one: each set weighs the same in all, and no row means two pictures."""
    offsets = np.cumsum([0, *(_rows(part) for part in parts[:-1])])
    return Pairs(
        np.concatenate([part.first + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.second + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.same for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.weights / part.weights.sum() for part in parts]),
    )


def scored(vectors: Vectors, first: Rows, second: Rows, same: npt.NDArray[np.bool_]) -> Pairs:
    """Given pairs of rows of ``vectors`` (n, D), unit length, each of weight one."""
    return Pairs(first, second, same, _cosines(vectors, first, second), np.ones(len(same)))


def pairs_of_labels(vectors: Vectors, labels: Sequence[str], rows: Rows, seed: int) -> Pairs:
    """Same and different pairs among ``rows`` of ``vectors`` (n, D), unit length, labelled by ``labels`` (n).

    All same pairs, or a sample of MOST_PAIRS; all different pairs if there are no more than that, else the hard ones
    and a sample of the others, weighted as the module says.
    """
    random = np.random.default_rng(seed)
    codes = np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)[rows]
    near = np.asarray(vectors[rows], dtype=np.float32)
    same, same_weight = _same_pairs(codes, random)
    strata = [(same, same_weight, True), *((pairs, weight, False) for pairs, weight in _different(near, codes, random))]
    first = np.concatenate([pairs[:, 0] for pairs, _, _ in strata])
    second = np.concatenate([pairs[:, 1] for pairs, _, _ in strata])
    return Pairs(
        rows[first],
        rows[second],
        np.concatenate([np.full(len(pairs), kind) for pairs, _, kind in strata]),
        _cosines(near, first, second),
        np.concatenate([np.full(len(pairs), weight) for pairs, weight, _ in strata]),
    )


def _same_pairs(codes: Rows, random: np.random.Generator) -> tuple[Rows, float]:
    """(n, 2) pairs of equal codes, and how many pairs each stands for."""
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max(initial=-1) + 2))
    sizes = np.diff(starts)
    ends = np.cumsum(sizes * (sizes - 1) // 2)
    total = int(ends[-1]) if len(ends) else 0
    # A pair's number says which label it belongs to and which pair of that label it is: none need be held but those
    # that are drawn.
    numbers = np.sort(random.choice(total, min(total, MOST_PAIRS), replace=False)) if total else np.empty(0, np.int64)
    label = np.searchsorted(ends, numbers, side="right")
    within = numbers - (ends[label] - (sizes * (sizes - 1) // 2)[label])
    larger = ((1 + np.sqrt(1 + 8 * within.astype(np.float64))) / 2).astype(np.int64)
    larger -= larger * (larger - 1) // 2 > within
    smaller = within - larger * (larger - 1) // 2
    pairs = np.stack([order[starts[label] + smaller], order[starts[label] + larger]], axis=1)
    return pairs, total / max(1, len(pairs))


def _different(vectors: Vectors, codes: Rows, random: np.random.Generator) -> list[tuple[Rows, float]]:
    """Strata of (n, 2) pairs of unequal codes, and how many pairs each of theirs stands for."""
    count = len(codes)
    sizes = np.bincount(codes) if count else np.empty(0, np.int64)
    total = count * (count - 1) // 2 - int((sizes * (sizes - 1) // 2).sum())
    if total <= MOST_PAIRS:
        first, second = np.triu_indices(count, 1)
        different = codes[first] != codes[second]
        return [(np.stack([first[different], second[different]], axis=1).astype(np.int64), 1.0)]
    hard = _hard(vectors, codes)
    known = hard[:, 0] * count + hard[:, 1]
    easy = np.empty(0, np.int64)
    while len(easy) < min(MOST_PAIRS, total - len(known)):
        ends = np.sort(random.integers(0, count, (2 * MOST_PAIRS, 2)), axis=1)
        ends = ends[codes[ends[:, 0]] != codes[ends[:, 1]]]
        drawn = ends[:, 0] * count + ends[:, 1]
        easy = np.union1d(easy, drawn[~np.isin(drawn, known)])
        if len(easy) > MOST_PAIRS:
            easy = random.choice(easy, MOST_PAIRS, replace=False)
    pairs = np.stack([easy // count, easy % count], axis=1)
    return [(hard, 1.0), (pairs, (total - len(hard)) / len(pairs))] if len(pairs) else [(hard, 1.0)]


def _hard(vectors: Vectors, codes: Rows) -> Rows:
    """(n, 2) distinct pairs of a picture and one of its NEAREST pictures of other labels."""
    count = len(codes)
    found = []
    for start in range(0, count, BLOCK):
        block = slice(start, min(count, start + BLOCK))
        cosines = vectors[block] @ vectors.T
        cosines[codes[block, None] == codes[None]] = -np.inf
        nearest = np.argpartition(-cosines, min(NEAREST, count) - 1, axis=1)[:, :NEAREST]
        rows = np.repeat(np.arange(block.start, block.stop), nearest.shape[1])
        reached = np.take_along_axis(cosines, nearest, axis=1).ravel() > -np.inf
        ends = np.sort(np.stack([rows, nearest.ravel()], axis=1)[reached], axis=1)
        found.append(np.unique(ends[:, 0] * count + ends[:, 1]))
    numbers = np.unique(np.concatenate(found))
    return np.stack([numbers // count, numbers % count], axis=1)


def _cosines(vectors: Vectors, first: Rows, second: Rows) -> Floats:
    """The cosine of each pair of rows, in blocks: gathered at once, the vectors of all pairs would fill the memory."""
    blocks = [
        np.einsum("nd,nd->n", vectors[first[at : at + BLOCK]], vectors[second[at : at + BLOCK]])
        for at in range(0, len(first), BLOCK)
    ]
    return np.clip(np.concatenate([np.empty(0, np.float32), *blocks]).astype(np.float64), -1.0, 1.0)


def _rows(pairs: Pairs) -> int:
    return int(max(pairs.first.max(initial=-1), pairs.second.max(initial=-1))) + 1
