"""A share that rises with what it depends on: the isotonic fit of counted shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import isotonic_regression

Doubles = npt.NDArray[np.float64]


def fit_rising_shares(shares: Doubles, weights: Doubles) -> Doubles:
    """The shares (n,) that never fall and are closest to ``shares`` (n,) by the squared error, weighted.

    Pool adjacent violators (Ayer et al., 1955).
    """
    fitted: Doubles = isotonic_regression(shares, sample_weight=weights)
    return fitted
