"""The student: a timm backbone, the moments of its stages, the picture's colours, one affine layer and the norm.

This is the network that the product serves, with gradients, and with its features brought to one scale before the
affine layer. The compiled operators of the product are for inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from lookalike.encoder.network.colour_histogram import colour_histogram
from lookalike.encoder.network.multiscale import build_backbone
from lookalike.encoder.network.operators import multiscale_moments_reference
from lookalike.encoder.network.place_weights import place_weights
from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.weights.pretrained import load_published
from lookalike.errors import SourceNotFoundError, WeightsInvalidError

DIMENSION = 608
COLOUR_BINS = 8
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Architecture:
    """What a student is built of; the fields mean what they mean in ``EncoderSpec``."""

    backbone: str
    channels: tuple[int, ...]
    input_size: int
    stages: tuple[int, ...] = (1, 2, 3, 4, 5)
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF
    weighted: bool = True


LITE2 = Architecture("tf_efficientnet_lite2", (24, 48, 120, 352, 1280), input_size=224)
"""What ``bundled`` is: docs/decisions/0018-backbone.md says why."""


def normalised(pixels: torch.Tensor, architecture: Architecture = LITE2) -> torch.Tensor:
    """(n, 3, h, w) on 0..1, normalised as the architecture says, as float32 with channels last in memory."""
    mean = pixels.new_tensor(architecture.mean).view(1, 3, 1, 1)
    std = pixels.new_tensor(architecture.std).view(1, 3, 1, 1)
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


class Student(nn.Module):
    """``backbone`` maps (n, 3, h, w) to a list of stage maps, of ``architecture.channels`` channels.

    ``fused`` gives (n, width), before the projection; ``forward`` gives (n, dimension) of unit length. The projection
    sees ``(fused - centre) * scale``; ``weight`` is both steps behind the centring in one.
    """

    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(self, backbone: nn.Module, architecture: Architecture, dimension: int) -> None:
        super().__init__()
        width = 2 * sum(architecture.channels) + COLOUR_BINS**3
        self.architecture = architecture
        self.backbone = backbone
        self.projection = nn.Linear(width, dimension)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fused(self, pixels: torch.Tensor) -> torch.Tensor:
        maps = self.backbone(pixels)
        moments = multiscale_moments_reference(maps, weighted=self.architecture.weighted)
        weights = place_weights([pixels, maps[-1]])[0].detach() if self.architecture.weighted else None
        colours = colour_histogram(pixels, self.architecture.mean, self.architecture.std, COLOUR_BINS, weights)
        return torch.cat([moments, colours], dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.projection((self.fused(pixels) - self.centre) * self.scale), dim=1)

    def weight(self) -> torch.Tensor:
        """Weight (dimension, width) that leads from centred features to the vector before its bias and norm."""
        return self.projection.weight.detach() * self.scale


def new_student(architecture: Architecture = LITE2, dimension: int = DIMENSION) -> Student:
    """A student with random weights."""
    backbone, _ = build_backbone(architecture.backbone, architecture.stages)
    student = Student(backbone, architecture, dimension)
    nn.utils.convert_conv2d_weight_memory_format(student, torch.channels_last)
    return student


def published_student(known: KnownEncoder, weights: Path, architecture: Architecture = LITE2) -> Student:
    """A student whose backbone has a publisher's weights, as ``encoders install`` keeps them.

    Raises WeightsInvalidError for a file of another network.
    """
    student = new_student(architecture)
    load_published(student.backbone, known, weights)
    return student


def load_state(module: nn.Module, tensors: Mapping[str, torch.Tensor], origin: str) -> None:
    """Fills ``module`` from ``tensors`` under its own names; a batch norm's step counter may lack.

    Raises WeightsInvalidError, which names ``origin`` and the tensors, when others are missing or too many.
    """
    wanted = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    given = {key: value.float() for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    odd = sorted(wanted.symmetric_difference(given))
    if odd:
        message = f"{origin} is not of this network: {', '.join(odd[:3])} missing or unknown; use a file of its own"
        raise WeightsInvalidError(message, subject=origin)
    module.load_state_dict(given, strict=False)


def load_weights(path: Path, architecture: Architecture = LITE2) -> Student:
    """The student in a checkpoint (``.pt``, the averaged one) or in an exported weights file.

    Raises SourceNotFoundError without the file, WeightsInvalidError when it is of another network.
    """
    tensors = _tensors(path)
    dimension = tensors["projection.bias"].shape[0] if "projection.bias" in tensors else DIMENSION
    student = new_student(architecture, dimension)
    if path.suffix != ".pt":
        tensors["scale"] = student.scale  # folded into the projection
    load_state(student, tensors, str(path))
    return student


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        message = f"there are no weights at {path}; name a file that exists, or train first"
        raise SourceNotFoundError(message, subject=str(path))
    if path.suffix == ".pt":
        average: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average"]
        return average
    return load_file(path)
