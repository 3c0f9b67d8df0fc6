"""Hold-out split into two halves, one to fit and one to check; by picture, so that no picture is in both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from indexer.calibration.pairs import Pairs, Rows

MIN_SPLIT_SIZE = 4
"""A label with fewer pictures than this is not divided: a half of it might have no same pair."""


def split_labels(labels: Sequence[str], seed: int) -> tuple[Rows, Rows]:
    """The rows of two halves, ascending: each label's pictures are divided, those of a small label stay together."""
    random = np.random.default_rng(seed)
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    sides: tuple[list[int], list[int]] = ([], [])
    for code in random.permutation(codes.max(initial=-1) + 1):
        rows = random.permutation(np.flatnonzero(codes == code)).tolist()
        smaller_side = int(len(sides[1]) < len(sides[0]))
        parts = (rows, []) if len(rows) < MIN_SPLIT_SIZE else (rows[0::2], rows[1::2])
        sides[smaller_side].extend(parts[0])
        sides[1 - smaller_side].extend(parts[1])
    return np.sort(np.array(sides[0], np.int64)), np.sort(np.array(sides[1], np.int64))


def split_pairs(pairs: Pairs, seed: int) -> tuple[Pairs, Pairs]:
    """Two halves of the pairs.

    Connected components of the graph whose edges are the pairs stay together, so that no pair is lost. If one
    component has more than half of the pairs of a kind, pictures are divided at random instead, and pairs between the
    halves are left out.
    """
    random = np.random.default_rng(seed)
    pictures = int(max(pairs.first.max(), pairs.second.max())) + 1
    graph = coo_matrix((np.ones(len(pairs)), (pairs.first, pairs.second)), shape=(pictures, pictures))
    group_count, group_of_picture = connected_components(graph, directed=False)
    group_of_pair = group_of_picture[pairs.first]
    pair_counts = np.stack(
        [np.bincount(group_of_pair[kind], minlength=group_count) for kind in (pairs.same, ~pairs.same)], axis=1
    )
    pair_shares = pair_counts / np.maximum(1, pair_counts.sum(axis=0))
    is_one_group_dominant = pair_shares.max() > 0.5
    side_of_picture = (
        random.permutation(np.arange(pictures) % 2)
        if is_one_group_dominant
        else _balance_groups(pair_shares, random)[group_of_picture]
    )
    first, second = side_of_picture[pairs.first], side_of_picture[pairs.second]
    return pairs.only((first == 0) & (second == 0)), pairs.only((first == 1) & (second == 1))


def _balance_groups(
    pair_shares: np.ndarray[tuple[int, int], np.dtype[np.float64]], random: np.random.Generator
) -> Rows:
    """Assign each group a side, large ones first, each to the side that has less of its kinds of pairs."""
    side_of_group = np.zeros(len(pair_shares), np.int64)
    side_totals = np.zeros((2, pair_shares.shape[1]))
    order = random.permutation(len(pair_shares))
    for group in order[np.argsort(-pair_shares[order].sum(axis=1), kind="stable")]:
        side_of_group[group] = int(side_totals[1] @ pair_shares[group] < side_totals[0] @ pair_shares[group])
        side_totals[side_of_group[group]] += pair_shares[group]
    return side_of_group
