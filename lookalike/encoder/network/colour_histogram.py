"""The joint colour histogram of a picture, computed from the network's input and appended to its features."""

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

    def __call__(self, pixels: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        return colour_histogram(pixels, self.mean, self.std, self.bins, weights)


def colour_histogram(
    pixels: torch.Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    bins: int,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Square roots of the shares of pixels in ``bins`` ** 3 boxes of RGB: (n, bins ** 3) float32 of unit length.

    ``pixels`` (n, 3, h, w) float32 were normalised by ``mean`` and ``std``; they are brought back to 0..255 and
    rounded, so that pictures of bytes are counted exactly. A box spans 256 / ``bins`` levels of each channel, red
    outermost. ``weights`` (n, h, w), each picture's summing to 1, are the weights of the pixels; without them all
    have the same. The inner product of two such vectors is the Bhattacharyya coefficient of the histograms
    (A. Bhattacharyya, 1943).
    """
    return _shares(boxes_of(pixels, mean, std, bins).flatten(1), bins, weights)


def histogram_of_bytes(pictures: torch.Tensor, bins: int, weights: torch.Tensor | None = None) -> torch.Tensor:
    """``colour_histogram`` of bytes, (n, h, w, 3) uint8: the same counts with less work."""
    levels = pictures.permute(0, 3, 1, 2).flatten(2).float()
    boxes = torch.floor(levels * (bins / 256.0))
    # Integers below 2**24 are exact in float32; every runtime is fast at a matrix product, which adds up the channels.
    places = torch.tensor([[bins * bins, bins, 1.0]], device=pictures.device) @ boxes
    return _shares(places.squeeze(1).long(), bins, weights)


def _shares(places: torch.Tensor, bins: int, weights: torch.Tensor | None) -> torch.Tensor:
    # Ones and zeros are computed from the input: OpenVINO 2026.4 computes the first convolution of int8 networks wrong
    # if the network also creates constants as long as the batch.
    levels = places.float()
    ones, zeros = levels.clamp(1.0, 1.0), levels[:, :1].clamp(0.0, 0.0)
    empty = torch.zeros(1, bins**3, device=places.device) + zeros
    if weights is not None:
        return empty.scatter_add(1, places, weights.flatten(1)).sqrt()
    return (empty.scatter_add(1, places, ones) / places.shape[1]).sqrt()


def boxes_of(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float], bins: int) -> torch.Tensor:
    """Which box of the histogram each pixel is in: (n, h, w) int64; arguments as in ``colour_histogram``."""
    scale = pixels.new_tensor(std).view(1, 3, 1, 1) * 255.0
    offset = pixels.new_tensor(mean).view(1, 3, 1, 1) * 255.0
    levels = (pixels * scale + offset).round().clamp(0.0, 255.0)
    boxes = torch.floor(levels * (bins / 256.0)).to(torch.int64)
    return (boxes[:, 0] * bins + boxes[:, 1]) * bins + boxes[:, 2]
