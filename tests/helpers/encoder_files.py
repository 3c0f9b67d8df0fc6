"""Makers of small weights files, for tests of encoders; nothing here is trained, everything is seeded."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from torch import nn

from lookalike.encoder.network.colour_histogram import Colours
from lookalike.encoder.network.multiscale import MultiScaleNetwork, build_backbone
from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD, Fusion
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.encoder.weights.file_format import Recipe, write_weights

TINY = "test_resnet"
"""A residual network of 0.4 million numbers that timm keeps for tests; channels 32, 48, 192, 96."""

TINY_SIZE = 64


def randomise(network: nn.Module, seed: int = 0) -> None:
    """Give every tensor numbers of its own: batch norms too, which a new network has at 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.1)
            elif tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / tensor[0].numel() ** 0.5)


def write_tiny(
    path: Path,
    *,
    fusion: Fusion = "mean",
    projection: int | None = 24,
    colour_bins: int = 0,
    weighted: bool = False,
    seed: int = 0,
) -> Recipe:
    """Write a tiny network in lookalike's own format and return its recipe."""
    stages = (4,) if fusion == "last" else (1, 2, 3, 4)
    backbone, channels = build_backbone(TINY, stages)
    colours = Colours(colour_bins, IMAGENET_MEAN, IMAGENET_STD) if colour_bins else None
    centred = fusion == "moments"
    network = MultiScaleNetwork(backbone, channels, fusion, projection, colours, centred, weighted)
    randomise(network, seed)
    recipe = Recipe(TINY, stages, fusion, TINY_SIZE, network.dimension, colour_bins=colour_bins, weighted=weighted)
    write_weights(path, network, recipe)
    return recipe


def classifier(name: str, classes: int = 10, seed: int = 0) -> nn.Module:
    """A whole network as its publisher trains it, with random weights, ready for inference."""
    ensure_torchvision()
    if name == "alexnet":
        from torchvision.models import alexnet

        network = cast(nn.Module, alexnet(num_classes=classes))
        network.classifier = nn.Linear(256, classes)  # for its own of 58 million numbers, which are never used
        randomise(network, seed)
    else:
        import timm

        network = cast(nn.Module, timm.create_model(name, num_classes=classes))
        randomise(network, seed)
    return network.eval()


def write_published(path: Path, network: nn.Module) -> None:
    """Write a whole network's state as publishers do: safetensors, or PyTorch's own format by the suffix."""
    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path, {"format": "pt"})
    else:
        torch.save(state, path)
