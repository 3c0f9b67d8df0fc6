"""The candidates of one search, best first: in rounds that grow, so that none comes twice and none is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check, ignore_check
from lookalike.collection.grouping import Grouping
from lookalike.collection.hit import Hit
from lookalike.collection.searcher import Searcher
from lookalike.filters.values import Scalar, TypedValue
from lookalike.index.base import Mask, Neighbours, Positions, Vectors

MAX_ROUND = 16384
"""The most candidates of one round: their rows are read together."""
_CONDITION_VALUES = 500

Weights = npt.NDArray[np.float64]
Cosines = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item with its cosine; ``rank_score`` is what it is ranked by, another number with boosts or feedback.

    ``feedback_score`` is its cosine with a query that was moved by feedback; ``group_score`` that of its group, where
    groups have one of their own. What follows is of a search for words; of words alone the ``score`` is nan.
    """

    item_id: int
    score: float
    rank_score: float
    group: Scalar | None = None
    passed_filter: bool = True
    feedback_score: float | None = None
    group_score: float | None = None
    text_score: float | None = None
    text_rank: int | None = None
    fused_score: float | None = None


class Combine(StrEnum):
    """What the score of an item is where there are several pictures."""

    BEST = "best"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, eq=False)
class QueryVectors:
    """What is searched with: (m, D) unit vectors, of which an item's best cosine counts, each times its weight.

    ``weights`` (m,) are above 0; None stands for ones. ``of_pictures`` are the vectors of the single pictures, where
    ``vectors`` has their mean.
    """

    vectors: Vectors
    weights: Weights | None = None
    of_pictures: Vectors | None = None

    @classmethod
    def of(cls, vectors: Vectors, combine: Combine) -> QueryVectors:
        """The query of several pictures of one thing, (m, D) unit vectors."""
        return cls(vectors) if combine is Combine.BEST else cls.mean(vectors)

    @classmethod
    def mean(cls, vectors: Vectors) -> QueryVectors:
        """An item's score is the mean of its cosines with these vectors: its product with their mean."""
        mean = vectors.mean(axis=0, dtype=np.float64)
        length = max(float(np.linalg.norm(mean)), 1e-12)
        return cls((mean / length).astype(np.float32)[None], np.array([length]), vectors)

    @property
    def picture_vectors(self) -> Vectors:
        """A vector for each picture."""
        return self.vectors if self.of_pictures is None else self.of_pictures

    def scores(self, item_vectors: Vectors) -> npt.NDArray[np.float64]:
        """The scores (n,) of items by their (n, D) vectors."""
        scores: npt.NDArray[np.float64] = self.weigh((item_vectors @ self.vectors.T).T).max(axis=0).astype(np.float64)
        return scores

    def weigh(self, cosines: Cosines) -> Cosines:
        """Cosines (m, n) with each of the vectors, times its weight."""
        return cosines if self.weights is None else cosines * self.weights[:, None]


