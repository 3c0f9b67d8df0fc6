"""The candidates of a search for words: ranked by these alone, or fused with the ranking of a picture.

Two rankings are fused by reciprocal ranks (Cormack, Clarke and Büttcher 2009): cosines and word scores have no common
scale, places have.

    fused = (1 - weight) / (60 + place by the picture) + weight / (60 + place by the words)

where an item without the words has the first part alone. Windows of both rankings are fused one after the other, so
that no item comes twice and none is left out; the second part alone has an item that the picture's window lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from lookalike.catalogue.records import ItemRecord
from lookalike.catalogue.snapshot_filter import Check
from lookalike.collection.candidates import Candidate, QueryVectors
from lookalike.collection.searcher import Searcher
from lookalike.collection.text_ranking import TextRanking
from lookalike.filters.builder import refuse
from lookalike.index.base import Mask, Positions
from lookalike.words.highlights import Highlight, highlight_item
from lookalike.words.text_query import TextQuery

RANK_CONSTANT = 60
WINDOW, LEAST_WINDOW, MAX_WINDOW = 10, 200, 2000
"""For each hit of the first page so many of each ranking are fused together, and at least and at most so many."""
_CHUNK = 500

WORDS_PROBLEM = "searched by words alone: there is no picture to be like"
"""Why an item that was found by words has no score."""


class TextCandidates:
    """Ranks the candidates of one search by words, and by ``queries`` where there are any."""

    def __init__(
        self, searcher: Searcher, query: TextQuery, queries: QueryVectors, k: int, min_score: float | None, check: Check
    ) -> None:
        """``k`` is the number of groups of the first page.

        Raises FilterInvalidError for a ``min_score`` without a picture.
        """
        self.is_alone = not len(queries.vectors)
        if self.is_alone and min_score is not None:
            refuse("min_score", "needs a picture or a key beside text: words have no cosine")
        self._searcher = searcher
        self._query = query
        self._queries = queries
        self._least = -np.inf if min_score is None else float(np.float32(min_score))
        self._window = min(max(WINDOW * k, LEAST_WINDOW), MAX_WINDOW)
        self.ranking = TextRanking.of(searcher, query, check)

    @property
    def possible(self) -> Mask:
        """Which items may be hits: of words alone those that have them, with a picture all but the unwanted ones."""
        return self.ranking.matches if self.is_alone else ~self.ranking.unwanted

    def count_matches(self, mask: Mask) -> int:
        """How many items at these positions have the words."""
        return int(np.count_nonzero(self.ranking.matches & mask))

    def rank(self, candidates: Iterator[Candidate], mask: Mask, *, is_shown: bool = True) -> Iterator[Candidate]:
        """The items at the positions of a mask, best first; ``candidates`` are the same by the picture.

        Those of words alone are not read. Unless ``is_shown``, places are none of the whole ranking, and are not told.
        """
        order = self.ranking.order[mask[self.ranking.order]]
        ranked = self._rank_alone(order) if self.is_alone else self._fuse(candidates, order)
        return ranked if is_shown else (replace(one, text_rank=None, fused_score=None) for one in ranked)

    def highlight(self, item: ItemRecord) -> tuple[Highlight, ...]:
        """Where the words stand in an item."""
        return highlight_item(self._query.wanted, item.key, item.title, item.metadata)

    def _rank_alone(self, order: Positions) -> Iterator[Candidate]:
        for start in range(0, len(order), _CHUNK):
            positions = order[start : start + _CHUNK]
            ids, scores = self._searcher.ids_at(positions).tolist(), self.ranking.scores[positions].tolist()
            for text_rank, (item_id, score) in enumerate(zip(ids, scores, strict=True), start=start + 1):
                yield Candidate(item_id, np.nan, score, text_score=score, text_rank=text_rank)

    def _fuse(self, candidates: Iterator[Candidate], order: Positions) -> Iterator[Candidate]:
        text_ranks = np.zeros(len(self.ranking.scores), np.int64)
        text_ranks[order] = np.arange(1, len(order) + 1)
        seen_ids: set[int] = set()
        for start in range(0, len(text_ranks) + self._window, self._window):
            by_picture = list(islice(candidates, self._window))
            by_words = order[start : start + self._window]
            window = [
                self._fused(candidate, text_ranks, place)
                for place, candidate in enumerate(by_picture, start=start + 1)
                if candidate.item_id not in seen_ids
            ]
            seen_ids.update(candidate.item_id for candidate in by_picture)
            unseen = self._read_unseen(by_words, seen_ids)
            seen_ids.update(candidate.item_id for candidate in unseen)
            window += [self._fused(candidate, text_ranks) for candidate in unseen]
            # Of equal ones the more similar first: the sort is stable.
            yield from sorted(window, key=lambda candidate: -candidate.rank_score)
            if not by_picture and not len(by_words):
                return

    def _read_unseen(self, positions: Positions, seen_ids: set[int]) -> list[Candidate]:
        """The items at these positions that have not come, with their cosines."""
        is_new = [item_id not in seen_ids for item_id in self._searcher.ids_at(positions).tolist()]
        positions = positions[np.array(is_new, dtype=np.bool_)]
        if not len(positions):
            return []
        scores = self._queries.scores(self._searcher.vectors_at(positions)).tolist()
        ids = self._searcher.ids_at(positions).tolist()
        return [Candidate(*pair, pair[1]) for pair in zip(ids, scores, strict=True) if pair[1] >= self._least]

    def _fused(self, candidate: Candidate, text_ranks: Positions, place: int | None = None) -> Candidate:
        """The candidate, at this place by the picture, with its place by the words and both fused."""
        position, weight = self._searcher.position(candidate.item_id), self._query.weight
        text_rank = int(text_ranks[position])
        fused = 0.0 if place is None else (1 - weight) / (RANK_CONSTANT + place)
        if not text_rank:
            return replace(candidate, rank_score=fused, fused_score=fused)
        fused += weight / (RANK_CONSTANT + text_rank)
        text_score = float(self.ranking.scores[position])
        return replace(candidate, rank_score=fused, fused_score=fused, text_score=text_score, text_rank=text_rank)
