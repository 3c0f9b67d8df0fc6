"""The first principal components of the vectors: most of a distance, for a third of the arithmetic and the memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from lookalike.index.base import Vectors
from lookalike.index.native import faiss

SAMPLE = 50_000  # vectors that the components are computed of
SPREAD = 10_000  # vectors that the scale of bytes is taken from
WITHIN = 0.9999  # share of the numbers that fit into a byte; the rest is cut to its ends
SEED = 20


def sample(vectors: Vectors, count: int) -> Vectors:
    """So many of the vectors, chosen by a fixed seed, in the order in which they lie."""
    if count >= len(vectors):
        return np.array(vectors)
    rows = np.random.default_rng(SEED).choice(len(vectors), count, replace=False)
    return np.array(vectors[np.sort(rows)])


def projection(vectors: Vectors, width: int, *, balanced: bool) -> Any:
    """A trained ``faiss.PCAMatrix`` to ``width`` components.

    ``balanced`` turns them at random, so that all carry alike: what a product quantizer wants, and a scalar quantizer
    does not.
    """
    matrix = faiss.PCAMatrix(vectors.shape[1], width, 0.0, balanced)
    matrix.train(sample(vectors, SAMPLE))
    return matrix


class ByteProjection:
    """Components in bytes: one scale for all, so that distances of bytes are distances of components.

    Whole numbers are compared about twice as fast as numbers that are decoded first.
    """

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix

    def __call__(self, vectors: Vectors) -> Vectors:
        """(n, D) vectors as (n, width) float32 in [0, 255], which FAISS cuts to whole numbers."""
        components: Vectors = self._matrix.apply(vectors)
        return np.clip(components, 0.0, 255.0, out=components)

    @staticmethod
    def train(vectors: Vectors, width: int) -> Any:
        """A ``faiss.LinearTransform`` of the first ``width`` components, scaled so that nearly all fit into a byte."""
        chosen = sample(vectors, SAMPLE)
        dimension = vectors.shape[1]
        if fits(vectors, width):
            turned = faiss.PCAMatrix(dimension, width)
            turned.train(chosen)
            weights = faiss.vector_to_array(turned.A).reshape(-1, dimension)[:width]
            offset = faiss.vector_to_array(turned.b)[:width]
        else:
            weights, offset = np.eye(dimension, dtype=np.float32), np.zeros(dimension, dtype=np.float32)
        reach = float(np.quantile(np.abs(chosen[:SPREAD] @ weights.T + offset), WITHIN))
        scale = 127.0 / max(reach, 1e-6)
        matrix = faiss.LinearTransform(dimension, len(weights), True)
        faiss.copy_array_to_vector((weights * scale).astype(np.float32).ravel(), matrix.A)
        # Half a step more, because what is cut to a whole number should have been rounded.
        faiss.copy_array_to_vector((offset * scale + 128.5).astype(np.float32), matrix.b)
        matrix.is_trained = True
        return matrix


def fits(vectors: Vectors, width: int) -> bool:
    """Whether there are vectors enough to tell so many components from chance."""
    return bool(width < vectors.shape[1]) and len(vectors) >= 4 * vectors.shape[1]
