"""Export of the product's weights file: half-precision tensors, with the recipe in the header."""

from __future__ import annotations

from pathlib import Path

import torch

from indexer.train.student import COLOUR_BINS, Student
from lookalike.encoder.weights.file_format import Recipe, serialize_weights
from lookalike.errors import WeightsInvalidError


def recipe_of(student: Student) -> Recipe:
    """The recipe of the student's network."""
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
    """Write ``student`` to ``path`` atomically.

    Raises WeightsInvalidError if a weight is out of range for half precision.
    """
    state = student.state_dict() | {"projection.weight": student.weight()}
    del state["scale"]
    for name, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value.detach().half()).all():
            message = (
                f"{name} has a value out of range for half precision: the training diverged; use an older checkpoint"
            )
            raise WeightsInvalidError(message, subject=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(serialize_weights(state, recipe_of(student)))
    partial.replace(path)
