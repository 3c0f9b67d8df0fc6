"""A linear classifier of vectors, and what it would say of each had it not been fitted to it.

Least squares to the indicators of labels, with a penalty λ on the weights and a free constant. Leaving one vector out
needs no other fit: with the leverage hᵢ of a vector its prediction without itself is (ŷᵢ - hᵢ yᵢ) / (1 - hᵢ) (R.
Rifkin, R. Lippert, "Notes on regularized least squares", 2007). Two passes over the vectors are enough, and memory
holds D × D and D × C numbers, however many vectors there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Vectors

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class Moments:
    """Sums over labelled vectors, all that the classifier is fitted to."""

    def __init__(self, dimension: int, label_count: int) -> None:
        self.counts: Floats = np.zeros(label_count)
        self.label_sums: Floats = np.zeros((label_count, dimension))
        self.products: Floats = np.zeros((dimension, dimension))

    def add(self, vectors: Vectors, labels: Labels) -> None:
        """Add (m, D) vectors with labels 0 to C - 1 (m,)."""
        wide = vectors.astype(np.float64)
        self.products += wide.T @ wide
        np.add.at(self.label_sums, labels, wide)
        self.counts += np.bincount(labels, minlength=len(self.counts))


@dataclass(frozen=True, slots=True, eq=False)
class RidgeClassifier:
    """The classifier in the eigenvectors of the vectors' scatter: ``axes`` (D, D), ``strengths`` (D,).

    ``weights`` (D, C) are before the penalty, ``shares`` (C,) those of the labels, ``mean`` (D,) of all ``count``.
    """

    mean: Floats
    axes: Floats
    strengths: Floats
    weights: Floats
    shares: Floats
    count: float

    @classmethod
    def fit(cls, moments: Moments) -> Self:
        """The classifier of these vectors, at least two of at least two labels, before a penalty is chosen."""
        count = float(moments.counts.sum())
        mean = moments.label_sums.sum(axis=0) / count
        scatter = moments.products - count * np.outer(mean, mean)
        strengths, axes = np.linalg.eigh(scatter)
        centred_sums = moments.label_sums - moments.counts[:, None] * mean
        weights = axes.T @ centred_sums.T
        return cls(mean, axes, np.maximum(strengths, 0.0), weights, moments.counts / count, count)

    def own_scores(self, vectors: Vectors, labels: Labels, penalty: float) -> Floats:
        """The leave-one-out scores (m,) of the vectors' own labels, which say how typical each is of its label."""
        scaled, leverage = self._rotate(vectors, penalty)
        fitted = np.einsum("ij,ij->i", scaled, self.weights.T[labels]) + self.shares[labels]
        return np.asarray((fitted - leverage) / (1 - leverage))

    def scores(self, vectors: Vectors, labels: Labels, penalty: float) -> Floats:
        """The leave-one-out scores (m, C) of all labels: about the probability of each, some below 0 or above 1."""
        scaled, leverage = self._rotate(vectors, penalty)
        fitted = scaled @ self.weights + self.shares
        fitted[np.arange(len(labels)), labels] -= leverage
        return np.asarray(fitted / (1 - leverage)[:, None])

    def _rotate(self, vectors: Vectors, penalty: float) -> tuple[Floats, Floats]:
        """Vectors along the axes divided by the penalised strengths (m, D), and their leverages (m,)."""
        rotated = (vectors - self.mean) @ self.axes
        scaled = rotated / (self.strengths + penalty)
        leverage = np.einsum("ij,ij->i", rotated, scaled) + 1 / self.count
        return scaled, np.minimum(leverage, 1 - 1e-6)
