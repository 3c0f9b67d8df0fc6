"""The student: a timm backbone, stage moments and a colour histogram, one affine layer and the norm.

It is the network of the product in differentiable form, with its features scaled before the affine layer; the
product's compiled operators are for inference only.
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

COLOUR_BINS = 8
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Architecture:
    """Architecture of a student; the fields are those of ``EncoderSpec``."""

    backbone: str
    channels: tuple[int, ...]
    input_size: int
    dimension: int = 608
    stages: tuple[int, ...] = (1, 2, 3, 4, 5)
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF
    weighted: bool = True


LITE2 = Architecture("tf_efficientnet_lite2", (24, 48, 120, 352, 1280), input_size=224)
"""Architecture of the encoder ``bundled``; see docs/decisions/0018-backbone.md."""

LITE0 = Architecture("tf_efficientnet_lite0", (24, 40, 112, 320, 1280), input_size=176, dimension=384)
"""Architecture of the encoder ``bundled-fast``."""

NETWORKS = {"efficientnet_lite2": LITE2, "efficientnet_lite0": LITE0}
"""The architectures that can be trained, by the name of the published network that training starts from."""


def normalise_planes(pixels: torch.Tensor, architecture: Architecture = LITE2) -> torch.Tensor:
    """Normalise (n, 3, h, w) in 0..1 with the architecture's mean and deviation; channels last in memory."""
    mean = pixels.new_tensor(architecture.mean).view(1, 3, 1, 1)
    std = pixels.new_tensor(architecture.std).view(1, 3, 1, 1)
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


class Student(nn.Module):
    """``backbone`` maps (n, 3, h, w) to a list of stage maps, of ``architecture.channels`` channels.

    ``fuse`` returns features (n, width) before the projection; ``forward`` returns (n, dimension) of unit length. The
    input of the projection is ``(features - centre) * scale``; ``weight`` combines scale and projection.
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

    def fuse(self, pixels: torch.Tensor) -> torch.Tensor:
        maps = self.backbone(pixels)
        moments = multiscale_moments_reference(maps, weighted=self.architecture.weighted)
        weights = place_weights([pixels, maps[-1]])[0].detach() if self.architecture.weighted else None
        colours = colour_histogram(pixels, self.architecture.mean, self.architecture.std, COLOUR_BINS, weights)
        return torch.cat([moments, colours], dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.projection((self.fuse(pixels) - self.centre) * self.scale), dim=1)

    def weight(self) -> torch.Tensor:
        """Weight (dimension, width) from centred features to the vector, before bias and norm."""
        return self.projection.weight.detach() * self.scale


def new_student(architecture: Architecture = LITE2, dimension: int | None = None) -> Student:
    """Make a student with random weights; ``dimension`` replaces the architecture's."""
    backbone, _ = build_backbone(architecture.backbone, architecture.stages)
    student = Student(backbone, architecture, dimension or architecture.dimension)
    nn.utils.convert_conv2d_weight_memory_format(student, torch.channels_last)
    return student


def load_published_student(known_encoder: KnownEncoder, weights: Path, architecture: Architecture = LITE2) -> Student:
    """Make a student whose backbone has published weights, as installed by ``encoders install``.

    Raises WeightsInvalidError for a file of another network.
    """
    student = new_student(architecture)
    load_published(student.backbone, known_encoder, weights)
    return student


def load_state(module: nn.Module, tensors: Mapping[str, torch.Tensor], origin: str) -> None:
    """Load ``tensors`` into ``module`` by name; step counters of batch norms may be missing.

    Raises WeightsInvalidError, which names ``origin`` and the tensors, if names are missing or unknown.
    """
    expected_names = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    given_tensors = {key: value.float() for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    mismatches = sorted(expected_names.symmetric_difference(given_tensors))
    if mismatches:
        message = (
            f"{origin} is not of this network: {', '.join(mismatches[:3])} missing or unknown; use a file of its own"
        )
        raise WeightsInvalidError(message, subject=origin)
    module.load_state_dict(given_tensors, strict=False)


def load_weights(path: Path, architecture: Architecture = LITE2) -> Student:
    """Load the student of a checkpoint (``.pt``, the averaged weights) or of an exported weights file.

    Raises SourceNotFoundError without the file, WeightsInvalidError if it is of another network.
    """
    tensors = _tensors(path)
    dimension = tensors["projection.bias"].shape[0] if "projection.bias" in tensors else None
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
