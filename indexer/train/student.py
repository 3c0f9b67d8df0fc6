"""The student: a timm backbone, the moments of its stages, the picture's colours, one affine layer and the norm.

This is the network that the product serves, with gradients, and with its features brought to one scale before the
affine layer. The compiled operators of the product are for inference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from lookalike.encoder.colour import colour_histogram
from lookalike.encoder.ops import multiscale_moments_reference
from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.errors import SourceNotFoundError, WeightsInvalidError

BACKBONE = "resnet18"
STAGES = (1, 2, 3, 4)
CHANNELS = (64, 128, 256, 512)
DIMENSION = 608
COLOUR_BINS = 8


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) on 0..1, by ImageNet's mean and deviation, as float32 with channels last in memory."""
    mean = pixels.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = pixels.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


class Student(nn.Module):
    """``backbone`` maps (n, 3, h, w) to a list of stage maps, of ``channels`` channels.

    ``fused`` gives (n, width), before the projection; ``forward`` gives (n, dimension) of unit length. The projection
    sees ``(fused - centre) * scale``; ``weight`` is
    both steps behind the centring in one.
    """

    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(self, backbone: nn.Module, channels: Sequence[int], dimension: int) -> None:
        super().__init__()
        width = 2 * sum(channels) + COLOUR_BINS**3
        self.backbone = backbone
        self.projection = nn.Linear(width, dimension)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fused(self, pixels: torch.Tensor) -> torch.Tensor:
        moments = multiscale_moments_reference(self.backbone(pixels))
        return torch.cat([moments, colour_histogram(pixels, IMAGENET_MEAN, IMAGENET_STD, COLOUR_BINS)], dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.projection((self.fused(pixels) - self.centre) * self.scale), dim=1)

    def weight(self) -> torch.Tensor:
        """Weight (dimension, width) that leads from centred features to the vector before its bias and norm."""
        return self.projection.weight.detach() * self.scale


def new_student(dimension: int = DIMENSION) -> Student:
    """A resnet18 student with random weights."""
    ensure_torchvision()
    import timm

    backbone = timm.create_model(BACKBONE, pretrained=False, features_only=True, out_indices=STAGES)
    student = Student(backbone, CHANNELS, dimension)
    nn.utils.convert_conv2d_weight_memory_format(student, torch.channels_last)
    return student


def load_state(module: nn.Module, tensors: Mapping[str, torch.Tensor], origin: str) -> None:
    """Fills ``module`` from ``tensors`` under its own names; a batch norm's step counter may lack.

    Raises WeightsInvalidError, which names ``origin`` and the tensors, when others are missing or too many.
    """
    wanted = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    given = {key: value.float() for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    odd = sorted(wanted.symmetric_difference(given))
    if odd:
        message = f"{origin} is not of this network: {', '.join(odd[:3])} missing or unknown; use a resnet18 file"
        raise WeightsInvalidError(message, subject=origin)
    module.load_state_dict(given, strict=False)


def load_weights(path: Path) -> Student:
    """The student in a checkpoint (``.pt``, the averaged one) or in an exported weights file.

    Raises SourceNotFoundError without the file, WeightsInvalidError when it is of another network.
    """
    tensors = _tensors(path)
    student = new_student(tensors["projection.bias"].shape[0] if "projection.bias" in tensors else DIMENSION)
    if path.suffix != ".pt":
        tensors["scale"] = student.scale  # folded into the projection
    load_state(student, tensors, str(path))
    return student


def load_backbone(path: Path) -> Student:
    """A student whose backbone alone comes from a file: a checkpoint, an exported one, or one with keys ``b.*``."""
    student = new_student()
    plain = {
        key.removeprefix("backbone.").removeprefix("b."): value
        for key, value in _tensors(path).items()
        if key.startswith(("backbone.", "b."))
    }
    load_state(student.backbone, plain, str(path))
    return student


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        message = f"there are no weights at {path}; name a file that exists, or train first"
        raise SourceNotFoundError(message, subject=str(path))
    if path.suffix == ".pt":
        average: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average"]
        return average
    return load_file(path)
