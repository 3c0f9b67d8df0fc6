"""Writes the weights file that the product loads: half-precision tensors and, in the header, how to use them."""

from __future__ import annotations

from pathlib import Path

import torch

from indexer.train.student import COLOUR_BINS, Student
from lookalike.encoder.weights.file_format import Recipe, serialize_weights
from lookalike.errors import WeightsInvalidError


def recipe_of(student: Student) -> Recipe:
    """What the file says of the student's network."""
    architecture = student.architecture
    return Recipe(
        backbone=architecture.backbone,
        stages=architecture.stages,
        fusion="moments",
        input_size=architecture.input_size,
        dimension=student.projection.out_features,
        mean=architecture.mean,
        std=architecture.std,
        colour_bins=COLOUR_BINS,
        weighted=architecture.weighted,
    )


def export(student: Student, path: Path) -> None:
    """Writes ``student`` to ``path``, whole or not at all.

    Raises WeightsInvalidError when a weight does not fit half precision.
    """
    state = student.state_dict() | {"projection.weight": student.weight()}
    del state["scale"]
    for name, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value.detach().half()).all():
            message = f"{name} holds a value that half precision cannot: the training diverged; use an older one"
            raise WeightsInvalidError(message, subject=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(serialize_weights(state, recipe_of(student)))
    partial.replace(path)
