"""Pairs that are judged first: each picture with the one of its like by hash that will probably be kept.

Groups need every member's verdict with the kept picture. Where the forest grows from that picture at once, these are
the only verdicts that are made; the check of a pair costs tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookalike.duplicates.candidates import CandidatePairs, PairCollector
from lookalike.duplicates.disjoint_sets import DisjointSets
from lookalike.duplicates.keep_rules import COLOUR_SHARE, PIXEL_SHARE, most_clipped
from lookalike.duplicates.marks import Marks, as_hashes
from lookalike.duplicates.subjects import Subject

_BEFORE_ALL = -1.0


def put_anchors_first(
    pairs: CandidatePairs, subjects: Sequence[Subject], marks: Sequence[Marks | None]
) -> CandidatePairs:
    """The pairs and, before them, each picture with the likely original of those that are near by hash."""
    like = DisjointSets(len(subjects))
    near = np.flatnonzero(pairs.distances < 1)
    numbers: set[int] = set()
    for place in near.tolist():
        first, second = int(pairs.first[place]), int(pairs.second[place])
        like.join(first, second)
        numbers.update((first, second))
    collector = PairCollector(len(subjects))
    collector.add(pairs.first, pairs.second, pairs.distances)
    for group in like.sets(sorted(numbers)):
        anchor = _likely_original(group, subjects, marks)
        others = np.array([number for number in group if number != anchor], np.int64)
        collector.add(np.full(len(others), anchor), others, np.full(len(others), _BEFORE_ALL, np.float32))
    return collector.pairs()


def _likely_original(numbers: Sequence[int], subjects: Sequence[Subject], marks: Sequence[Marks | None]) -> int:
    """The picture that the rules of keeping will probably choose, by what is known without reading it again."""
    left = [number for number in numbers if subjects[number].is_reference] or list(numbers)
    known = {number: entry for number in left if (entry := marks[number]) is not None}
    if known:
        left = [
            number for number, entry in known.items() if len(as_hashes(entry.whole)) == 1 and not entry.strips
        ] or list(known)
        most_colour = max(known[number].colourfulness for number in left)
        left = [number for number in left if known[number].colourfulness >= COLOUR_SHARE * most_colour]
        most_pixels = max(subjects[number].pixels for number in left)
        left = [number for number in left if subjects[number].pixels >= PIXEL_SHARE * most_pixels]
        least_clipped = min(known[number].clipped for number in left)
        left = [number for number in left if known[number].clipped <= most_clipped(least_clipped)]
    return max(left, key=lambda number: (subjects[number].item.byte_size, -number))
