"""Runs the student over many pictures without gradients: features for the closed form, vectors for the evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from indexer.train.student import CHANNELS, Student, normalised
from lookalike.encoder.ops import multiscale_fuse_reference

BATCH = 32


@torch.inference_mode()
def apply(
    function: Callable[[torch.Tensor], torch.Tensor], pixels: npt.NDArray[np.uint8], size: int
) -> npt.NDArray[np.float32]:
    """``function`` of the normalised pictures, (n, d) float32; ``pixels`` (n, s, s, 3) are resized to ``size``."""
    found: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(pixels), BATCH):
        stack = torch.from_numpy(np.ascontiguousarray(pixels[start : start + BATCH])).permute(0, 3, 1, 2)
        if stack.shape[-1] != size:
            stack = functional.interpolate(stack, (size, size), mode="bilinear", antialias=True)
        found.append(function(normalised(stack.float() / 255.0)).numpy())
    return np.concatenate(found)


def fused(student: Student, pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.float32]:
    """The student's features before its projection, (n, width)."""
    return apply(student.eval().fused, pixels, size)


def mean_fused(student: Student, pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.float32]:
    """Unit vectors (n, 512) of the stages' means alone, without any learnt layer behind the backbone."""
    backbone = student.eval().backbone
    return apply(lambda planes: multiscale_fuse_reference(backbone(planes), max(CHANNELS)), pixels, size)


def vectors(student: Student, pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.float32]:
    """The student's unit vectors, (n, dimension)."""
    return apply(student.eval().forward, pixels, size)
