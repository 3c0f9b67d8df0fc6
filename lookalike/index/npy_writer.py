"""Writing .npy files block by block, with the system's own error when the disk says no.

``numpy.save`` hides the reason of a failed write behind "n requested and m written", and a writable memory map ends the
process when the disk is full.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_npy(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[npt.NDArray[np.generic]]
) -> None:
    """Write rows that come in blocks as one array of ``shape`` and ``dtype``; raises OSError."""
    kind = np.dtype(dtype)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype=kind).tobytes())
