"""The first principal components of vectors: most of a distance, for a third of the arithmetic and the memory."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from lookalike.index.base import Vectors
from lookalike.index.faiss_ops import faiss

SAMPLE = 50_000  # vectors that the components are trained on
SCALE_SAMPLE = 10_000  # vectors that the scale of bytes is computed from
BYTE_SHARE = 0.9999  # share of the numbers that fit into a byte; the rest is clipped
SEED = 20


def sample_vectors(vectors: Vectors, count: int) -> Vectors:
    """``count`` of the vectors, drawn with a fixed seed, in their original order."""
    if count >= len(vectors):
        return np.array(vectors)
    rows = np.random.default_rng(SEED).choice(len(vectors), count, replace=False)
    return np.array(vectors[np.sort(rows)])


def train_projection(vectors: Vectors, width: int, *, random_rotation: bool) -> Any:
    """A trained ``faiss.PCAMatrix`` to ``width`` components.

    ``random_rotation`` spreads the variance over all of them: better for a product quantizer, worse for a scalar one.
    """
    matrix = faiss.PCAMatrix(vectors.shape[1], width, 0.0, random_rotation)
    matrix.train(sample_vectors(vectors, SAMPLE))
    return matrix


class Components:
    """The first principal components of a collection, or the centred vectors if these are too few to train on.

    ``weights`` (c, D) float32 are orthonormal rows, ``offset`` (c,) subtracts the mean. With ``by_variance`` the
    components are in descending order of variance, so that the first ones hold most of a distance.
    """

    def __init__(self, weights: Vectors, offset: Vectors, *, by_variance: bool) -> None:
        self.weights, self.offset, self.by_variance = weights, offset, by_variance

    @classmethod
    def train(cls, sample: Vectors, min_dimension: int, max_components: int) -> Self:
        """Up to ``max_components`` of (n, D) vectors; principal components if D > ``min_dimension`` and n suffices."""
        dimension = sample.shape[1]
        if not has_enough_vectors(sample, min_dimension):
            return cls(np.eye(dimension, dtype=np.float32), -sample.mean(axis=0), by_variance=False)
        pca = faiss.PCAMatrix(dimension, min(max_components, dimension))
        pca.train(sample)
        weights = faiss.vector_to_array(pca.A).reshape(-1, dimension)[: pca.d_out]
        return cls(weights.copy(), faiss.vector_to_array(pca.b)[: pca.d_out].copy(), by_variance=True)

    def __call__(self, vectors: Vectors) -> Vectors:
        """(n, D) vectors as (n, c) components."""
        components: Vectors = vectors @ self.weights.T + self.offset
        return components


def byte_scale(components: Vectors) -> float:
    """The factor of (n, c) components with which nearly all fit into a byte, the same for all.

    So distances between bytes are distances between components, and integers are compared about twice as fast as
    numbers that must be decoded first.
    """
    return 127.0 / max(float(np.quantile(np.abs(components), BYTE_SHARE)), 1e-6)


def to_bytes(components: Vectors, scale: float) -> Vectors:
    """Components as float32 in [0, 255], which FAISS truncates to integers."""
    # Half a step more, so that truncation rounds.
    levels: Vectors = components * np.float32(scale) + np.float32(128.5)
    return np.clip(levels, 0.0, 255.0, out=levels)


def has_enough_vectors(vectors: Vectors, width: int) -> bool:
    """Whether the vectors are enough to train ``width`` components, and have more numbers than that."""
    return bool(width < vectors.shape[1]) and len(vectors) >= 4 * vectors.shape[1]
