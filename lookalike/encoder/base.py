"""The port to an encoder: what the rest of the library may ask of a network, whatever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.encoder.spec import EncoderSpec

RGB = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]
Heat = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PartEvidence:
    """What one part of an encoder (a stage, or the colour histogram) has to say about a pair of pictures.

    ``score`` is the cosine, in [-1, 1], of the two pictures as this part alone sees them. ``shares`` is what the part
    adds to the pair's cosine score, seen from either picture. ``heats`` are two maps (h, w) float32, one a picture:
    what each place adds, so that a map sums to its picture's share.
    """

    name: str
    score: float
    shares: tuple[float, float]
    heats: tuple[Heat, Heat]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Why two pictures have their cosine ``score``.

    For either picture the shares of the parts and its one of ``rests`` sum to the score; a rest is what the encoder
    says of every picture.
    """

    score: float
    parts: tuple[PartEvidence, ...]
    rests: tuple[float, float]


class ImageEncoder(Protocol):
    """Turns upright RGB pictures into unit-length embeddings; safe to call from several threads at once."""

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""

    @property
    def runtime(self) -> str:
        """What runs the network, in words for a person, with its version and the operator's state."""

    def prepare(self, image: RGB) -> RGB:
        """Make of one picture the square that the network sees, on the CPU.

        ``image`` is (height, width, 3) uint8 of any size; the answer is (S, S, 3) uint8 with S the spec's input
        size. Raises VectorsInvalidError for any other shape or dtype.
        """

    def forward(self, batch: RGB) -> Vectors:
        """Embed prepared pictures: (n, S, S, 3) uint8 to (n, D) float32 of unit length; n may be 0.

        A picture's vector does not depend on the others in its batch (to 1e-5).
        """

    def explain(self, first: RGB, second: RGB) -> Evidence:
        """Why two prepared pictures, (S, S, 3) uint8 each, are as similar as they are.

        Raises VectorsInvalidError for any other shape or dtype.
        """
