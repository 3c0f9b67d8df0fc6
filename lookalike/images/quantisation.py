"""The steps to which a JPEG has rounded its coefficients, which say how hard it was compressed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.errors import ImageError
from lookalike.images.exif_orientation import read_orientation
from lookalike.images.formats import sniff
from lookalike.images.open_header import open_header
from lookalike.options import ImageLimits

_SIDE = 8
_UPRIGHT = 1


def read_quantisation(data: bytes, limits: ImageLimits) -> npt.NDArray[np.float32] | None:
    """The (8, 8) steps of the luminance's coefficients, by vertical and horizontal frequency, of an upright JPEG.

    None for other formats, and for one that its EXIF data turn: the blocks of its upright pixels are others.
    """
    if sniff(data) != "JPEG":
        return None
    try:
        image, _ = open_header(data, limits, "")
    except ImageError:
        return None
    if read_orientation(image) != _UPRIGHT:
        return None
    tables = getattr(image, "quantization", {})
    return np.array(tables[0], np.float32).reshape(_SIDE, _SIDE) if 0 in tables else None
