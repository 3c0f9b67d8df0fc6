"""Where a vector belongs on a map that was made without it: among the places of its nearest neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEIGHBOURS = 5
"""How many neighbours have a say in the place of a vector."""
_TEMPERATURE = 0.05
"""Cosine: a neighbour whose score is so much lower counts 1/e as much."""


def mean_places(places: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of each row's neighbours' ``places`` (n, k, 2), (n, 2), weighted by ``exp(score / 0.05)``.

    ``scores`` (n, k) are their cosines, the first of a row its highest; a neighbour of score -inf has no say. Near ones
    count much more than others: the plain mean of two clusters lies where nothing is.
    """
    weights = np.exp((scores - scores[:, :1]) / _TEMPERATURE)
    means: npt.NDArray[np.float32] = (weights[..., None] * places).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    return means.astype(np.float32)
