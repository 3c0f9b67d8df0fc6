"""How much of its resolution a picture makes use of: an enlarged or blurred one has no detail in its finest pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_SIDE = 256
"""Side, in pixels, of the part whose spectrum is computed."""
_MIN_SIDE = 32
_RINGS = 32
"""Rings of frequencies from zero to the finest that a pixel can have."""
_REFERENCE = slice(2, 8)
"""Rings of frequencies that any picture worth keeping shows."""
_FIRST_RING, _RUN = 5, 3
"""The first ring that may be the last with detail, and how many rings in a row have to be without."""
_MIN_SHARE = 0.2
"""Share of the reference's power, each times its frequency squared, below which a ring is without detail."""


def measure_sharpness(pixels: Pixels) -> float:
    """The finest frequency with detail as a share of the finest possible, 0 to 1, of an (h, w, 3) uint8 picture.

    The power spectra of photographs fall with the square of the frequency; one that falls faster was enlarged or
    blurred: enlarging by two about halves it. 1.0 for pictures that are too small to tell.
    """
    part = _busiest_part(pixels)
    if min(part.shape) < _MIN_SIDE:
        return 1.0
    height, width = part.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    power = np.abs(np.fft.rfft2((part - part.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]) * 2
    ring = np.minimum((frequency * _RINGS).astype(int), _RINGS).ravel()
    counts = np.bincount(ring, minlength=_RINGS + 1)[:_RINGS]
    whitened = np.bincount(ring, (power * frequency**2).ravel(), _RINGS + 1)[:_RINGS] / np.maximum(counts, 1)
    threshold = _MIN_SHARE * float(np.median(whitened[_REFERENCE]))
    runs = np.convolve(whitened, np.full(_RUN, 1 / _RUN), "valid")[_FIRST_RING:]
    without_detail = np.flatnonzero(runs < threshold)
    return float((without_detail[0] + _FIRST_RING + 1) / _RINGS) if len(without_detail) else 1.0


def _busiest_part(pixels: Pixels) -> npt.NDArray[np.float32]:
    """The green of the one of nine parts that varies most; the whole of a small picture."""
    height, width = pixels.shape[:2]
    tops = sorted({0, max(0, height - _SIDE) // 2, max(0, height - _SIDE)})
    lefts = sorted({0, max(0, width - _SIDE) // 2, max(0, width - _SIDE)})
    parts = [pixels[top : top + _SIDE, left : left + _SIDE, 1] for top in tops for left in lefts]
    return max(parts, key=lambda part: float(part[::4, ::4].std())).astype(np.float32)
