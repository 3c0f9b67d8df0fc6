"""The colours of a picture as numbers beside the network's: a joint histogram, made of what the network is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Colours:
    """Calls ``colour_histogram`` on pixels that were normalised by ``mean`` and ``std``."""

    bins: int
    mean: Sequence[float]
    std: Sequence[float]

    @property
    def width(self) -> int:
        """Numbers in a histogram."""
        return int(self.bins**3)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return colour_histogram(pixels, self.mean, self.std, self.bins)


def colour_histogram(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float], bins: int) -> torch.Tensor:
    """Square roots of the shares of pixels in ``bins`` ** 3 boxes of RGB: (n, bins ** 3) float32 of unit length.

    ``pixels`` (n, 3, h, w) float32 were normalised by ``mean`` and ``std``; they are brought back to 0..255 and
    rounded, so that pictures of bytes are counted exactly. A box spans 256 / ``bins`` levels of each channel, red
    outermost. The inner product of two such vectors is the Bhattacharyya coefficient of the histograms
    (A. Bhattacharyya, 1943).
    """
    places = boxes_of(pixels, mean, std, bins).flatten(1)
    counts = pixels.new_zeros(len(pixels), bins**3)
    counts.scatter_add_(1, places, torch.ones_like(places, dtype=counts.dtype))
    return (counts / places.shape[1]).sqrt()


def boxes_of(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float], bins: int) -> torch.Tensor:
    """Which box of the histogram each pixel is in: (n, h, w) int64; arguments as in ``colour_histogram``."""
    scale = pixels.new_tensor(std).view(1, 3, 1, 1) * 255.0
    offset = pixels.new_tensor(mean).view(1, 3, 1, 1) * 255.0
    levels = (pixels * scale + offset).round().clamp(0.0, 255.0)
    boxes = torch.floor(levels * (bins / 256.0)).to(torch.int64)
    return (boxes[:, 0] * bins + boxes[:, 1]) * bins + boxes[:, 2]
