"""Which items of one snapshot have a word or a phrase, and where; cached, since these items never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache
from sqlalchemy import Select

from lookalike.catalogue.database import Database
from lookalike.catalogue.item_words import COUNT_BITS, COUNT_MASK, fill_words, select_counts, select_ids
from lookalike.options import MEBIBYTE
from lookalike.sorted_ids import Ids, find_positions
from lookalike.words.item_texts import TextPart
from lookalike.words.text_query import Phrase

Lengths = npt.NDArray[np.float32]

CACHE_BYTES = 32 * MEBIBYTE
_ENTRY_BYTES = 500
"""About the bytes of a cached result beside its array."""


class SnapshotWords:
    """The words of the items with these ``ids``, ascending; safe from several threads at once."""

    def __init__(self, database: Database, collection_id: int, ids: Ids, *, memory: int = CACHE_BYTES) -> None:
        """``memory`` is about the most bytes that cached results may take."""
        self._database = database
        self._collection_id = collection_id
        self._ids = ids
        self._cache: LRUCache[tuple[Phrase, TextPart], Ids] = LRUCache(
            memory, getsizeof=lambda cached: int(cached.nbytes) + _ENTRY_BYTES
        )
        self._lock = Lock()
        self._is_filled = False

    def fill(self, check: Callable[[], None]) -> None:
        """Store the words of items that an older version of this program has stored; nothing is encoded.

        To be called before anything else. ``check`` may end it: the next call goes on from there.
        """
        if not self._is_filled:
            fill_words(self._database, self._collection_id, check)
            self._is_filled = True

    def find(self, phrase: Phrase, part: TextPart) -> Ids:
        """The positions, among the ids, of the items that have a phrase in a part of theirs."""
        with self._lock:
            cached: Ids | None = self._cache.get((phrase, part))
        if cached is not None:
            return cached
        ids = self._read(select_ids(self._database.dialect, self._collection_id, phrase, part))
        positions = find_positions(self._ids, ids)
        positions = positions[positions >= 0]
        with self._lock, suppress(ValueError):  # larger than the cache
            self._cache[phrase, part] = positions
        return positions

    @cached_property
    def lengths(self) -> Mapping[TextPart, Lengths]:
        """For each part, how many words that of each item has, (n,) float32."""
        pairs = self._read(select_counts(self._collection_id)).reshape(-1, 2)
        positions = find_positions(self._ids, pairs[:, 0])
        counts = np.zeros(len(self._ids), np.int64)
        counts[positions[positions >= 0]] = pairs[positions >= 0, 1]
        return {part: (counts >> bits & COUNT_MASK).astype(np.float32) for part, bits in COUNT_BITS.items()}

    def _read(self, statement: Select[Any]) -> Ids:
        """The numbers of such a text as these statements return."""
        if not len(self._ids):
            return np.empty(0, np.int64)
        rows = self._database.fetch_rows(statement, first=int(self._ids[0]), last=int(self._ids[-1]))
        return np.fromstring(rows[0].numbers or "", dtype=np.int64, sep=",")
