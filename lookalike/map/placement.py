"""Where a vector belongs on a map that was made without it: in the middle of its nearest neighbours.

For each coordinate it is the median, weighted by score: where one neighbour of five is far from the others, their mean
lies where nothing is, and a neighbour that is nearly the same picture outweighs the rest. Of 8000 pictures put among
5000, 72.2 % of the ten nearest on the map had their label so, with the plain mean 68.9 %, with a weighted one 70.8 % at
most, and 71.4 % at the place of the nearest one alone (decision 32).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEIGHBOURS = 5
"""How many neighbours have a say in the place of a vector."""
_TEMPERATURE = 0.1
"""Cosine: a neighbour whose score is so much lower than the best one's counts 1/e as much."""


def middle_places(places: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The weighted median of each row's neighbours' ``places`` (n, k, 2), (n, 2): the least with half of the weight.

    ``scores`` (n, k) are their cosines, best first, and the weights ``exp(score / 0.1)``; a neighbour of score -inf,
    which is none, has no say.
    """
    weights = np.exp((scores - scores[:, :1]) / _TEMPERATURE)
    order = np.argsort(places, axis=1)
    ordered_places = np.take_along_axis(places, order, axis=1)
    sums = np.take_along_axis(np.broadcast_to(weights[..., None], places.shape), order, axis=1).cumsum(axis=1)
    middle = (sums >= sums[:, -1:] / 2).argmax(axis=1)
    middles: npt.NDArray[np.float32] = np.take_along_axis(ordered_places, middle[:, None], axis=1)[:, 0]
    return middles
