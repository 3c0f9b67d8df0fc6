"""The output layer by formula: from the fused features to an embedding whose numbers are evenly used.

A ridge regression predicts, from the features, the teacher's embedding and which class a picture is of; principal
components of the prediction, each divided by a power of its variance (power 0.5 would be whitening), are the vector's
first block. A second block holds principal components of the colour histogram alone. All steps are linear, so they
fold into one matrix and one bias. Fitted in seconds, it is worth more than the last hours of training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

RIDGE = 1e-2
POWER = 0.15
COLOUR_POWER = 0.5
COLOUR_WEIGHT = 0.25
"""Length of the colour block, where the other block has length one."""

LABEL_WEIGHT = 1.0
"""How much the labels count beside the teacher's embedding: the ratio of the two targets' lengths over all pictures."""

LABEL_POWER = 0.4
"""A class of n pictures has a target of the size (n + 1) ** -power: 0.5 would make all classes weigh the same."""

SMALLEST_DEVIATION = 0.02
"""Features that vary less than this part of the median one are scaled as if they varied so much."""


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


@dataclass(frozen=True)
class OutputLayer:
    """x -> ``affine`` of (x - ``centre``) * ``scale``; ``centre`` and ``scale`` are (d,) float64."""

    centre: Doubles
    scale: Doubles
    affine: Affine


def label_targets(classes: npt.NDArray[np.int64], power: float = LABEL_POWER) -> Floats:
    """(n, classes) float32, centred: what a picture of ``classes`` (n,) int64 should say; -1 is of no class."""
    known = np.flatnonzero(classes >= 0)
    targets = np.zeros((len(classes), int(classes.max(initial=-1)) + 1), dtype=np.float32)
    targets[known, classes[known]] = 1.0
    targets *= (targets.sum(axis=0) + 1.0) ** -power
    return np.asarray(targets - targets.mean(axis=0), dtype=np.float32)


def output_layer(
    features: Floats, embedding: Floats, classes: npt.NDArray[np.int64], colours: int, dimension: int, components: int
) -> OutputLayer:
    """The layer from features (n, d), of which the last ``colours`` are a histogram, to ``dimension`` numbers.

    ``embedding`` (n, e) is the teacher's. ``components`` of the numbers are the colour block.
    """
    x = features.astype(np.float64)
    centre, deviation = x.mean(axis=0), x.std(axis=0)
    moments, histogram = slice(0, x.shape[1] - colours), slice(x.shape[1] - colours, None)
    if components:
        # Bins of a histogram have a common unit, so they share one scale; rare ones would be noise otherwise.
        deviation[histogram] = np.linalg.norm(deviation[histogram]) / np.sqrt(components)
    deviation[moments] = np.maximum(deviation[moments], SMALLEST_DEVIATION * np.median(deviation[moments]))
    scaled = ((x - centre) / deviation).astype(np.float32)
    labels = label_targets(classes)
    labels *= LABEL_WEIGHT * np.linalg.norm(embedding) / max(float(np.linalg.norm(labels)), 1e-12)
    targets = np.hstack([embedding - embedding.mean(axis=0), labels])
    seen = _unit_block(output_of(scaled, targets, dimension - components), scaled, 1.0)
    if components == 0:
        return OutputLayer(centre, 1.0 / deviation, seen)
    picked = np.zeros((colours, x.shape[1]))
    picked[:, histogram] = np.eye(colours)
    colour = principal(Affine(picked, np.zeros(colours)), scaled, components, COLOUR_POWER)
    colour = _unit_block(colour, scaled, COLOUR_WEIGHT)
    both = Affine(np.vstack([seen.weight, colour.weight]), np.concatenate([seen.bias, colour.bias]))
    return OutputLayer(centre, 1.0 / deviation, both)


def output_of(features: Floats, targets: Floats, dimension: int, power: float = POWER) -> Affine:
    """Ridge and principal components folded into one map from features (n, d) to ``dimension`` numbers."""
    return principal(ridge(features, targets), features, dimension, power)


def _unit_block(block: Affine, features: Floats, length: float) -> Affine:
    """``block`` scaled so that its output on ``features`` has the root mean square ``length``."""
    output = features @ block.weight.T + block.bias
    factor = length / np.sqrt(np.square(output).sum(axis=1).mean())
    return Affine(block.weight * factor, block.bias * factor)
