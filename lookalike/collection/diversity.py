"""Maximal marginal relevance: a ranking in which likeness to what stands before counts against an item."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lookalike.index.base import Vectors


def diverse_order(scores: npt.NDArray[np.float64], vectors: Vectors, diversity: float) -> Iterator[int]:
    """The places 0 to n - 1 in an order, made as far as it is asked for.

    Next is the place with the largest (1 - diversity) · score - diversity · its largest cosine with a place before; of
    equal ones the first. ``vectors`` (n, D) have unit length.
    """
    relevance = (1.0 - diversity) * scores
    likeness = np.zeros(len(scores))
    left = np.ones(len(scores), dtype=np.bool_)
    for number in range(len(scores)):
        value = np.where(left, relevance - diversity * likeness, -np.inf)
        place = int(np.argmax(value))
        yield place
        left[place] = False
        cosines = vectors @ vectors[place]
        likeness = cosines.astype(np.float64) if number == 0 else np.maximum(likeness, cosines)
