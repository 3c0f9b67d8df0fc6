"""Changes a batch of training pictures the way the world does, on tensors, a few percent of a training step.

One resampling does crop, aspect, mirror, rotation and border at once; colour, blur, compression and a covering
banner follow. All randomness comes from the generator handed in, so a step can be repeated exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

AREA = (0.4, 1.1)
"""Part of the picture that a crop covers; above one, a border appears."""

BORDER_AREA = (1.1, 1.8)
LOG_ASPECT = 0.3
ROTATION = math.radians(14.0)
BLOCK = 8
LUMA = (0.299, 0.587, 0.114)

Change = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def augment(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """(n, s, s, 3) uint8 as changed (n, 3, size, size) float32 pictures on 0..1; ``size`` is a multiple of 8."""
    planes = pixels.permute(0, 3, 1, 2).float() / 255.0
    if 2 * size <= pixels.shape[1]:
        # Halving first stands in for the low-pass filter that a sampling grid lacks.
        planes = functional.avg_pool2d(planes, 2)
    planes = resample(planes, size, generator)
    planes = recolour(planes, generator)
    planes = _on_some(planes, 0.15, generator, blur)
    planes = _on_some(planes, 0.2, generator, compress)
    return cover(planes, 0.15, generator)


def resample(planes: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """A random crop of each picture, stretched, mirrored and turned; what lies outside is one colour a picture."""
    count = len(planes)
    wide = _chance(count, 0.1, generator)
    area = torch.where(wide, _uniform(count, *BORDER_AREA, generator), _uniform(count, *AREA, generator))
    aspect = torch.exp(_uniform(count, -LOG_ASPECT, LOG_ASPECT, generator))
    width, height = (area * aspect).sqrt(), (area / aspect).sqrt()
    angle = _uniform(count, -ROTATION, ROTATION, generator) * _chance(count, 0.3, generator)
    mirror = 1.0 - 2.0 * _chance(count, 0.5, generator).float()
    right = (1.0 - width).abs() * _uniform(count, -1.0, 1.0, generator)
    down = (1.0 - height).abs() * _uniform(count, -1.0, 1.0, generator)
    cos, sin = torch.cos(angle), torch.sin(angle)
    upper = torch.stack([mirror * width * cos, -height * sin, right], dim=1)
    lower = torch.stack([mirror * width * sin, height * cos, down], dim=1)
    theta = torch.stack([upper, lower], dim=1)
    grid = functional.affine_grid(theta, [count, 3, size, size], align_corners=False)
    ground = _grounds(count, generator)
    moved = functional.grid_sample(planes - ground, grid, padding_mode="zeros", align_corners=False)
    return (moved + ground).clamp(0.0, 1.0)


def recolour(planes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Light, contrast, saturation and white balance changed a little in each picture; one in twelve turned grey."""
    count = len(planes)

    def factor(spread: float) -> torch.Tensor:
        return torch.exp(_uniform(count, -spread, spread, generator)).view(-1, 1, 1, 1)

    balance = torch.exp(0.12 * (2.0 * torch.rand(count, 3, 1, 1, generator=generator) - 1.0))
    saturation = factor(0.35).masked_fill(_chance(count, 1 / 12, generator).view(-1, 1, 1, 1), 0.0)
    lit = planes * balance * factor(0.35)
    grey = (lit * lit.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    lit = grey + (lit - grey) * saturation
    middle = grey.mean(dim=(2, 3), keepdim=True)
    return (middle + (lit - middle) * factor(0.3)).clamp(0.0, 1.0)


def blur(planes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A Gaussian of one random width, up to a fiftieth of the side, over all of ``planes``."""
    sigma = planes.shape[-1] * float(_uniform(1, 0.005, 0.02, generator))
    reach = min(math.ceil(2.5 * sigma), planes.shape[-1] - 1)
    steps = torch.arange(-reach, reach + 1, dtype=planes.dtype)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (weights / weights.sum()).view(1, 1, 1, -1).repeat(3, 1, 1, 1)
    padded = functional.pad(planes, (reach, reach, reach, reach), mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3)


def compress(planes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The marks of strong JPEG compression: cosine coefficients of 8 × 8 blocks rounded, the fine ones more coarsely.

    The steps grow linearly with frequency, a plain stand-in for the standard's tables.
    """
    count, channels, side, _ = planes.shape
    index = torch.arange(BLOCK, dtype=planes.dtype)
    cosine = torch.cos(math.pi * (2.0 * index + 1.0) * index.view(-1, 1) / (2 * BLOCK)) * math.sqrt(2.0 / BLOCK)
    cosine[0] /= math.sqrt(2.0)
    step = (1.0 + index + index.view(-1, 1)) * float(_uniform(1, 0.01, 0.05, generator))
    blocks = planes.reshape(count, channels, side // BLOCK, BLOCK, side // BLOCK, BLOCK).transpose(3, 4)
    rounded = ((cosine @ blocks @ cosine.T) / step).round() * step
    restored = (cosine.T @ rounded @ cosine).transpose(3, 4)
    return restored.reshape(planes.shape).clamp(0.0, 1.0)


def cover(planes: torch.Tensor, chance: float, generator: torch.Generator) -> torch.Tensor:
    """A band of one colour over the top, bottom, left or right of some pictures, up to a quarter of the side."""
    count, side = len(planes), planes.shape[-1]
    depth = _uniform(count, 0.08, 0.25, generator) * _chance(count, chance, generator)
    ramp = (torch.arange(side) + 0.5) / side
    band = ramp.view(1, -1) < depth.view(-1, 1)
    band = torch.where(_chance(count, 0.5, generator).view(-1, 1), band, band.flip(1))
    lying = _chance(count, 0.7, generator).view(-1, 1, 1)
    mask = torch.where(lying, band.view(count, side, 1), band.view(count, 1, side)).unsqueeze(1)
    return torch.where(mask, _grounds(count, generator), planes)


def _on_some(planes: torch.Tensor, part: float, generator: torch.Generator, change: Change) -> torch.Tensor:
    """``change`` done to about ``part`` of the pictures."""
    chosen = _chance(len(planes), part, generator)
    if chosen.any():
        planes[chosen] = change(planes[chosen], generator)
    return planes


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _chance(count: int, probability: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(count, generator=generator) < probability


def _grounds(count: int, generator: torch.Generator) -> torch.Tensor:
    """A flat colour for each picture, (count, 3, 1, 1): black, white or any."""
    colour = torch.rand(count, 3, 1, 1, generator=generator)
    extreme = _chance(count, 0.5, generator).view(-1, 1, 1, 1)
    return torch.where(extreme, colour[:, :1].round().expand_as(colour), colour)
