"""From a prepared picture's bytes to its unit vector in one module, which is run and exported."""

from __future__ import annotations

import torch
from torch import nn

from lookalike.encoder.network.multiscale import MultiScaleNetwork
from lookalike.encoder.spec import EncoderSpec


class InferenceModule(nn.Module):
    """Prepared pictures (n, S, S, 3) uint8 to unit vectors (n, D) float32: normalisation, then the network.

    Each channel becomes (value / 255 - mean) / std, as one product and one sum, channels last in memory. The colours
    are counted from the bytes.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, network: MultiScaleNetwork, spec: EncoderSpec) -> None:
        """``network`` and ``spec`` as ``load_network`` returns them."""
        super().__init__()
        self.network = network
        mean, std = (torch.tensor(three, dtype=torch.float64).view(1, 3, 1, 1) for three in (spec.mean, spec.std))
        self.register_buffer("scale", (1 / (255 * std)).float(), persistent=False)
        self.register_buffer("shift", (-mean / std).float(), persistent=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Unit vectors of prepared pictures."""
        vectors: torch.Tensor = self.network(self.normalise(pictures), pictures)
        return vectors

    def normalise(self, pictures: torch.Tensor) -> torch.Tensor:
        """The network's input: (n, 3, S, S) float32."""
        return pictures.permute(0, 3, 1, 2).float() * self.scale + self.shift
