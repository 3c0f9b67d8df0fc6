"""Folding batch norms makes the encoder faster and changes no vector; where it would, it is left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.encoder.network.batchnorm_folding import fold_batchnorm
from lookalike.encoder.network.multiscale import MultiScaleNetwork, build_backbone
from tests.helpers.encoder_files import randomise


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("architecture", "before", "after"),
    [
        ("test_resnet", 13, 1),  # one norm of its stem follows a convolution that is inside another module
        ("test_efficientnet", 12, 0),
        ("resnet18", 20, 0),
        ("test_convnext", 0, 0),
    ],
)
def test_folding_keeps_the_vectors(architecture: str, before: int, after: int) -> None:
    stages = (0, 1, 2, 3) if architecture == "test_convnext" else (1, 2, 3, 4)
    backbone, channels = build_backbone(architecture, stages)
    network = MultiScaleNetwork(backbone, channels, "concat").eval()
    randomise(network)
    network.requires_grad_(requires_grad=False)
    faster = fold_batchnorm(network, 64)
    pixels = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        np.testing.assert_allclose(faster(pixels).numpy(), network(pixels).numpy(), atol=1e-5)
    assert norms(network) >= before, "the network that was given must stay as it was"
    assert norms(faster) == after


class NormFirst(nn.Module):
    """Registers a norm right after a convolution but runs it before: folding would be wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.bn = nn.BatchNorm2d(3)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        found: torch.Tensor = self.conv(self.bn(pixels))
        return [found]


def test_a_norm_that_runs_before_its_convolution_is_left_alone() -> None:
    network = MultiScaleNetwork(NormFirst(), (3,)).eval()
    randomise(network)
    network.requires_grad_(requires_grad=False)
    assert fold_batchnorm(network, 32) is network
    assert norms(network) == 1
