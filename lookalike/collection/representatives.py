"""The items that stand for a collection: where nothing is liked yet, the first that somebody is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.collection.candidates import Candidate
from lookalike.collection.searcher import Searcher
from lookalike.index.base import Mask, Positions, Vectors
from lookalike.index.clusters import Clusters, cluster

MAX_CLUSTERED = 20_000
"""The most vectors that are divided into clusters: of more, as many at even distances in the collection's order."""
MAX_CLUSTERS = 100
"""More would take long, and few of their items would stand for many; further items of the same clusters follow."""


@dataclass(frozen=True, slots=True, eq=False)
class Representatives:
    """Items in the order in which they stand for all, with their cosines with the centre (c, D) of their cluster."""

    centres: Vectors
    item_ids: Positions
    cosines: npt.NDArray[np.float32]

    @classmethod
    def of(cls, searcher: Searcher, mask: Mask, count: int) -> Self:
        """Those among the items at the positions of a mask, of which some has to be there, in ``count`` clusters.

        First the item that is nearest to the centre of each cluster, the largest cluster first; then the second of
        each, and so on. The same each time.
        """
        positions = np.flatnonzero(mask)
        if len(positions) > MAX_CLUSTERED:
            positions = positions[np.linspace(0, len(positions) - 1, MAX_CLUSTERED).astype(np.int64)]
        clusters = cluster(searcher.vectors_at(positions), min(count, MAX_CLUSTERS))
        order = _round_robin(clusters)
        return cls(clusters.centres, searcher.ids_at(positions[order]), clusters.cosines[order])

    def candidates(self) -> Iterator[Candidate]:
        """They as candidates, whose score is the cosine with the centre."""
        for item_id, cosine in zip(self.item_ids.tolist(), self.cosines.tolist(), strict=True):
            yield Candidate(item_id, cosine, cosine)


def _round_robin(clusters: Clusters) -> npt.NDArray[np.int64]:
    """The places of the vectors, one of each cluster after the other, by their nearness to its centre."""
    labels = clusters.labels
    sizes = np.bincount(labels, minlength=len(clusters.centres))
    by_cluster = np.lexsort((-clusters.cosines, labels))
    starts = np.cumsum(sizes) - sizes
    ranks = np.empty(len(labels), np.int64)
    ranks[by_cluster] = np.arange(len(labels)) - starts[labels[by_cluster]]
    return np.lexsort((labels, -sizes[labels], ranks))
