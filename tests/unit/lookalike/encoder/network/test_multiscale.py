"""The fusion is the formula that the design names, whatever the widths of the stages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.encoder.network.colour_histogram import Colours
from lookalike.encoder.network.multiscale import MultiScaleNetwork, build_backbone
from lookalike.errors import EncoderOptionsError

WIDTHS = [(3, 5, 7), (4, 8, 16), (6,), (8, 3)]


class Given(nn.Module):
    """A backbone that gives the same maps whatever it sees."""

    def __init__(self, maps: list[torch.Tensor]) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        assert pixels.ndim == 4
        return self.maps


def maps_of(widths: tuple[int, ...], seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, width, 9 - place, 5, generator=generator) for place, width in enumerate(widths)]


def pooled(maps: list[torch.Tensor]) -> list[np.ndarray]:
    return [stage.double().numpy().mean(axis=(2, 3)) for stage in maps]


def unit(vectors: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def mean_of(maps: list[torch.Tensor]) -> np.ndarray:
    width = max(stage.shape[1] for stage in maps)
    total = np.zeros((2, width))
    for stage in pooled(maps):
        for j in range(width):
            total[:, j] += stage[:, j * stage.shape[1] // width]
    return total / len(maps)


@pytest.mark.parametrize("widths", WIDTHS)
def test_mean_repeats_neighbours_and_averages(widths: tuple[int, ...]) -> None:
    maps = maps_of(widths)
    network = MultiScaleNetwork(Given(maps), widths)
    np.testing.assert_allclose(network(torch.zeros(2, 3, 8, 8)).numpy(), unit(mean_of(maps)), atol=1e-6)


@pytest.mark.parametrize("widths", WIDTHS)
def test_a_cosine_of_concat_is_the_mean_of_the_stages_cosines(widths: tuple[int, ...]) -> None:
    maps = maps_of(widths)
    vectors = MultiScaleNetwork(Given(maps), widths, "concat")(torch.zeros(2, 3, 8, 8)).double().numpy()
    stages = [unit(stage) for stage in pooled(maps)]
    assert vectors.shape == (2, sum(widths))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors[0] @ vectors[1], np.mean([stage[0] @ stage[1] for stage in stages]), atol=1e-6)


@pytest.mark.parametrize("widths", WIDTHS)
def test_last_is_the_deepest_stage_alone(widths: tuple[int, ...]) -> None:
    maps = maps_of(widths)
    network = MultiScaleNetwork(Given(maps), widths, "last")
    np.testing.assert_allclose(network(torch.zeros(2, 3, 8, 8)).numpy(), unit(pooled(maps)[-1]), atol=1e-6)


@pytest.mark.parametrize("widths", WIDTHS)
def test_moments_are_means_and_deviations_side_by_side(widths: tuple[int, ...]) -> None:
    maps = maps_of(widths)
    vectors = MultiScaleNetwork(Given(maps), widths, "moments")(torch.zeros(2, 3, 8, 8)).double().numpy()
    blocks = []
    for stage in maps:
        numbers = stage.double().numpy().reshape(*stage.shape[:2], -1)
        blocks += [numbers.mean(axis=2), np.sqrt(numbers.var(axis=2) + 1e-6)]
    np.testing.assert_allclose(vectors, unit(np.concatenate(blocks, axis=1)), atol=1e-6)


@pytest.mark.parametrize("widths", WIDTHS)
def test_weighted_moments_count_a_place_by_the_squared_length_of_the_deepest_maps_vector(
    widths: tuple[int, ...],
) -> None:
    maps = maps_of(widths)
    network = MultiScaleNetwork(Given(maps), widths, "moments", weighted=True)
    vectors = network(torch.zeros(2, 3, 8, 8)).double().numpy()
    energies = np.square(maps[-1].double().numpy()).sum(axis=1)
    blocks = []
    for stage in maps:
        rows, columns = (
            np.arange(size) * deepest // size for size, deepest in zip(stage.shape[2:], energies.shape[1:], strict=True)
        )
        weights = energies[:, rows][:, :, columns].reshape(2, 1, -1)
        weights /= weights.sum(axis=2, keepdims=True)
        numbers = stage.double().numpy().reshape(*stage.shape[:2], -1)
        means = (numbers * weights).sum(axis=2)
        variances = ((numbers - means[:, :, None]) ** 2 * weights).sum(axis=2)
        blocks += [means, np.sqrt(variances + 1e-6)]
    expected = unit(np.concatenate(blocks, axis=1))
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    network.plain = True  # as exports compute it
    np.testing.assert_allclose(network(torch.zeros(2, 3, 8, 8)).double().numpy(), expected, atol=1e-6)


def test_colours_stand_behind_the_fusion_and_the_centre_is_taken_off() -> None:
    maps = maps_of((3, 6))
    colours = Colours(2, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    network = MultiScaleNetwork(Given(maps), (3, 6), projection=4, colours=colours, centred=True)
    assert network.projection is not None
    assert network.centre is not None
    with torch.no_grad():
        network.centre.uniform_(0, 1)
    pixels = torch.full((2, 3, 8, 8), 1.0)  # level 191 of 255 in each channel: the last of the eight boxes
    pixels[:, :, :2] = -1.0  # level 64: the first
    histogram = np.zeros((2, 8))
    histogram[:, [0, 7]] = np.sqrt([0.25, 0.75])
    weight, bias = (part.detach().double().numpy() for part in network.projection.parameters())
    features = np.concatenate([mean_of(maps), histogram], axis=1) - network.centre.double().numpy()
    np.testing.assert_allclose(network(pixels).detach().numpy(), unit(features @ weight.T + bias), atol=1e-6)


def test_a_projection_acts_on_the_fusion_before_the_norm() -> None:
    maps = maps_of((3, 6))
    network = MultiScaleNetwork(Given(maps), (3, 6), projection=4)
    assert network.projection is not None
    weight, bias = (part.detach().double().numpy() for part in network.projection.parameters())
    vectors = network(torch.zeros(2, 3, 8, 8)).detach().numpy()
    np.testing.assert_allclose(vectors, unit(mean_of(maps) @ weight.T + bias), atol=1e-6)


@pytest.mark.parametrize("fusion", ["mean", "concat", "last"])
def test_maps_of_zeros_stay_zeros_and_finite(fusion: str) -> None:
    maps = [torch.zeros(2, 4, 3, 3), torch.zeros(2, 8, 2, 2)]
    network = MultiScaleNetwork(Given(maps), (4, 8), fusion)  # type: ignore[arg-type]  # a parameter
    assert not network(torch.zeros(2, 3, 8, 8)).numpy().any()


def test_a_stage_that_a_network_lacks_is_refused() -> None:
    for name, stages in (("test_resnet", (1, 9)), ("alexnet", (5,)), ("alexnet", ())):
        with pytest.raises(EncoderOptionsError, match=name):
            build_backbone(name, stages)
