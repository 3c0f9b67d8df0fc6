"""The vectors of a collection, and of what it is compared with, as the search for duplicates uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.collection.searcher import Searcher
from lookalike.duplicates.candidates import Numbers
from lookalike.index.base import Vectors

_BATCH = 256


@dataclass(frozen=True, slots=True)
class CollectionVectors:
    """Implements ``lookalike.duplicates.search.VectorNeighbours``.

    The items of the collection are subjects 0 to n - 1, in the order of ``Searcher.items``. With ``reference``, (m, D)
    unit vectors of the subjects n to n + m - 1, these are searched for in the collection, and its own items are not.
    ``neighbours`` is how many of the nearest are candidates; ``is_similar`` says so of a cosine.
    """

    searcher: Searcher
    neighbours: int
    is_similar: Callable[[float], bool]
    reference: Vectors | None = None

    def batches(self) -> Iterator[tuple[Numbers, Numbers, npt.NDArray[np.float32]]]:
        """See the protocol."""
        count = len(self.searcher)
        own = self.reference is None
        queries = self.searcher.snapshot.vectors if self.reference is None else self.reference
        if not self.neighbours or not count:
            return
        for start in range(0, len(queries), _BATCH):
            batch = np.ascontiguousarray(queries[start : start + _BATCH])
            # One more than requested: the nearest neighbour of an item is mostly the item itself.
            nearest = self.searcher.neighbours(batch, self.neighbours + own)
            numbers = np.arange(start, start + len(batch), dtype=np.int64)
            yield numbers + (0 if own else count), nearest.positions, nearest.scores

    def are_similar(self, first: int, second: int) -> bool:
        """See the protocol; False where one of the two has no vector."""
        first_vector, second_vector = self._vector(first), self._vector(second)
        if first_vector is None or second_vector is None:
            return False
        return self.is_similar(float(first_vector @ second_vector))

    def _vector(self, number: int) -> Vectors | None:
        count = len(self.searcher)
        if number < count:
            return np.asarray(self.searcher.snapshot.vectors[number])
        return None if self.reference is None else np.asarray(self.reference[number - count])
