"""The compiled library that resizes pictures (``ext/csrc/resize.cpp``), called by ctypes.

Where it was not compiled, `resize_bilinear` returns None, and `transforms.resize` uses Pillow: three times as long, the
same bytes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from lookalike.compiled import compiled_library

Pixels = npt.NDArray[np.uint8]


def resize_bilinear(pixels: Pixels, width: int, height: int) -> Pixels | None:
    """(h, w, 3) uint8 at ``height`` × ``width``; None if the library was not compiled. Releases the GIL."""
    function, _ = _library()
    if function is None:
        return None
    dense = np.ascontiguousarray(pixels)
    output = np.empty((height, width, 3), np.uint8)
    if function(dense.ctypes.data, *dense.shape[:2], output.ctypes.data, height, width):
        raise MemoryError(f"no memory to resize {dense.shape[1]} × {dense.shape[0]} pixels to {width} × {height}")
    return output


def describe_resize_library() -> str:
    """What resizes pictures, for a person to read: the compiled library, or Pillow and why."""
    function, note = _library()
    return note if function else f"Pillow ({note})"


@cache
def _library() -> tuple[Callable[..., int] | None, str]:
    library, note = compiled_library("_resize")
    if library is None:
        return None, note
    function = library.lookalike_resize_bilinear
    address, length = ctypes.c_void_p, ctypes.c_int64
    function.argtypes = [address, length, length, address, length, length]
    function.restype = ctypes.c_int
    return function, f"compiled ({note})"
