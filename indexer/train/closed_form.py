"""The output layer in closed form: a linear map from the fused features to the embedding.

A ridge regression predicts, from the features, the teacher's embedding and the class of a picture; the principal
components of the prediction, each divided by a power of its variance (power 0.5 would be whitening), are the vector's
first block. A second block holds principal components of the colour histogram alone. All steps are linear, so they
fold into one matrix and one bias. The fit takes seconds and improves the figures more than the last hours of training.
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
"""Root mean square length of the colour block; that of the other block is one."""

LABEL_WEIGHT = 1.0
"""Weight of the labels relative to the teacher's embedding: the ratio of the targets' norms over all pictures."""

LABEL_POWER = 0.4
"""The target of a class of n pictures is scaled by (n + 1) ** -power; 0.5 would give all classes the same weight."""

SMALLEST_DEVIATION = 0.02
"""Lower limit of a feature's standard deviation for scaling, relative to the median one."""


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
    has_variance = variances > 1e-10 * variances[0]
    scale = np.where(has_variance, np.where(has_variance, variances, 1.0) ** -power, 0.0)
    weight = (vectors * scale).T @ outputs_of.weight
    return Affine(weight, -weight @ mean)


@dataclass(frozen=True)
class OutputLayer:
    """x -> ``affine`` of (x - ``centre``) * ``scale``; ``centre`` and ``scale`` are (d,) float64."""

    centre: Doubles
    scale: Doubles
    affine: Affine


def label_targets(classes: npt.NDArray[np.int64], power: float = LABEL_POWER) -> Floats:
    """Regression targets (n, classes) float32, centred, for ``classes`` (n,) int64; -1 is of no class."""
    labelled_rows = np.flatnonzero(classes >= 0)
    targets = np.zeros((len(classes), int(classes.max(initial=-1)) + 1), dtype=np.float32)
    targets[labelled_rows, classes[labelled_rows]] = 1.0
    targets *= (targets.sum(axis=0) + 1.0) ** -power
    return np.asarray(targets - targets.mean(axis=0), dtype=np.float32)


def output_layer(
    features: Floats, embedding: Floats, classes: npt.NDArray[np.int64], colours: int, dimension: int, components: int
) -> OutputLayer:
    """The layer from features (n, d), of which the last ``colours`` are a histogram, to ``dimension`` numbers.

    ``embedding`` (n, e) is the teacher's. ``components`` of the numbers are the colour block.
    """
    centre, deviation = centre_and_deviation(features, colours, components)
    scaled_features = ((features - centre) / deviation).astype(np.float32)
    labels = label_targets(classes)
    labels *= LABEL_WEIGHT * np.linalg.norm(embedding) / max(float(np.linalg.norm(labels)), 1e-12)
    targets = np.hstack([embedding - embedding.mean(axis=0), labels])
    content_block = _unit_block(output_of(scaled_features, targets, dimension - components), scaled_features, 1.0)
    if components == 0:
        return OutputLayer(centre, 1.0 / deviation, content_block)
    histogram_selection = np.eye(features.shape[1])[-colours:]
    colour_block = principal(Affine(histogram_selection, np.zeros(colours)), scaled_features, components, COLOUR_POWER)
    colour_block = _unit_block(colour_block, scaled_features, COLOUR_WEIGHT)
    joint_map = Affine(
        np.vstack([content_block.weight, colour_block.weight]), np.concatenate([content_block.bias, colour_block.bias])
    )
    return OutputLayer(centre, 1.0 / deviation, joint_map)


def centre_and_deviation(features: Floats, colours: int, components: int) -> tuple[Doubles, Doubles]:
    """What brings features (n, d) to one scale, (d,) each: their mean, and what to divide by.

    The last ``colours`` of them are a histogram; without ``components`` for it they are scaled like the others.
    """
    x = features.astype(np.float64)
    centre, deviation = x.mean(axis=0), x.std(axis=0)
    moments, histogram = slice(0, x.shape[1] - colours), slice(x.shape[1] - colours, None)
    if components:
        # Bins of a histogram have a common unit, so they share one scale; scaled singly, rare ones would be noise.
        deviation[histogram] = np.linalg.norm(deviation[histogram]) / np.sqrt(components)
    deviation[moments] = np.maximum(deviation[moments], SMALLEST_DEVIATION * np.median(deviation[moments]))
    return centre, deviation


def output_of(features: Floats, targets: Floats, dimension: int, power: float = POWER) -> Affine:
    """Ridge and principal components folded into one map from features (n, d) to ``dimension`` numbers."""
    return principal(ridge(features, targets), features, dimension, power)


def _unit_block(block: Affine, features: Floats, length: float) -> Affine:
    """``block`` scaled so that its output on ``features`` has the root mean square ``length``."""
    output = features @ block.weight.T + block.bias
    factor = length / np.sqrt(np.square(output).sum(axis=1).mean())
    return Affine(block.weight * factor, block.bias * factor)
