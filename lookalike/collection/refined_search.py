"""One search with a ``Refinement``: a list of groups, made as far as it is asked for, of which pages are slices.

Candidates come in rounds. In windows of these, boosts reorder them; copies and groups that were seen are left out, each
new group gets its other members, and in windows of groups diversity reorders them. Every step depends on the query and
on the size of the first page alone, so the list is the same whenever it is made again, and no page has gaps or doubles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check, ignore_check
from lookalike.collection.candidates import (
    Candidate,
    CandidateRounds,
    QueryVectors,
    leave_out_groups,
    to_hit,
    with_items,
)
from lookalike.collection.diversity import diverse_order
from lookalike.collection.feedback import move_by_preferences, move_query
from lookalike.collection.grouping import FieldGrouping, Grouping, count_groups
from lookalike.collection.hit import Hit
from lookalike.collection.mean_groups import MeanGroup, MeanGroups
from lookalike.collection.refinement import (
    PLAIN,
    FieldReader,
    GroupKey,
    Refinement,
    boost_readers,
    boosted,
    group_key,
)
from lookalike.collection.representatives import Representatives
from lookalike.collection.searcher import Searcher
from lookalike.collection.stacks import Stacks
from lookalike.collection.text_candidates import TextCandidates
from lookalike.filters.conditions import Condition
from lookalike.filters.values import TypedValue
from lookalike.index.base import Mask, Neighbours, Vectors
from lookalike.sorted_ids import Ids

BOOST_WINDOW, LEAST_BOOST_WINDOW = 10, 200
"""Boosts rank so many candidates together for each hit of the first page, and at least so many."""
DIVERSITY_WINDOW, LEAST_DIVERSITY_WINDOW = 4, 100
"""Likewise diversity."""
MAX_WINDOW = 2000

Group = tuple[Candidate, ...]


class RefinedSearch:
    """The hits of one query, as groups: of one item each where nothing is grouped. For one thread at a time."""

    def __init__(
        self,
        searcher: Searcher,
        queries: QueryVectors,
        k: int,
        refinement: Refinement = PLAIN,
        *,
        condition: Condition | None = None,
        exclude: int | None = None,
        stacks: Stacks | None = None,
        check: Check = ignore_check,
    ) -> None:
        """``k`` is the number of groups of the first page, ``exclude`` the id of the query's item, which is no hit.

        ``stacks`` are those of the refinement's ``stack``. ``check`` is called between the steps. Raises
        FilterInvalidError for what cannot be used, and ItemNotFoundError for a key of feedback that is not there.
        """
        self._searcher = searcher
        self._queries = queries
        self._k = k
        self._refinement = refinement
        self.check = check
        fields = searcher.live_filter.fields
        group_by = refinement.group_by
        self._group_reader = None if group_by is None else FieldReader.of(group_by, fields, "group_by")
        self._grouping: Grouping | None = stacks
        if self._group_reader is not None:
            self._grouping = FieldGrouping(self._group_reader)
        self._boosts = boost_readers(refinement.boosts, fields)
        if refinement.is_representative:
            self._boosts = []
            self._refinement = refinement = replace(refinement, boosts=(), diversity=0.0, min_score=None)
        self._is_plain = refinement.keeps_order and condition is None and not refinement.exclude_keys
        self._exclude = exclude
        query_positions = [] if exclude is None else [searcher.position(exclude)]
        self._ranking_queries = queries
        self._shown_queries: QueryVectors | None = None
        if refinement.has_feedback:
            query_positions += self._move_query()
        self._candidates_mask = self._mask_candidates([position for position in query_positions if position >= 0])
        self._text = self._read_text(queries)
        self._passing = self._candidates_mask
        if condition is not None:
            self._passing = self._candidates_mask & searcher.mask(condition, self._run_check)
        self.best_score: float | None = None
        self.is_relaxed = False
        self._keys: set[GroupKey] = set()
        self._new_values: list[TypedValue] = []
        self._digests: set[str] = set()
        self._repeat_count = 0
        self._group_count = 0
        self._groups: list[Group] = []
        self._source = self._ranked_groups()

    def _read_text(self, queries: QueryVectors) -> TextCandidates | None:
        """The ranking by words, where there are any; those that it leaves out are no candidates."""
        text, min_score = self._refinement.text, self._refinement.min_score
        if text is None:
            return None
        ranking = TextCandidates(self._searcher, text, queries, self._k, min_score, self._run_check)
        self._candidates_mask &= ranking.possible
        return ranking

    def _move_query(self) -> list[int]:
        """Rank by the query that feedback moves; returns the positions of items that are no hits for it."""
        refinement, searcher, preferences = self._refinement, self._searcher, self._refinement.preferences
        like_keys, unlike_keys, include_liked = refinement.like_keys, refinement.unlike_keys, refinement.include_liked
        if preferences is not None:
            include_liked = preferences.include_liked
            like_keys, unlike_keys = (
                tuple(entry.key for entry in entries) for entries in (preferences.like, preferences.unlike)
            )
        liked, unliked = (
            [searcher.position(searcher.item(key).id) for key in keys] for keys in (like_keys, unlike_keys)
        )
        self._is_plain = False
        self._shown_queries = self._queries
        liked_vectors, unliked_vectors = (
            searcher.vectors_at(np.array(positions, np.int64)) for positions in (liked, unliked)
        )
        if preferences is None:
            self._ranking_queries = move_query(self._queries, liked_vectors, unliked_vectors)
        elif not preferences.is_empty:
            self._ranking_queries = move_by_preferences(self._queries, unliked_vectors, preferences)
        return unliked if include_liked else liked + unliked

    def _mask_candidates(self, query_positions: list[int]) -> Mask:
        """The items that may be hits: not those of ``exclude_keys``, nor those at the ``query_positions``.

        The latter are the query's item and those of feedback: who asks for groups knows all of theirs.
        """
        searcher, grouping = self._searcher, self._grouping
        mask = searcher.mask(None)
        excluded = searcher.positions_of(self._refinement.exclude_keys) if self._refinement.exclude_keys else []
        mask[[*query_positions, *(position for position in excluded if position >= 0)]] = False
        if grouping is not None and query_positions:
            items = searcher.records(searcher.ids_at(np.array(query_positions, np.int64)).tolist())
            values = [TypedValue.of(value) for value in map(grouping.read, items.values()) if value is not None]
            if values:
                mask &= ~grouping.mask(searcher, values, self._run_check)
        return mask

    def __len__(self) -> int:
        """Number of items that may be hits: those that pass the filter and are not excluded."""
        return int(np.count_nonzero(self._passing))

    @property
    def text_matches(self) -> int | None:
        """How many of these have the words; None where none are looked for."""
        return None if self._text is None else self._text.count_matches(self._passing)

    @property
    def possible_ids(self) -> Ids | None:
        """The ids of the items that have the words, ascending, where no others can be hits; else None."""
        if self._text is None or not self._text.is_alone:
            return None
        return np.sort(self._searcher.ids_at(np.flatnonzero(self._candidates_mask)))

    def group(self, number: int) -> Group | None:
        """The group at this place from 0; None behind the last."""
        self._make(number + 1)
        return self._groups[number] if number < len(self._groups) else None

    def page(self, start: int, count: int) -> list[Candidate]:
        """The items of so many groups from the one at ``start``."""
        self._make(start + count)
        return [candidate for group in self._groups[start : start + count] for candidate in group]

    def has_more(self, stop: int) -> bool:
        """Whether there is a group at ``stop``."""
        self._make(stop)
        if len(self._groups) < stop:
            return False
        refinement = self._refinement
        if refinement.keeps_order and refinement.min_score is None and not refinement.relax_filter:
            return len(self) > stop  # known without another round
        self._make(stop + 1)
        return len(self._groups) > stop

    def hits(self, candidates: list[Candidate], first_rank: int = 1) -> list[Hit]:
        """The candidates of a page with their rows; raises SnapshotDamagedError."""
        items = self._searcher.records([candidate.item_id for candidate in candidates])
        hits = [self._hit(rank, one, items[one.item_id]) for rank, one in enumerate(candidates, first_rank)]
        if self._grouping is None:
            return hits
        return count_groups(hits, self._grouping, self._searcher, self._passing, self._candidates_mask & ~self._passing)

    def _hit(self, rank: int, candidate: Candidate, item: ItemRecord) -> Hit:
        hit = to_hit(rank, candidate, item, has_boosts=bool(self._boosts))
        return hit if self._text is None else replace(hit, highlights=self._text.highlight(item))

    def _make(self, count: int) -> None:
        if count > len(self._groups):
            self._groups.extend(islice(self._source, count - len(self._groups)))

    def _run_check(self) -> None:
        self.check()

    def _ranked_groups(self) -> Iterator[Group]:
        yield from self._rank(self._passing)
        if self._refinement.relax_filter and self._group_count < self._k:
            for group in self._rank(self._candidates_mask & ~self._passing):
                self.is_relaxed = True
                yield tuple(replace(candidate, passed_filter=False) for candidate in group)

    def _rank(self, mask: Mask) -> Iterator[Group]:
        if self._refinement.has_mean_groups:
            return self._diversified(self._make_mean_groups(mask))
        if self._refinement.is_representative:
            candidates = self._read_representatives(mask)
        else:
            candidates = self._reordered(self._read_rounds(mask), mask)
        if self._grouping is None and not self._refinement.dedupe:
            groups: Iterator[Group] = ((candidate,) for candidate in self._count_groups(candidates))
        else:
            groups = self._make_groups(candidates, mask)
        return self._diversified(groups)

    def _count_groups(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        for candidate in candidates:
            self._group_count += 1
            yield candidate

    def _read_representatives(self, mask: Mask) -> Iterator[Candidate]:
        if not mask.any():
            return
        representatives = Representatives.of(self._searcher, mask, self._k)
        # What further members of a group are ranked by.
        self._ranking_queries, self._shown_queries = QueryVectors(representatives.centres), None
        yield from representatives.candidates()

    def _read_rounds(self, mask: Mask) -> Iterator[Candidate]:
        """All candidates; items of groups that are complete are left out once most of a round were such."""
        if not mask.any():
            return
        self._find_best_score(mask)
        size = self._k if self._refinement.keeps_order else 2 * self._k + 8
        first = None
        if self._is_plain and len(self._queries.vectors) == 1:
            # The same neighbours as a search without a refinement has: its later pages are of this search.
            first = self._searcher.neighbours(self._queries.vectors, self._k, exclude=self._exclude)
        rounds = self._rounds(mask, size, first)
        for candidates in rounds:
            if self.best_score is None:
                self.best_score = candidates[0].score
            if self._is_too_low(candidates[0]) and self._shown_queries is None:
                return
            self._repeat_count = 0
            yield from (candidate for candidate in candidates if not self._is_too_low(candidate))
            if 2 * self._repeat_count > len(candidates):
                self._leave_out_groups(rounds)

    def _rounds(self, mask: Mask, size: int, first: Neighbours | None = None) -> CandidateRounds:
        queries, shown = self._ranking_queries, self._shown_queries
        return CandidateRounds(self._searcher, queries, mask, size, first=first, shown=shown, check=self._run_check)

    def _find_best_score(self, mask: Mask) -> None:
        """Set ``best_score`` where the first candidate need not have it."""
        is_first = self._shown_queries is None and not self._refinement.has_mean_groups
        if self.best_score is None and not is_first:
            neighbours = self._searcher.neighbours_among(self._queries.vectors, 1, mask)
            self.best_score = float(self._queries.weigh(neighbours.scores).max())

    def _is_too_low(self, candidate: Candidate) -> bool:
        min_score = self._refinement.min_score
        return min_score is not None and candidate.score < float(np.float32(min_score))

    def _leave_out_groups(self, rounds: CandidateRounds) -> None:
        values, self._new_values = self._new_values, []
        if self._grouping is not None:
            leave_out_groups([rounds], self._searcher, self._grouping, values, self._run_check)

    def _reordered(self, candidates: Iterator[Candidate], mask: Mask, *, is_shown: bool = True) -> Iterator[Candidate]:
        """By words, or by boosts."""
        if self._text is not None:
            return self._text.rank(candidates, mask, is_shown=is_shown)
        return self._boosted(candidates)

    def _boosted(self, candidates: Iterator[Candidate]) -> Iterator[Candidate]:
        if not self._boosts:
            yield from candidates
            return
        size = min(max(BOOST_WINDOW * self._k, LEAST_BOOST_WINDOW), MAX_WINDOW)
        while window := list(islice(candidates, size)):
            items = self._searcher.records([candidate.item_id for candidate in window])
            scored = [
                replace(one, rank_score=boosted(one.rank_score, items[one.item_id], self._boosts)) for one in window
            ]
            yield from sorted(scored, key=lambda candidate: -candidate.rank_score)

    def _make_groups(self, candidates: Iterable[Candidate], mask: Mask) -> Iterator[Group]:
        """A group for each candidate that is of none before, and no copy of an item before."""
        for candidate, item in with_items(self._searcher, candidates, 2 * self._k + 8):
            if self._is_copy(item):
                continue
            value = None if self._grouping is None else self._grouping.read(item)
            if value is None:
                group: Group = (candidate,)
            else:
                typed = TypedValue.of(value)
                if group_key(typed) in self._keys:
                    self._repeat_count += 1
                    continue
                self._keys.add(group_key(typed))
                self._new_values.append(typed)
                group = (replace(candidate, group=value),)
            self._digests.add(item.draft.content_digest)
            if value is not None and self._refinement.group_size > 1:
                group = (*group, *self._other_members(group[0], TypedValue.of(value), mask))
            self._group_count += 1
            yield group

    def _other_members(self, head: Candidate, value: TypedValue, mask: Mask) -> Iterator[Candidate]:
        """The best of the group after its first."""
        assert self._grouping is not None
        mask = mask & self._grouping.mask(self._searcher, [value], self._run_check)
        mask[self._searcher.position(head.item_id)] = False
        wanted = self._refinement.group_size - 1
        rounds = self._rounds(mask, 2 * wanted)
        # Within a round scores descend: the first that is too low ends the group.
        members = (candidate for candidates in rounds for candidate in candidates if not self._is_too_low(candidate))
        ranked = self._reordered(members, mask, is_shown=False)
        for candidate, item in with_items(self._searcher, ranked, 2 * wanted):
            if wanted == 0:
                return
            if not self._is_copy(item):
                self._digests.add(item.draft.content_digest)
                wanted -= 1
                yield replace(candidate, group=head.group)

    def _make_mean_groups(self, mask: Mask) -> Iterator[Group]:
        """Groups by a score of their own, of which each has its best items."""
        if not mask.any():
            return
        self._find_best_score(mask)
        assert self._group_reader is not None
        ranking = MeanGroups(
            self._searcher, self._queries, mask, 2 * self._k + 8, self._group_reader, self._can_be_hit, self._run_check
        )
        for ranked in ranking:
            key = ranked.key
            group = () if key in self._keys else tuple(self._members(ranking, ranked))
            if not group:
                continue
            if key is not None:
                self._keys.add(key)
            self._group_count += 1
            yield group

    def _can_be_hit(self, cosines: Vectors) -> bool:
        """Whether an item with these cosines with the pictures reaches ``min_score``."""
        min_score = self._refinement.min_score
        score = cosines.max() if self._queries.of_pictures is None else cosines.mean(dtype=np.float64)
        return min_score is None or bool(score >= np.float32(min_score))

    def _members(self, ranking: MeanGroups, group: MeanGroup) -> Iterator[Candidate]:
        if group.value is None:
            mask = np.zeros_like(ranking.mask)
            mask[self._searcher.position(group.item_id)] = True
        else:
            mask = ranking.members(group.value)
        rounds = self._rounds(mask, self._refinement.group_size)
        members = (candidate for candidates in rounds for candidate in candidates if not self._is_too_low(candidate))
        for candidate in islice(members, self._refinement.group_size):
            yield replace(candidate, group=group.value, group_score=group.score)

    def _is_copy(self, item: ItemRecord) -> bool:
        return self._refinement.dedupe and item.draft.content_digest in self._digests

    def _diversified(self, groups: Iterator[Group]) -> Iterator[Group]:
        if not self._refinement.diversity:
            yield from groups
            return
        size = min(max(DIVERSITY_WINDOW * self._k, LEAST_DIVERSITY_WINDOW), MAX_WINDOW)
        while window := list(islice(groups, size)):
            vectors = np.stack([self._searcher.vector(group[0].item_id) for group in window])
            heads = [group[0] for group in window]
            scores = np.array([head.rank_score if head.group_score is None else head.group_score for head in heads])
            for place in diverse_order(scores, vectors, self._refinement.diversity):
                yield window[place]
