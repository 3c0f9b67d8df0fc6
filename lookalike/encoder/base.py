"""The port to an encoder: what the rest of the library may ask of a network, whatever runs it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.encoder.spec import EncoderSpec

RGB = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]


class ImageEncoder(Protocol):
    """Turns upright RGB pictures into unit-length embeddings; safe to call from several threads at once."""

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""

    @property
    def runtime(self) -> str:
        """What runs the network, in words for a person, with its version and the operator's state."""

    def prepare(self, image: RGB) -> Vectors:
        """Resize and normalise one picture on the CPU.

        ``image`` is (height, width, 3) uint8 of any size; the answer is (3, S, S) float32 with S the spec's input
        size. Raises VectorsInvalidError for any other shape or dtype.
        """

    def forward(self, batch: Vectors) -> Vectors:
        """Embed prepared pictures: (n, 3, S, S) float32 to (n, D) float32 of unit length; n may be 0.

        A picture's vector does not depend on the others in its batch (to 1e-5).
        """
