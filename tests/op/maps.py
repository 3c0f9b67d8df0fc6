"""Feature maps to try operators on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

SIDES = (1, 2, 5, 7, 13, 40, 100)
LAYOUTS = (torch.contiguous_format, torch.channels_last)
RESNET18 = ((64, 56), (128, 28), (256, 14), (512, 7))

VIEWS = {
    "transposed": lambda stage: stage.transpose(2, 3),
    "strided": lambda stage: stage[:, :, ::2, 1:],
    "channels": lambda stage: stage[:, 1:-1],
    "images": lambda stage: stage[::2],
    "channels-last-cut": lambda stage: stage.to(memory_format=torch.channels_last)[:, 2:],
    "offset": lambda stage: stage.to(memory_format=torch.channels_last)[1:],
    "repeated": lambda stage: stage[:1].expand(4, -1, -1, -1),
    "flat": lambda stage: stage[:, :, :1, :1].expand(-1, -1, 5, 5),
    "flip": lambda stage: stage.flip(3),
}
"""Ways to look at a map of at least (3, 4, 2, 2) that leave it with unusual strides."""


def maps_of(images: int, shapes: Sequence[tuple[int, int, int]], seed: int = 0) -> list[torch.Tensor]:
    """Random maps of stages of these (channels, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn((images, *shape), generator=generator) for shape in shapes]


def resnet_maps(images: int, seed: int = 0) -> list[torch.Tensor]:
    """Random maps of the sizes that a resnet18 gives of pictures of 224 pixels."""
    return maps_of(images, [(channels, side, side) for channels, side in RESNET18], seed)
