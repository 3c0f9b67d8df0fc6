"""The output layer by formula finds maps that were planted, and spreads its numbers as it says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from indexer.train.closed_form import COLOUR_WEIGHT, SMALLEST_DEVIATION, label_targets, output_layer, principal, ridge


def features(count: int = 400, width: int = 6, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, width)) * np.arange(1, width + 1) + 3.0).astype(np.float32)


def test_planted_linear_map_is_recovered() -> None:
    x = features()
    weight = np.random.default_rng(1).normal(size=(4, 6))
    bias = np.array([1.0, -2.0, 0.5, 7.0])
    found = ridge(x, (x @ weight.T + bias).astype(np.float32), strength=1e-9)
    assert found.weight == pytest.approx(weight, abs=1e-4)
    assert found.bias == pytest.approx(bias, abs=1e-3)


def test_one_feature_shrinks_by_the_ridge_formula() -> None:
    x = np.array([[-1.0], [0.0], [1.0]], dtype=np.float32)
    # Sum of squares 2, penalty 0.5 * 2: the slope 3 becomes 3 * 2 / (2 + 1).
    found = ridge(x, 3 * x + 5, strength=0.5)
    assert found.weight.item() == pytest.approx(2.0)
    assert found.bias.item() == pytest.approx(5.0)


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5])
def test_components_are_uncorrelated_with_variance_to_the_promised_power(power: float) -> None:
    x = features()
    identity = ridge(x, x, strength=1e-12)
    plain = principal(identity, x, 6, power=0.0)
    variances = np.var(x @ plain.weight.T + plain.bias, axis=0, ddof=1)
    layer = principal(identity, x, 6, power)
    outputs = x @ layer.weight.T + layer.bias
    assert outputs.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-6)
    assert np.cov(outputs, rowvar=False) == pytest.approx(np.diag(variances ** (1 - 2 * power)), rel=1e-4, abs=1e-3)


def test_fewer_components_are_the_first_ones() -> None:
    x = features()
    identity = ridge(x, x, strength=1e-12)
    assert principal(identity, x, 2).weight == pytest.approx(principal(identity, x, 6).weight[:2])


def test_directions_without_variance_are_silent() -> None:
    x = features(width=3)
    targets = np.concatenate([x[:, :1], 2 * x[:, :1], x[:, :1] - 4], axis=1)
    layer = principal(ridge(x, targets), x, 3)
    assert np.abs(layer.weight[0]).max() > 0
    assert layer.weight[1:] == pytest.approx(np.zeros((2, 3)), abs=1e-6)


def test_label_targets_are_centred_and_classes_count_by_the_power_of_their_size() -> None:
    targets = label_targets(np.array([0, 0, 0, 1, -1]), power=0.5)
    raw = np.array([[0.5, 0], [0.5, 0], [0.5, 0], [0, 0.5**0.5], [0, 0]])
    assert targets == pytest.approx(raw - raw.mean(axis=0))


def histograms(count: int, bins: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(3)
    return np.sqrt(rng.dirichlet(np.full(bins, 0.3), count)).astype(np.float32)


def test_output_layer_has_a_block_that_sees_the_picture_and_one_that_sees_colour_alone() -> None:
    x = np.hstack([features(width=6), histograms(len(features()), 8)])
    embedding = np.random.default_rng(1).normal(size=(len(x), 5)).astype(np.float32)
    layer = output_layer(x, embedding, np.arange(len(x)) % 4, colours=8, dimension=7, components=3)
    outputs = ((x - layer.centre) * layer.scale) @ layer.affine.weight.T + layer.affine.bias
    lengths = [np.sqrt(np.square(block).sum(axis=1).mean()) for block in (outputs[:, :4], outputs[:, 4:])]
    assert lengths == pytest.approx([1.0, COLOUR_WEIGHT], rel=1e-3)
    assert layer.affine.weight[4:, :6] == pytest.approx(np.zeros((3, 6)))
    assert np.abs(layer.affine.weight[:4, 6:]).max() > 0


def test_a_dead_feature_is_not_blown_up() -> None:
    x = features(width=5)
    x[:, 2] = 1e-4 * x[:, 2]
    layer = output_layer(x, x[:, :3], np.zeros(len(x), np.int64), colours=0, dimension=3, components=0)
    assert layer.scale[2] <= 1.02 / SMALLEST_DEVIATION * np.median(layer.scale)
