"""Pairs that may be copies, the likeliest first: equal hashes, near hashes of any orientation, neighbours by vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.duplicates.hash_search import find_near_hashes
from lookalike.duplicates.marks import Marks, as_hashes
from lookalike.duplicates.perceptual_hash import BITS, ORIENTATIONS, Hashes, orient_hashes

Numbers = npt.NDArray[np.int64]

MAX_DISTANCE = 70
"""Bits of 256 in which hashes of copies may differ: of the near-duplicates of the measured set, none of two different
photographs are nearer than 76."""
_MAX_WINDOW_DISTANCE = 40
"""The same for windows of tall and wide pictures, of which there are many."""
_ENOUGH_PAIRS = 1 << 22
"""Pairs collected before equal ones are dropped."""


@dataclass(frozen=True, slots=True)
class CandidatePairs:
    """``first`` and ``second`` are (n,) int64 numbers of pictures, first below second, each pair once; ``distances``
    (n,) float32 say how far they are from each other: below 1 by hash, 1 and more by vector."""

    first: Numbers
    second: Numbers
    distances: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The pairs, nearest first."""
        for place in np.argsort(self.distances, kind="stable").tolist():
            yield int(self.first[place]), int(self.second[place])


class PairCollector:
    """Collects pairs of ``count`` pictures from several searches, in bounded memory for what comes twice."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._codes: list[Numbers] = []
        self._distances: list[npt.NDArray[np.float32]] = []
        self._pending = 0

    def add(self, first: Numbers, second: Numbers, distances: npt.NDArray[np.floating]) -> None:
        """Add pairs in either order; a picture with itself is left out."""
        lower, upper = np.minimum(first, second), np.maximum(first, second)
        is_pair = lower != upper
        self._codes.append((lower * self._count + upper)[is_pair])
        self._distances.append(distances[is_pair].astype(np.float32))
        self._pending += int(is_pair.sum())
        if self._pending > _ENOUGH_PAIRS:
            self._merge()

    def pairs(self) -> CandidatePairs:
        """All of them, each once, with its least distance."""
        self._merge()
        codes = self._codes[0] if self._codes else np.empty(0, np.int64)
        distances = self._distances[0] if self._distances else np.empty(0, np.float32)
        return CandidatePairs(codes // max(1, self._count), codes % max(1, self._count), distances)

    def _merge(self) -> None:
        if not self._codes:
            return
        codes, distances = np.concatenate(self._codes), np.concatenate(self._distances)
        order = np.lexsort((distances, codes))
        codes, distances = codes[order], distances[order]
        is_first = np.ones(len(codes), bool)
        is_first[1:] = codes[1:] != codes[:-1]
        self._codes, self._distances = [codes[is_first]], [distances[is_first]]
        self._pending = 0


def add_hash_pairs(collector: PairCollector, marks: Sequence[Marks | None], advance: Callable[[int], object]) -> None:
    """Add pairs with near hashes in one of the eight orientations; ``advance`` is called with 1 after each of 9 steps.

    ``marks`` has None for a picture that takes no part.
    """
    hashes, owners = _gather(marks, lambda entry: entry.whole)
    unique_hashes, unique_owners = _link_equal_hashes(collector, hashes, owners)
    for oriented in orient_hashes(unique_hashes) if len(unique_hashes) else ():
        _add_near(collector, unique_hashes, unique_owners, oriented, MAX_DISTANCE)
        advance(1)
    windows, window_owners = _link_equal_hashes(collector, *_gather(marks, lambda entry: entry.windows))
    _add_near(collector, windows, window_owners, windows, _MAX_WINDOW_DISTANCE)
    advance(ORIENTATIONS + 1 if not len(unique_hashes) else 1)


def add_neighbour_pairs(
    collector: PairCollector, numbers: Numbers, neighbour_numbers: Numbers, scores: npt.NDArray[np.float32]
) -> None:
    """Add each of (n,) pictures with its (n, k) neighbours, -1 for none, of these (n, k) cosines."""
    is_neighbour = neighbour_numbers >= 0
    first = np.broadcast_to(numbers[:, None], neighbour_numbers.shape)[is_neighbour]
    collector.add(first, neighbour_numbers[is_neighbour], 2.0 - scores[is_neighbour])


def _gather(marks: Sequence[Marks | None], stored: Callable[[Marks], bytes]) -> tuple[Hashes, Numbers]:
    """All hashes of one kind, and the number of the picture of each."""
    entries = [(number, as_hashes(stored(entry))) for number, entry in enumerate(marks) if entry is not None]
    if not entries:
        return as_hashes(b""), np.empty(0, np.int64)
    counts = [len(hashes) for _, hashes in entries]
    owners = np.repeat(np.array([number for number, _ in entries], np.int64), counts)
    return np.concatenate([hashes for _, hashes in entries]), owners


def _link_equal_hashes(collector: PairCollector, hashes: Hashes, owners: Numbers) -> tuple[Hashes, Numbers]:
    """Each hash once, and its first owner; each picture is paired with two others of the same hash.

    A thousand pictures of one hash would be half a million pairs, and a thousand are enough to find them.
    """
    if not len(hashes):
        return hashes, owners
    words = np.ascontiguousarray(hashes).view(np.uint64)
    order = np.lexsort(words.T)
    is_first = np.ones(len(order), bool)
    is_first[1:] = (words[order][1:] != words[order][:-1]).any(axis=1)
    starts = np.flatnonzero(is_first)
    firsts = order[np.repeat(starts, np.diff(np.append(starts, len(order))))]
    distances = np.zeros(len(order), np.float32)
    collector.add(owners[firsts], owners[order], distances)
    is_later = ~is_first[1:]
    collector.add(owners[order[:-1][is_later]], owners[order[1:][is_later]], distances[1:][is_later])
    return hashes[order[is_first]], owners[order[is_first]]


def _add_near(collector: PairCollector, stored: Hashes, owners: Numbers, queries: Hashes, max_distance: int) -> None:
    for near in find_near_hashes(stored, queries, max_distance):
        collector.add(owners[near.query_rows], owners[near.stored_rows], near.distances / np.float32(BITS))
