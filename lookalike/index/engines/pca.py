"""The first principal components of the vectors: most of a distance, for a third of the arithmetic and the memory."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from lookalike.index.base import Vectors
from lookalike.index.faiss_ops import faiss

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


class Components:
    """The first principal components of a collection, or the numbers as they are where these cannot be told.

    ``weights`` (c, D) float32 are orthonormal rows, ``offset`` (c,) takes the mean off. The first components hold most
    of a distance where they are ``ranked``.
    """

    def __init__(self, weights: Vectors, offset: Vectors, *, ranked: bool) -> None:
        self.weights, self.offset, self.ranked = weights, offset, ranked

    @classmethod
    def train(cls, chosen: Vectors, least: int, most: int) -> Self:
        """Up to ``most`` components of a sample of (n, D) vectors; ranked where D is above ``least`` and n suffices."""
        dimension = chosen.shape[1]
        if not fits(chosen, least):
            return cls(np.eye(dimension, dtype=np.float32), -chosen.mean(axis=0), ranked=False)
        turned = faiss.PCAMatrix(dimension, min(most, dimension))
        turned.train(chosen)
        weights = faiss.vector_to_array(turned.A).reshape(-1, dimension)[: turned.d_out]
        return cls(weights.copy(), faiss.vector_to_array(turned.b)[: turned.d_out].copy(), ranked=True)

    def __call__(self, vectors: Vectors) -> Vectors:
        """(n, D) vectors as (n, c) components."""
        components: Vectors = vectors @ self.weights.T + self.offset
        return components


def byte_scale(components: Vectors) -> float:
    """What (n, c) components are multiplied with so that nearly all fit into a byte, one scale for all.

    So distances of bytes are distances of components, and whole numbers are compared about twice as fast as numbers
    that are decoded first.
    """
    return 127.0 / max(float(np.quantile(np.abs(components), WITHIN)), 1e-6)


def to_bytes(components: Vectors, scale: float) -> Vectors:
    """Components as float32 in [0, 255], which FAISS cuts to whole numbers."""
    # Half a step more, because what is cut to a whole number should have been rounded.
    scaled: Vectors = components * np.float32(scale) + np.float32(128.5)
    return np.clip(scaled, 0.0, 255.0, out=scaled)


def fits(vectors: Vectors, width: int) -> bool:
    """Whether there are vectors enough to tell so many components from chance."""
    return bool(width < vectors.shape[1]) and len(vectors) >= 4 * vectors.shape[1]
