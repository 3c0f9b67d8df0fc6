"""Looking ids up in an array of ascending ids."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


def find_positions(ids: Ids, wanted_ids: Ids) -> Ids:
    """The positions of ``wanted_ids`` (m,) in ``ids`` (n,), which ascend; -1 for those that it does not have."""
    if len(ids) == 0:
        return np.full(len(wanted_ids), -1, dtype=np.int64)
    candidates = np.minimum(np.searchsorted(ids, wanted_ids), len(ids) - 1)
    return np.where(ids[candidates] == wanted_ids, candidates, -1)
