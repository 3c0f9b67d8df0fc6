"""Large pictures by bands of rows, so that no step holds a second copy of all pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

BAND_PIXELS = 1 << 20


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Slices of rows of at most `BAND_PIXELS` pixels, or of one row."""
    rows = max(1, BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(height, top + rows))


def image_band(image: Image.Image, rows: slice) -> Image.Image:
    """These rows of ``image``, with its metadata; ``image`` itself if they are all."""
    if rows.stop - rows.start == image.height:
        return image
    return image.crop((0, rows.start, image.width, rows.stop))


def read_array(image: Image.Image) -> npt.NDArray[Any]:
    """``np.array`` of ``image``: contiguous and writable. Pillow makes two more copies of all pixels on the way."""
    bands = list(row_bands(image.height, image.width))
    if len(bands) < 2:
        return np.array(image)
    first = np.asarray(image_band(image, bands[0]))
    array = np.empty((image.height, *first.shape[1:]), first.dtype)
    for rows in bands:
        array[rows] = np.asarray(image_band(image, rows))
    return array
