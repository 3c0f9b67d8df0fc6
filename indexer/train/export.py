"""Writes the weights file that the product loads: half-precision tensors and, in the header, how to use them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from indexer.train.student import BACKBONE, COLOUR_BINS, STAGES, Student
from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD
from lookalike.encoder.weights import serialized
from lookalike.errors import WeightsInvalidError

FORMAT = "lookalike-encoder"
VERSION = "1"


def header(student: Student, input_size: int) -> dict[str, str]:
    """The file's metadata: format, version, and the encoder's description as JSON."""
    encoder = {
        "backbone": BACKBONE,
        "stages": list(STAGES),
        "fusion": "moments",
        "colour_bins": COLOUR_BINS,
        "input_size": input_size,
        "resize": "squash",
        "mean": list(IMAGENET_MEAN),
        "std": list(IMAGENET_STD),
        "dimension": student.projection.out_features,
    }
    return {"format": FORMAT, "version": VERSION, "encoder": json.dumps(encoder)}


def export(student: Student, input_size: int, path: Path) -> None:
    """Writes ``student`` to ``path``, whole or not at all; ``input_size`` is the side in pixels it is served at.

    Raises WeightsInvalidError when a weight does not fit half precision.
    """
    tensors: dict[str, torch.Tensor] = {}
    state = student.state_dict() | {"projection.weight": student.weight()}
    del state["scale"]
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        half = value.detach().half().contiguous()
        if not torch.isfinite(half).all():
            message = f"{name} holds a value that half precision cannot: the training diverged; use an older one"
            raise WeightsInvalidError(message, subject=name)
        tensors[name] = half
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(serialized(tensors, header(student, input_size)))
    partial.replace(path)
