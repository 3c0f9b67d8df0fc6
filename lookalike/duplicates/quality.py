"""How good a picture is as a photograph, in numbers: blur, light, and whether there is anything on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.images import resize

Pixels = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]

_SIDE = 256
"""Pixels of the longer side at which a picture is judged, so that what counts is what shows in a thumbnail."""
_SMALL_SIDE = 64
_WINDOW = 9
"""Pixels over which a picture is blurred once more, to see how much that changes."""
_LIGHTEST_SHARE = 95
_WHITE, _FULL, _NOT_FULL = 250, 254, 245
"""Levels: all channels from the first on are white; a channel from the second on is at its end, below the third not."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class PictureQuality:
    """Measures of an upright picture.

    ``blur``, 0 to 1: how little another blur takes away of its differences between neighbouring pixels, along the
    worse axis (F. Crete, T. Dolmiere, P. Ladret, M. Nicolas, "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric", 2007). ``lightest``: the grey level that 5 % of it reach. ``burnt``: the share
    of what is not white where one channel is at its end and another one is not, as overexposure makes colours.
    ``spread``: the standard deviation, in levels, of the channel that varies most, at 64 × 64 pixels.
    """

    blur: float
    lightest: float
    burnt: float
    spread: float


def measure_quality(pixels: Pixels) -> PictureQuality:
    """The measures of an upright (h, w, 3) uint8 picture of any size."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small = resize(np.ascontiguousarray(pixels), max(1, round(width * scale)), max(1, round(height * scale)))
    tiny = resize(small, _SMALL_SIDE, _SMALL_SIDE)
    grey = small.astype(np.float32) @ _LUMA
    return PictureQuality(
        blur=round(max(_blur(grey), _blur(np.ascontiguousarray(grey.T))), 3),
        lightest=round(float(np.percentile(grey, _LIGHTEST_SHARE)), 1),
        burnt=round(_burnt_share(small), 4),
        spread=round(max(float(tiny[..., channel].std()) for channel in range(3)), 2),
    )


def _blur(grey: Grey) -> float:
    """The measure along the columns; 0.0 where nothing differs."""
    half = _WINDOW // 2
    padded = np.pad(grey, ((half, half), (0, 0)), mode="symmetric")
    before = np.abs(np.diff(grey, axis=0))
    # Neighbouring means differ by what comes in and what goes out.
    after = np.abs(padded[_WINDOW:] - padded[:-_WINDOW]) / _WINDOW
    total = float(before.sum())
    return 1 - float(np.maximum(0, before - after).sum()) / total if total > 0 else 0.0


def _burnt_share(small: Pixels) -> float:
    red, green, blue = (np.ascontiguousarray(small[..., channel]) for channel in range(3))
    highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    not_white = int(np.count_nonzero(lowest < _WHITE))
    return int(np.count_nonzero((highest >= _FULL) & (lowest < _NOT_FULL))) / not_white if not_white else 0.0
