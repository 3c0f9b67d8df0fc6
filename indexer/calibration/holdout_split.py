"""Two halves, one to fit and one to check: split by picture, so that no picture's pairs stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from indexer.calibration.pairs import Pairs, Rows

FEW = 4
"""A label with fewer pictures than this goes to one side as a whole: divided, it would have no same pair left."""


def split_labels(labels: Sequence[str], seed: int) -> tuple[Rows, Rows]:
    """The rows of two halves, rising: each label's pictures are divided, those of a small one stay together."""
    random = np.random.default_rng(seed)
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    sides: tuple[list[int], list[int]] = ([], [])
    for code in random.permutation(codes.max(initial=-1) + 1):
        rows = random.permutation(np.flatnonzero(codes == code)).tolist()
        less = int(len(sides[1]) < len(sides[0]))
        parts = (rows, []) if len(rows) < FEW else (rows[0::2], rows[1::2])
        sides[less].extend(parts[0])
        sides[1 - less].extend(parts[1])
    return np.sort(np.array(sides[0], np.int64)), np.sort(np.array(sides[1], np.int64))


def split_pairs(pairs: Pairs, seed: int) -> tuple[Pairs, Pairs]:
    """Given pairs as two halves.

    Pictures that pairs link, over however many others, stay together, so that no pair is lost. Where that leaves one
    side without, because nearly all are linked, pictures are divided at random and the pairs between the halves are
    left out.
    """
    random = np.random.default_rng(seed)
    pictures = int(max(pairs.first.max(), pairs.second.max())) + 1
    links = coo_matrix((np.ones(len(pairs)), (pairs.first, pairs.second)), shape=(pictures, pictures))
    count, group = connected_components(links, directed=False)
    group_of = group[pairs.first]
    kinds = np.stack([np.bincount(group_of[kind], minlength=count) for kind in (pairs.same, ~pairs.same)], axis=1)
    share = kinds / np.maximum(1, kinds.sum(axis=0))
    linked = share.max() > 0.5
    side = random.permutation(np.arange(pictures) % 2) if linked else _even(share, random)[group]
    first, second = side[pairs.first], side[pairs.second]
    return pairs.only((first == 0) & (second == 0)), pairs.only((first == 1) & (second == 1))


def _even(share: np.ndarray[tuple[int, int], np.dtype[np.float64]], random: np.random.Generator) -> Rows:
    """A side for each group, large ones first, each to where less of its kinds of pairs is."""
    side = np.zeros(len(share), np.int64)
    filled = np.zeros((2, share.shape[1]))
    order = random.permutation(len(share))
    for group in order[np.argsort(-share[order].sum(axis=1), kind="stable")]:
        side[group] = int(filled[1] @ share[group] < filled[0] @ share[group])
        filled[side[group]] += share[group]
    return side
