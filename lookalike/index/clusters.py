"""Groups of vectors that are near each other, by k-means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Vectors
from lookalike.index.faiss_ops import faiss, search_all, use_threads

_ITERATIONS = 10
_SEED = 1234


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The ``centres`` (c, D), of unit length; of each vector the cluster that it is in (n,), and its cosine with it."""

    centres: Vectors
    labels: npt.NDArray[np.int64]
    cosines: npt.NDArray[np.float32]


def cluster(vectors: Vectors, count: int) -> Clusters:
    """Divide (n, D) unit vectors into at most ``count`` clusters by spherical k-means; n and count are at least 1.

    Equal vectors give equal clusters: it starts from a fixed seed, and in one thread, so that sums are of one order.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    count = min(count, len(vectors))
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=_ITERATIONS,
        seed=_SEED,
        spherical=True,
        min_points_per_centroid=1,  # a cluster of one is no reason for a warning
        max_points_per_centroid=len(vectors),  # all of them, and not a sample
    )
    with use_threads(1):
        kmeans.train(vectors)
        nearest = search_all(kmeans.centroids, vectors, 1)
    return Clusters(kmeans.centroids, nearest.positions[:, 0], nearest.scores[:, 0])
