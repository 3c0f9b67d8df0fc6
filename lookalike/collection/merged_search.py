"""One search in several collections: the groups of a ``RefinedSearch`` in each, merged into one list.

Cosines of different encoders mean different things, so collections are ranked beside each other by calibrated
confidence: what share of pairs with such a score show the same thing. Within a collection a higher score never has a
lower confidence, so the order of its own hits stays.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count, islice

from lookalike.collection.hit import Hit
from lookalike.collection.refined_search import Group, RefinedSearch
from lookalike.collection.refinement import Refinement
from lookalike.collection.searcher import Searcher
from lookalike.errors import ScoresNotComparableError
from lookalike.filters.builder import refuse
from lookalike.thresholds import Threshold

MAX_COLLECTIONS = 16
_DIGEST_CHUNK = 64
"""The rows of so many groups are read together for their digests."""


class RankBy(StrEnum):
    """What hits of several collections are ranked by."""

    CONFIDENCE = "confidence"
    SCORE = "score"


def check_comparable(encoder_digests: Mapping[str, str], thresholds: Mapping[str, Threshold], rank_by: RankBy) -> None:
    """Raise ScoresNotComparableError unless the collections of these names can be ranked beside each other."""
    if rank_by is RankBy.SCORE:
        if len(set(encoder_digests.values())) > 1:
            first, *others = encoder_digests
            other = next(name for name in others if encoder_digests[name] != encoder_digests[first])
            raise ScoresNotComparableError(
                f"the collections {first!r} and {other!r} have different encoders, whose scores cannot be compared: "
                "rank by confidence",
                subject=other,
            )
        return
    for name, threshold in thresholds.items():
        if threshold.calibration is None:
            advice = " or rank by score" if len(set(encoder_digests.values())) == 1 else ""
            raise ScoresNotComparableError(
                f"the scores of the collection {name!r} are not calibrated, so its hits have no confidence by which "
                f"they could be ranked: run `python -m indexer calibrate --collection {name}`, leave it out{advice}",
                subject=name,
            )


def check_one_scale(encoder_digests: Mapping[str, str], scores: Mapping[str, float | None]) -> None:
    """Raise FilterInvalidError for ``scores`` by name that are given where the encoders are not all the same."""
    if len(set(encoder_digests.values())) > 1:
        for name, score in scores.items():
            if score is not None:
                refuse(
                    name,
                    "is possible only where all collections have the same encoder: scores of different encoders mean "
                    "different things",
                )


def check_merged(refinement: Refinement) -> None:
    """Raise FilterInvalidError for what a search in several collections cannot have."""
    options: dict[str, object] = {
        "diversity": refinement.diversity,
        "boost": refinement.boosts,
        "fallback": refinement.relax_filter,
        "group_score": refinement.has_mean_groups,
        "stack": refinement.stack,
        "like_keys": refinement.like_keys,
        "unlike_keys": refinement.unlike_keys,
        "text": refinement.text,
    }
    for name, value in options.items():
        if value:
            refuse(name, "is possible in one collection only, not in several")
    if refinement.dedupe and refinement.group_by is not None:
        refuse("dedupe", "is not possible with group_by in several collections")


@dataclass(eq=False)
class MergedSource:
    """A collection with its own search, which leaves out no copies, and the threshold that its scores are judged by."""

    name: str
    searcher: Searcher
    search: RefinedSearch
    threshold: Threshold
    _digests: list[str] = field(default_factory=list, init=False)

    def digest(self, number: int) -> str:
        """The digest of the file of a group's first item."""
        while len(self._digests) <= number:
            start = len(self._digests)
            groups = [self.search.group(place) for place in range(start, start + _DIGEST_CHUNK)]
            ids = [group[0].item_id for group in groups if group is not None]
            items = self.searcher.records(ids)
            self._digests += [items[item_id].draft.content_digest for item_id in ids]
        return self._digests[number]


MergedGroup = tuple[MergedSource, Group]


class MergedSearch:
    """The groups of several collections, best first, made as far as they are asked for. For one thread at a time.

    Ranked by confidence, equal ones by how far their normalised score is above the threshold, then by the order of the
    ``sources``; or by score.
    """

    def __init__(self, sources: Sequence[MergedSource], rank_by: RankBy, *, dedupe: bool = False) -> None:
        """``dedupe`` leaves out items whose file has the same bytes as that of a better hit, in any collection."""
        self._sources = sources
        self._rank_by = rank_by
        self._groups: list[MergedGroup] = []
        merged = self._merge()
        self._source = self._without_copies(merged) if dedupe else ((source, group) for source, group, _ in merged)

    def page(self, start: int, k: int) -> list[Hit]:
        """The hits of so many groups from the one at ``start``, ranked from the first of all."""
        self._make(start + k)
        first_rank = 1 + sum(len(group) for _, group in self._groups[:start])
        page = self._groups[start : start + k]
        hits: dict[str, Iterator[Hit]] = {}
        for source in self._sources:
            candidates = [candidate for owner, group in page if owner is source for candidate in group]
            hits[source.name] = iter(source.search.hits(candidates))
        ranks = count(first_rank)
        return [
            replace(next(hits[source.name]), rank=next(ranks), collection=source.name, threshold=source.threshold)
            for source, group in page
            for _ in group
        ]

    def has_more(self, stop: int) -> bool:
        """Whether there is a group at ``stop``."""
        self._make(stop + 1)
        return len(self._groups) > stop

    def _make(self, number: int) -> None:
        if number > len(self._groups):
            self._groups.extend(islice(self._source, number - len(self._groups)))

    def _merge(self) -> Iterator[tuple[MergedSource, Group, int]]:
        """The groups with their number in their own collection."""
        heads: list[tuple[tuple[float, ...], int, int]] = []
        for place, source in enumerate(self._sources):
            self._push(heads, place, source, 0)
        while heads:
            _, place, number = heapq.heappop(heads)
            source = self._sources[place]
            group = source.search.group(number)
            assert group is not None
            yield source, group, number
            self._push(heads, place, source, number + 1)

    def _push(
        self, heads: list[tuple[tuple[float, ...], int, int]], place: int, source: MergedSource, number: int
    ) -> None:
        group = source.search.group(number)
        if group is not None:
            heapq.heappush(heads, (self._order(source.threshold, group[0].score), place, number))

    def _order(self, threshold: Threshold, score: float) -> tuple[float, ...]:
        if self._rank_by is RankBy.SCORE:
            return (-score,)
        confidence = threshold.confidence(score)
        assert confidence is not None  # check_comparable
        return (-confidence, threshold.cosine - score)

    def _without_copies(self, merged: Iterator[tuple[MergedSource, Group, int]]) -> Iterator[MergedGroup]:
        digests: set[str] = set()
        for source, group, number in merged:
            digest = source.digest(number)
            if digest not in digests:
                digests.add(digest)
                yield source, group
