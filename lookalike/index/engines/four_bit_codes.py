"""Vectors as numbers from 0 to 15, two a byte: what a graph is walked on.

Half a byte tells a component to a fiftieth of its variance, so that twice as many components fit into the same memory,
and it is the components that are left out which blur a score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Vectors
from lookalike.index.engines.pca import Components

NUMBERS = 384  # of a code: one a component, and a second one for the first of them as far as there is room
STEP = 0.45  # standard deviations from one number to the next
FINE = STEP / 8  # the same where a component has two numbers

Codes = npt.NDArray[np.uint8]


def code_bytes(components: int) -> int:
    """Bytes of a code of so many components: two numbers each, and a multiple of four."""
    return -(-max(components, min(NUMBERS, 2 * components)) // 8) * 4


@dataclass(frozen=True)
class HalfBytes:
    """``steps`` (c,) float32: how much of each of c components one is worth. The first ``fine`` have two numbers."""

    steps: Vectors
    fine: int

    @classmethod
    def of(cls, sample: Vectors) -> HalfBytes:
        """For components that are spread as those of (n, c) vectors are, around zero."""
        components = sample.shape[1]
        fine = min(components, max(0, NUMBERS - components))
        share = np.where(np.arange(components) < fine, FINE, STEP)
        return cls((np.maximum(np.sqrt((sample**2).mean(axis=0)), 1e-6) * share).astype(np.float32), fine)

    @property
    def width(self) -> int:
        """Bytes of a code."""
        return code_bytes(len(self.steps))

    def codes(self, components: Vectors) -> Codes:
        """(n, c) components as (n, width) bytes, in the order of ``LookalikeGraph`` in ``ext/csrc/walk.h``."""
        middle = np.where(np.arange(len(self.steps)) < self.fine, 128, 8)
        whole = np.clip(np.floor(components / self.steps) + middle, 0, 2 * middle - 1).astype(np.uint8)
        numbers = np.zeros((len(components), 2 * self.width), dtype=np.uint8)
        numbers[:, : len(self.steps)] = whole & 15
        numbers[:, len(self.steps) : len(self.steps) + self.fine] = whole[:, : self.fine] >> 4
        codes: Codes = numbers[:, : self.width] | np.left_shift(numbers[:, self.width :], 4, dtype=np.uint8)
        return codes

    def weighing(self, components: Components) -> tuple[npt.NDArray[np.int8], Vectors]:
        """``matrix`` and ``scales`` of ``LookalikeGraph``: what the numbers of a code count for, of a query.

        An inner product with a vector is about the sum of a query's components times the vector's own; what the means
        add is the same for all vectors.
        """
        rows = np.zeros((2 * self.width, components.weights.shape[1]), dtype=np.float32)
        rows[: len(self.steps)] = components.weights * self.steps[:, None]
        rows[len(self.steps) : len(self.steps) + self.fine] = 16 * rows[: self.fine]
        scales = np.maximum(np.abs(rows).max(axis=1), 1e-30) / 127
        return np.rint(rows / scales[:, None]).astype(np.int8), scales.astype(np.float32)
