"""Which pictures belong together: pairs are judged, the likeliest first, until every copy hangs on another one.

A pair that already hangs together by other pairs is not judged, so n copies of one picture cost about n verdicts and
not n². What hangs together is no group yet: see ``groups``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import islice

from lookalike.duplicates.candidates import CandidatePairs
from lookalike.duplicates.disjoint_sets import DisjointSets
from lookalike.duplicates.picture_pairs import PairJudge, PairVerdict, Relation
from lookalike.duplicates.subjects import Subject

Pair = tuple[int, int]

_AT_ONCE = 64
"""Pairs that are judged side by side."""
_LOOK_AHEAD = 4096
"""Pairs that are looked through for so many that do not depend on each other."""


@dataclass(frozen=True, slots=True)
class Forest:
    """``copies`` joins pictures that are copies, by pairs; ``others`` has the pairs of each other relation.

    ``degrees`` is for each picture how many of the pairs of copies it is in.
    """

    copies: DisjointSets
    degrees: list[int]
    others: dict[Relation, list[Pair]] = field(default_factory=dict)


def grow_forest(
    subjects: Sequence[Subject],
    pairs: CandidatePairs,
    judge: PairJudge,
    is_allowed: Callable[[PairVerdict], bool],
    threads: Executor,
    advance: Callable[[int], object],
) -> Forest:
    """Judge the pairs; ``is_allowed`` says whether a verdict of copies counts.

    ``advance`` is called with how many more pairs are done.
    """
    forest = Forest(DisjointSets(len(subjects)), [0] * len(subjects))
    waiting: list[Pair] = []
    remaining = iter(pairs)
    while True:
        waiting.extend(islice(remaining, max(0, _LOOK_AHEAD - len(waiting))))
        if not waiting:
            return forest
        batch, waiting, joined_count = _independent_pairs(waiting, forest.copies)
        advance(joined_count + len(batch))
        verdicts = threads.map(lambda pair: judge.judge(subjects[pair[0]], subjects[pair[1]]), batch)
        for pair, verdict in zip(batch, verdicts, strict=True):
            if verdict is None or verdict.relation is Relation.NONE:
                continue
            if verdict.relation is not Relation.COPY:
                forest.others.setdefault(verdict.relation, []).append(pair)
            elif is_allowed(verdict):
                forest.copies.join(*pair)
                for number in pair:
                    forest.degrees[number] += 1


def _independent_pairs(waiting: Sequence[Pair], copies: DisjointSets) -> tuple[list[Pair], list[Pair], int]:
    """Pairs to judge now, of which none joins what the others would; those to judge later; how many are joined."""
    batch: list[Pair] = []
    later: list[Pair] = []
    parents: dict[int, int] = {}
    joined_count = 0
    for place, (first, second) in enumerate(waiting):
        if len(batch) == _AT_ONCE:
            later.extend(waiting[place:])
            break
        if copies.are_joined(first, second):
            joined_count += 1
            continue
        roots = _follow(parents, copies.find(first)), _follow(parents, copies.find(second))
        if roots[0] == roots[1]:
            later.append((first, second))
        else:
            batch.append((first, second))
            parents[roots[0]] = roots[1]
    return batch, later, joined_count


def _follow(parents: dict[int, int], number: int) -> int:
    while (parent := parents.get(number)) is not None:
        number = parent
    return number
