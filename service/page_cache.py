"""What further pages of searches go on from, in memory: a search without it is made again, to the same result."""

from __future__ import annotations

from threading import Lock

from cachetools import LRUCache

from lookalike.collection.candidates import QueryVectors
from lookalike.collection.refined_search import RefinedSearch

_SEARCHES = 8
"""A search holds some bytes for each item of its collection."""
_VECTORS = 512
"""How many queries' vectors are kept: a picture that is encoded again, in another batch, may differ in a last bit."""


class PageCache:
    """The queries whose next pages were offered last, and the searches of those that were asked for."""

    def __init__(self) -> None:
        self._searches: LRUCache[str, RefinedSearch] = LRUCache(_SEARCHES)
        self._vectors: LRUCache[str, QueryVectors] = LRUCache(_VECTORS)
        self._lock = Lock()

    def keep_vectors(self, key: str, vectors: QueryVectors) -> None:
        """Keep what a query was searched with."""
        with self._lock:
            self._vectors[key] = vectors

    def vectors(self, key: str) -> QueryVectors | None:
        """What a query was searched with, if it is kept."""
        with self._lock:
            return self._vectors.get(key)

    def take_search(self, key: str) -> RefinedSearch | None:
        """A search to go on with, if it is kept: it is the caller's alone until it is given back."""
        with self._lock:
            search: RefinedSearch | None = self._searches.pop(key, None)
            return search

    def give_back(self, key: str, search: RefinedSearch) -> None:
        """Keep a search for its next page."""
        with self._lock:
            self._searches[key] = search
