"""The student: a timm backbone, the fusion of its stages, one linear layer and the norm, all differentiable.

This is the network that the product serves, written plainly so that gradients flow through it. The product's own
fusion (the compiled operator and its formula) is for inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.errors import SourceNotFoundError, WeightsInvalidError

BACKBONE = "resnet18"
STAGES = (1, 2, 3, 4)
CHANNELS = (64, 128, 256, 512)
DIMENSION = 512


def fuse_mean(maps: list[torch.Tensor], width: int) -> torch.Tensor:
    """Mean over the stages of their pooled maps, each expanded to ``width`` numbers: (n, width), not normalised.

    A stage of C channels becomes out[j] = pooled[floor(j * C / width)], the product's definition of mean fusion.
    """
    steps = torch.arange(width, device=maps[0].device)
    expanded = [stage.mean(dim=(2, 3))[:, steps * stage.shape[1] // width] for stage in maps]
    return torch.stack(expanded).mean(dim=0)


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) on 0..1, by ImageNet's mean and deviation, as float32 with channels last in memory."""
    mean = pixels.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = pixels.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


class Student(nn.Module):
    """``backbone`` maps (n, 3, h, w) to a list of stage maps, the widest of ``width`` channels.

    ``fused`` gives (n, width), before the projection; ``forward`` gives (n, dimension) of unit length.
    """

    def __init__(self, backbone: nn.Module, width: int, dimension: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.width = width
        self.projection = nn.Linear(width, dimension)

    def fused(self, pixels: torch.Tensor) -> torch.Tensor:
        return fuse_mean(self.backbone(pixels), self.width)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.projection(self.fused(pixels)), dim=1)


def new_student(dimension: int = DIMENSION) -> Student:
    """A resnet18 student with random weights."""
    ensure_torchvision()
    import timm

    backbone = timm.create_model(BACKBONE, pretrained=False, features_only=True, out_indices=STAGES)
    student = Student(backbone, CHANNELS[-1], dimension)
    nn.utils.convert_conv2d_weight_memory_format(student, torch.channels_last)
    return student


def load_state(student: Student, tensors: Mapping[str, torch.Tensor], origin: str) -> None:
    """Fills ``student`` from ``tensors`` under its own names; a batch norm's step counter may lack.

    Raises WeightsInvalidError, which names ``origin`` and the tensors, when others are missing or too many.
    """
    wanted = {key for key in student.state_dict() if not key.endswith("num_batches_tracked")}
    given = {key: value.float() for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    odd = sorted(wanted.symmetric_difference(given))
    if odd:
        message = f"{origin} is not of this network: {', '.join(odd[:3])} missing or unknown; use a resnet18 file"
        raise WeightsInvalidError(message, subject=origin)
    student.load_state_dict(given, strict=False)


def load_weights(path: Path) -> Student:
    """The student in a weights file: an exported one, or an earlier one with keys ``b.*`` and ``proj.*``.

    Raises SourceNotFoundError without the file, WeightsInvalidError when it is of another network.
    """
    if not path.is_file():
        raise SourceNotFoundError(f"there are no weights at {path}; name a file that exists", subject=str(path))
    renamed = {
        key.replace("proj.", "projection.", 1) if key.startswith("proj.") else _backbone_name(key): value
        for key, value in load_file(path).items()
    }
    student = new_student(renamed["projection.bias"].shape[0] if "projection.bias" in renamed else DIMENSION)
    load_state(student, renamed, str(path))
    return student


def _backbone_name(key: str) -> str:
    return f"backbone.{key[2:]}" if key.startswith("b.") else key
