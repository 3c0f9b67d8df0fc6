"""Vectors as numbers from 0 to 15, two a byte: the codes on which a graph is searched.

Four bits give a component to a fiftieth of its variance, so that twice as many components fit into the same memory; the
error of a score comes mostly from the components that are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Vectors
from lookalike.index.engines.pca import Components

NUMBERS = 384  # in a code: one for each component, and a second one for the first components as far as they fit
STEP = 0.45  # standard deviations between two numbers
FINE = STEP / 8  # the same for a component with two numbers

Codes = npt.NDArray[np.uint8]


def code_bytes(components: int) -> int:
    """Bytes of a code of ``components``: two numbers a byte, rounded up to a multiple of four."""
    return -(-max(components, min(NUMBERS, 2 * components)) // 8) * 4


@dataclass(frozen=True)
class FourBitEncoder:
    """``steps`` (c,) float32: the quantisation step of each of c components. The first ``fine`` have two numbers."""

    steps: Vectors
    fine: int

    @classmethod
    def fit(cls, sample: Vectors) -> FourBitEncoder:
        """The encoder for components with the spread of an (n, c) sample, around zero."""
        components = sample.shape[1]
        fine = min(components, max(0, NUMBERS - components))
        share = np.where(np.arange(components) < fine, FINE, STEP)
        return cls((np.maximum(np.sqrt((sample**2).mean(axis=0)), 1e-6) * share).astype(np.float32), fine)

    @property
    def width(self) -> int:
        """Bytes of a code."""
        return code_bytes(len(self.steps))

    def codes(self, components: Vectors) -> Codes:
        """(n, c) components as (n, width) bytes, in the order of ``LookalikeGraph`` in ``ext/csrc/hnsw_search.h``."""
        middle = np.where(np.arange(len(self.steps)) < self.fine, 128, 8)
        levels = np.clip(np.floor(components / self.steps) + middle, 0, 2 * middle - 1).astype(np.uint8)
        numbers = np.zeros((len(components), 2 * self.width), dtype=np.uint8)
        numbers[:, : len(self.steps)] = levels & 15
        numbers[:, len(self.steps) : len(self.steps) + self.fine] = levels[:, : self.fine] >> 4
        codes: Codes = numbers[:, : self.width] | np.left_shift(numbers[:, self.width :], 4, dtype=np.uint8)
        return codes

    def query_weights(self, components: Components) -> tuple[npt.NDArray[np.int8], Vectors]:
        """``matrix`` and ``scales`` of ``LookalikeGraph``: the weight of each number of a code for a query.

        An inner product with a vector is about the sum of the products of the components; the means add the same to all
        vectors.
        """
        rows = np.zeros((2 * self.width, components.weights.shape[1]), dtype=np.float32)
        rows[: len(self.steps)] = components.weights * self.steps[:, None]
        rows[len(self.steps) : len(self.steps) + self.fine] = 16 * rows[: self.fine]
        scales = np.maximum(np.abs(rows).max(axis=1), 1e-30) / 127
        return np.rint(rows / scales[:, None]).astype(np.int8), scales.astype(np.float32)