class CandidateRounds:
    """The candidates among the items at the positions of a mask.

    ``first`` are the neighbours of the first round, where the caller has them already. With ``shown`` they are ranked
    by ``queries``, which gives the ``feedback_score``, and ``score`` is the cosine with ``shown``.
    """

    def __init__(
        self,
        searcher: Searcher,
        queries: QueryVectors,
        mask: Mask,
        size: int,
        *,
        first: Neighbours | None = None,
        shown: QueryVectors | None = None,
        check: Check = ignore_check,
    ) -> None:
        """``size`` is the number of candidates of the first round."""
        self._searcher = searcher
        self._queries = queries
        self._left = mask.copy()
        self._left_count = int(np.count_nonzero(mask))
        self._size = size
        self._first = first
        self._shown = shown
        self._check = check

    def __iter__(self) -> Iterator[list[Candidate]]:
        """One list a round, which is empty for the first round of none."""
        while self._left_count:
            self._check()
            count = min(self._size, self._left_count, MAX_ROUND)
            neighbours = self._first or self._searcher.neighbours_among(self._queries.vectors, count, self._left)
            scores, positions = _merge(self._queries.weigh(neighbours.scores), neighbours.positions, count)
            if not len(positions):
                return
            self._first, self._size = None, 2 * self._size
            self._left[positions] = False
            self._left_count -= len(positions)
            yield self._candidates(positions, scores)

    def _candidates(self, positions: Positions, scores: Cosines) -> list[Candidate]:
        ids = self._searcher.ids_at(positions).tolist()
        if self._shown is not None:
            shown_scores = self._shown.scores(self._searcher.vectors_at(positions)).tolist()
            return [
                Candidate(item_id, shown_score, score, feedback_score=score)
                for item_id, shown_score, score in zip(ids, shown_scores, scores.tolist(), strict=True)
            ]
        return [Candidate(item_id, score, score) for item_id, score in zip(ids, scores.tolist(), strict=True)]

    def leave_out(self, mask: Mask) -> None:
        """Take items out of what is left."""
        self._left &= ~mask
        self._left_count = int(np.count_nonzero(self._left))


def leave_out_groups(
    rounds: Sequence[CandidateRounds],
    searcher: Searcher,
    grouping: Grouping,
    values: list[TypedValue],
    check: Check,
) -> None:
    """Take the items in one of these groups out of what is left in each of the ``rounds``."""
    for start in range(0, len(values), _CONDITION_VALUES):
        mask = grouping.mask(searcher, values[start : start + _CONDITION_VALUES], check)
        for candidates in rounds:
            candidates.leave_out(mask)


def leave_out_removed(candidates: Sequence[Candidate], earlier: Searcher, current: Searcher) -> list[Candidate]:
    """Those of an ``earlier`` state whose keys still have an item in the ``current`` one."""
    removed_ids = current.overlay.removed_ids
    ids = [candidate.item_id for candidate in candidates]
    items = earlier.records([number for number in ids if number in removed_ids or current.position(number) < 0])
    current_items = current.items_by_key([item.key for item in items.values()])
    gone_ids = {number for number, item in items.items() if item.key not in current_items}
    return [candidate for candidate in candidates if candidate.item_id not in gone_ids]


def to_hit(rank: int, candidate: Candidate, item: ItemRecord, *, has_boosts: bool) -> Hit:
    """A candidate with its row."""
    draft = item.draft
    return Hit(
        rank,
        draft.key,
        candidate.score,
        draft.title,
        draft.product_id,
        draft.all_metadata,
        draft.location,
        group=candidate.group,
        passed_filter=candidate.passed_filter,
        boosted_score=candidate.rank_score if has_boosts else None,
        group_score=candidate.group_score,
        feedback_score=candidate.feedback_score,
        text_score=candidate.text_score,
        text_rank=candidate.text_rank,
        fused_score=candidate.fused_score,
    )


def with_items(
    searcher: Searcher, candidates: Iterable[Candidate], chunk: int
) -> Iterator[tuple[Candidate, ItemRecord]]:
    """Candidates with their rows, which are read in chunks of this size."""
    source = iter(candidates)
    while batch := list(islice(source, chunk)):
        items = searcher.records([candidate.item_id for candidate in batch])
        for candidate in batch:
            yield candidate, items[candidate.item_id]


def _merge(scores: Cosines, positions: Positions, count: int) -> tuple[Cosines, Positions]:
    """Scores and positions of the ``count`` best over all queries (m, n), each position once with its best score.

    The best of the queries' own ``count`` best are those of the best scores: each is among those of one query.
    """
    query_count = len(scores)
    is_hit = positions >= 0
    scores, positions = scores[is_hit], positions[is_hit]
    if query_count == 1:
        return scores[:count], positions[:count]
    order = np.lexsort((positions, -scores))
    scores, positions = scores[order], positions[order]
    _, first_places = np.unique(positions, return_index=True)
    places = np.sort(first_places)[:count]
    return scores[places], positions[places]
