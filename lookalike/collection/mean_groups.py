"""Groups by the mean, over the pictures of a query, of the best cosine that an item of theirs has with each.

Exact over what the index finds, without a look at every group: the items are read in the order of their cosines with
each picture (Fagin's threshold algorithm, Fagin, Lotem and Naor 2003). A group of which no item was read yet can have
no better mean than that of the last cosines read.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check
from lookalike.collection.candidates import Candidate, CandidateRounds, QueryVectors, leave_out_groups
from lookalike.collection.grouping import FieldGrouping
from lookalike.collection.refinement import FieldReader, GroupKey, group_key
from lookalike.collection.searcher import Searcher
from lookalike.filters.values import Scalar, TypedValue
from lookalike.index.base import Mask, Vectors


@dataclass(frozen=True, slots=True)
class MeanGroup:
    """The items with one ``value`` of the field and the ``score`` of them all, or ``item_id`` alone without a value."""

    score: float
    item_id: int
    value: Scalar | None

    @property
    def key(self) -> GroupKey | None:
        """Equal for equal values; None without one."""
        return None if self.value is None else group_key(TypedValue.of(self.value))


@dataclass(eq=False)
class MeanGroups:
    """The groups of the items at the positions of a ``mask``; to be iterated once.

    ``size`` is the number of items of a first round. ``can_be_hit`` says of a query's cosines with an item (m,) whether
    its score is high enough, and never of lower ones what it does not say of higher ones: no group is looked for once
    all items that are left are too low.
    """

    searcher: Searcher
    queries: QueryVectors
    mask: Mask
    size: int
    reader: FieldReader
    can_be_hit: Callable[[Vectors], bool]
    check: Check
    _keys: set[GroupKey | int] = field(default_factory=set, init=False)
    _complete_values: list[TypedValue] = field(default_factory=list, init=False)
    _ranking: list[tuple[float, int, MeanGroup]] = field(default_factory=list, init=False)
    _numbers: Iterator[int] = field(default_factory=count, init=False)

    def __iter__(self) -> Iterator[MeanGroup]:
        vectors = self.queries.picture_vectors
        streams = [
            CandidateRounds(self.searcher, QueryVectors(vector[None]), self.mask, self.size, check=self.check)
            for vector in vectors
        ]
        rounds = [iter(stream) for stream in streams]
        limits = np.full(len(vectors), np.inf, np.float32)
        is_complete = False
        while not is_complete:
            for place, stream in enumerate(rounds):
                candidates = next(stream, None)
                if candidates is None:
                    is_complete = True  # whoever has read all items of one stream has seen all groups
                    break
                limits[place] = min(limits[place], candidates[-1].score)
                repeat_count = self._take(candidates)
                if 2 * repeat_count > len(candidates):
                    self._leave_out_complete_groups(streams)
            limit = float(limits.mean(dtype=np.float64))
            while self._ranking and -self._ranking[0][0] >= limit and not is_complete:
                yield heapq.heappop(self._ranking)[2]
            is_complete = is_complete or not self.can_be_hit(limits)
        while self._ranking:
            yield heapq.heappop(self._ranking)[2]

    def members(self, value: Scalar) -> Mask:
        """The positions of a group's items."""
        return self.mask & self.searcher.mask(self.reader.condition([TypedValue.of(value)]), self.check)

    def _take(self, candidates: list[Candidate]) -> int:
        """Score the groups of these items that are new; returns how many items are of others."""
        items = self.searcher.records([candidate.item_id for candidate in candidates])
        repeat_count = 0
        for candidate in candidates:
            group = self._new_group(items[candidate.item_id])
            if group is None:
                repeat_count += 1
            else:
                heapq.heappush(self._ranking, (-group.score, next(self._numbers), group))
        return repeat_count

    def _new_group(self, item: ItemRecord) -> MeanGroup | None:
        value = self.reader.read(item)
        key: GroupKey | int = item.id if value is None else group_key(TypedValue.of(value))
        if key in self._keys:
            return None
        self._keys.add(key)
        vectors = self.queries.picture_vectors
        if value is None:
            cosines = vectors @ self.searcher.vector(item.id)
        else:
            self.check()
            self._complete_values.append(TypedValue.of(value))
            cosines = self.searcher.neighbours_among(vectors, 1, self.members(value)).scores
        return MeanGroup(float(cosines.mean(dtype=np.float64)), item.id, value)

    def _leave_out_complete_groups(self, streams: list[CandidateRounds]) -> None:
        """A group is complete once it has its score: none of its other items has to be read."""
        values, self._complete_values = self._complete_values, []
        leave_out_groups(streams, self.searcher, FieldGrouping(self.reader), values, self.check)
