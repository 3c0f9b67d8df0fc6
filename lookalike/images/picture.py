"""`Picture`: what decoding a file gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: ``pixels`` is uint8 of shape (h, w, 3), RGB, upright; ``width`` and ``height`` are the file's.

    The shape of ``pixels`` is smaller only if `decode` was given ``fit``. ``format`` is the name of the file's format,
    such as ``JPEG``. ``remark`` is one sentence on what is wrong with a file that is shown all the same, else empty.
    """

    pixels: npt.NDArray[np.uint8]
    format: str
    width: int
    height: int
    remark: str = ""

    @property
    def is_full_resolution(self) -> bool:
        """Whether ``pixels`` has every pixel of the file."""
        return self.pixels.shape[:2] == (self.height, self.width)
