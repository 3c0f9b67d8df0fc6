"""How much noise a picture has where it is even."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Blocks = npt.NDArray[np.float32]

_BLOCK = 16
"""Side, in pixels, of the blocks whose noise is measured."""
_EVEN_SHARE = 0.25
"""Share of the blocks, the most even ones, that count: in so much of nearly every picture there is little but noise."""
_MAX_BLOCKS = 4096
_TEXTURE_RATIO = 1.3
"""Variance of the finest diagonal detail over that of the next one, in a sharp texture without noise."""


def measure_noise(pixels: Pixels) -> float:
    """Standard deviation in levels of the white noise in an (h, w, 3) uint8 picture; 0.0 for one smaller than a block.

    White noise and texture differ in what is left of them at half the resolution: averaging 2 × 2 pixels takes three
    quarters of the variance of white noise; that of a texture whose power falls with the square of the frequency is
    then 1 / r of before (``_TEXTURE_RATIO``). So with the variance d₁ of the finest diagonal detail and that of the
    next one, d₂, the variance of the noise is (d₁ - r d₂) / (1 - r / 4). The diagonal detail of the Haar transform,
    (a - b - c + d) / 2 of 2 × 2 pixels, has the variance of white noise itself (D. Donoho, I. Johnstone, "Ideal spatial
    adaptation by wavelet shrinkage", 1994).
    """
    height, width = (side // _BLOCK * _BLOCK for side in pixels.shape[:2])
    if min(height, width) == 0:
        return 0.0
    green = pixels[:height, :width, 1].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).swapaxes(1, 2)
    levels = green.reshape(-1, _BLOCK, _BLOCK)
    blocks = levels[:: -(-len(levels) // _MAX_BLOCKS)].astype(np.float32)
    finest = _detail_variance(blocks)
    coarse = _detail_variance(blocks.reshape(-1, _BLOCK // 2, 2, _BLOCK // 2, 2).mean(axis=(2, 4)))
    even = np.argsort(finest)[: max(1, round(_EVEN_SHARE * len(finest)))]
    variance = float((finest[even] - _TEXTURE_RATIO * coarse[even]).mean()) / (1 - _TEXTURE_RATIO / 4)
    return math.sqrt(max(0.0, variance))


def _detail_variance(blocks: Blocks) -> Blocks:
    """The mean square, (n,), of the diagonal detail of (n, s, s) blocks."""
    detail = (blocks[:, ::2, ::2] - blocks[:, ::2, 1::2] - blocks[:, 1::2, ::2] + blocks[:, 1::2, 1::2]) / 2
    return np.asarray((detail**2).mean(axis=(1, 2)), np.float32)
