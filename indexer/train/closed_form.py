"""The output layer by formula: from the fused features to the teacher's embedding, and on to evenly used numbers.

A ridge regression predicts the teacher's embedding from the features; principal components of the prediction, each
divided by a power of its variance (power 0.5 would be whitening), are the vector. Both steps are linear, so they
fold into one matrix and one bias. Fitted in seconds, it is worth more than the last hours of training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

RIDGE = 1e-2
POWER = 0.25


@dataclass(frozen=True)
class Affine:
    """x -> ``weight`` @ x + ``bias``; float64."""

    weight: Doubles
    bias: Doubles


def ridge(features: Floats, targets: Floats, strength: float = RIDGE) -> Affine:
    """The map (e, d) from ``features`` (n, d) to ``targets`` (n, e) of least squared error plus a penalty.

    With centred X and Y: W = YᵀX (XᵀX + strength · tr(XᵀX)/d · I)⁻¹ (Hoerl and Kennard, 1970); the penalty is
    relative to the mean variance of a feature, so ``strength`` has no unit.
    """
    x, y = features.astype(np.float64), targets.astype(np.float64)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += strength * np.trace(gram) / len(gram)
    weight = np.linalg.solve(gram, x.T @ y).T
    return Affine(weight, y_mean - weight @ x_mean)


def principal(outputs_of: Affine, features: Floats, dimension: int, power: float = POWER) -> Affine:
    """The map from ``features`` to the ``dimension`` principal components of ``outputs_of(features)``.

    Each component is divided by its variance to the ``power``; the result has mean zero. Components without variance
    are zero. The sign of a component is fixed by its largest entry, so that two runs agree.
    """
    x = features.astype(np.float64)
    mean = x.mean(axis=0)
    covariance = outputs_of.weight @ np.cov(x - mean, rowvar=False) @ outputs_of.weight.T
    variances, vectors = np.linalg.eigh(covariance)
    variances, vectors = variances[::-1][:dimension], vectors[:, ::-1][:, :dimension]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    alive = variances > 1e-10 * variances[0]
    scale = np.where(alive, np.where(alive, variances, 1.0) ** -power, 0.0)
    weight = (vectors * scale).T @ outputs_of.weight
    return Affine(weight, -weight @ mean)


def output_layer(features: Floats, targets: Floats, dimension: int, power: float = POWER) -> Affine:
    """Ridge and principal components folded into one map from features (n, d) to ``dimension`` numbers."""
    return principal(ridge(features, targets), features, dimension, power)
