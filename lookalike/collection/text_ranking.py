"""Which items have the words of a query, and how well: BM25F over the parts of an item.

Of each word, phrase or beginning of a word t and item d, with the parts p of an item (Robertson, Zaragoza and Taylor
2004, where a part has a word or has it not, and lengths are compared with fixed ones, so that no item's score depends
on how long others are):

    occurs(t, d) = sum over the parts p of d that have t of  weight_p / (1 - B + B · length_p(d) / usual_length_p)
    score(t, d)  = ln(1 + (N - n + 0.5) / (n + 0.5)) · occurs(t, d) / (K1 + occurs(t, d))

N is the number of items, n of those that have t. The score of an item is the sum over all t; a beginning counts once
more where it is the whole word. FTS5's bm25() would count other collections and removed versions of items, and
PostgreSQL's ts_rank() does not know how rare a word is; so both databases only say which items have a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lookalike.catalogue.snapshot_filter import Check
from lookalike.collection.searcher import Searcher
from lookalike.index.base import Mask, Positions
from lookalike.words.item_texts import TextPart
from lookalike.words.text_query import Phrase, TextMatch, TextQuery

K1 = 1.2
B = 0.75
WEIGHTS: Mapping[TextPart, float] = {TextPart.TITLE: 3.0, TextPart.METADATA: 1.0, TextPart.FILE_NAME: 0.5}
USUAL_LENGTHS: Mapping[TextPart, float] = {TextPart.TITLE: 8.0, TextPart.METADATA: 30.0, TextPart.FILE_NAME: 3.0}
"""Words of a part that count as neither many nor few."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TextRanking:
    """The items that have the words, by positions as ``Searcher.mask`` has them.

    ``matches`` are those that have what is wanted and nothing unwanted, ``unwanted`` those that must be no hits, and
    ``scores`` (n + m,) are 0 where an item has none of the words.
    """

    matches: Mask
    unwanted: Mask
    scores: Scores

    @classmethod
    def of(cls, searcher: Searcher, query: TextQuery, check: Check) -> TextRanking:
        """Rank the items of a collection; ``check`` is called before each look-up."""
        reader = _Reader(searcher, check)
        unwanted = np.zeros_like(reader.left)
        for phrase in query.unwanted:
            unwanted |= reader.occurrences(phrase) > 0
        scores = np.zeros(len(reader.left))
        is_all = query.match is TextMatch.ALL
        matches = reader.left & ~unwanted if is_all else np.zeros_like(reader.left)
        for phrase in query.wanted:
            occurrences = reader.occurrences(phrase)
            scores += reader.score(occurrences)
            if phrase.is_prefix:
                scores += reader.score(reader.occurrences(phrase.exact))
            matches = matches & (occurrences > 0) if is_all else matches | (occurrences > 0)
        return cls(matches & reader.left & ~unwanted, unwanted, scores)

    @cached_property
    def order(self) -> Positions:
        """The positions of the matches, the best first; of equal ones the smaller position."""
        positions = np.flatnonzero(self.matches)
        return positions[np.argsort(-self.scores[positions], kind="stable")]


class _Reader:
    """Reads the occurrences of phrases in a snapshot and in what was added to it."""

    def __init__(self, searcher: Searcher, check: Check) -> None:
        self.left = searcher.mask(None)
        self._sources = [(0, searcher.item_filter.words)]
        if len(searcher.overlay.ids):
            self._sources.append((len(searcher.snapshot.ids), searcher.added_filter.words))
        self._count = int(np.count_nonzero(self.left))
        self._check = check
        for _, words in self._sources:
            words.fill(check)

    def occurrences(self, phrase: Phrase) -> Scores:
        """``occurs`` of a phrase, for each position."""
        occurrences = np.zeros(len(self.left))
        for start, part, positions, lengths in self._read(phrase):
            norms = 1 - B + B / USUAL_LENGTHS[part] * lengths[positions]
            occurrences[start + positions] += WEIGHTS[part] / norms
        return occurrences

    def _read(self, phrase: Phrase) -> Iterator[tuple[int, TextPart, Positions, npt.NDArray[np.float32]]]:
        for start, words in self._sources:
            for part in TextPart:
                self._check()
                yield start, part, words.find(phrase, part), words.lengths[part]

    def score(self, occurrences: Scores) -> Scores:
        """The score of a phrase, for each position."""
        count = int(np.count_nonzero(self.left & (occurrences > 0)))
        rarity = np.log(1 + (self._count - count + 0.5) / (count + 0.5))
        score: Scores = rarity * occurrences / (K1 + occurrences)
        return score
