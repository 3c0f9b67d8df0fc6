"""The weights of the places of an image's feature maps: in proportion to the deepest map's energy there."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lookalike.encoder.export_formats import LARGEST_ENERGY, LEAST_ENERGY


def place_weights(maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The weights (n, H, W) of the places of each of the maps (n, C, H, W), shallow to deep; each map's sum to 1.

    The weight of a place of the deepest map, (h, w) in size, is the energy (the squared length) of its channel vector.
    Place (r, c) of another map has the weight of the deepest map's place ``(floor(r * h / H), floor(c * w / W))``. If
    the energies sum to no more than 1e-12, or to 1e37 and more, near the limit of float32, all weights are equal.
    """
    deepest = _normalise(maps[-1].square().sum(dim=1))
    height, width = deepest.shape[1:]
    weights = []
    for stage in maps[:-1]:
        rows = torch.arange(stage.shape[2], device=stage.device) * height // stage.shape[2]
        columns = torch.arange(stage.shape[3], device=stage.device) * width // stage.shape[3]
        weights.append(_normalise(deepest.index_select(1, rows).index_select(2, columns)))
    return [*weights, deepest]


def _normalise(energies: torch.Tensor) -> torch.Tensor:
    total = energies.sum(dim=(1, 2), keepdim=True)
    equal_weight = 1 / (energies.shape[1] * energies.shape[2])
    divisor = total.clamp(LEAST_ENERGY, LARGEST_ENERGY)
    return torch.where((total > LEAST_ENERGY) & (total < LARGEST_ENERGY), energies / divisor, equal_weight)
