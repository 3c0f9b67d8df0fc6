"""The port to an encoder: the interface that the rest of the library uses, whatever runs the network.

encoder = load_encoder(request, encoders_dir)  # in lookalike.wiring
batch = np.stack([encoder.prepare(picture) for picture in pictures])  # (n, S, S, 3) uint8
vectors = encoder.forward(batch)  # (n, D) float32 of unit length
scores = vectors @ vectors.T  # (n, n) cosines
"""

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
    """What one part of an encoder (a stage, or the colour histogram) contributes to the score of a pair of pictures.

    ``score`` is the cosine, in [-1, 1], of the part's features of the two pictures. ``shares`` is what the part adds to
    the pair's cosine score, attributed to the places of the first and of the second picture. ``heats`` are two maps
    (h, w) float32, one for each picture: what each place adds, so that a map sums to its picture's share.
    """

    name: str
    score: float
    shares: tuple[float, float]
    heats: tuple[Heat, Heat]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Why two pictures have their cosine ``score``.

    For each of the two pictures, the shares of the parts and its ``rests`` entry sum to the score. A rest belongs to no
    part: it comes from the constant term of the encoder's layer, and from rounding.
    """

    score: float
    parts: tuple[PartEvidence, ...]
    rests: tuple[float, float]


class ImageEncoder(Protocol):
    """Turns upright RGB pictures into unit-length embeddings; safe to call from several threads at once."""

    @property
    def spec(self) -> EncoderSpec:
        """All that decides a vector: vectors of encoders with equal digests are comparable."""

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

        A picture's vector does not depend on the others in its batch (to 1e-5). Raises VectorsInvalidError for any
        other shape or dtype.
        """

    def explain(self, first: RGB, second: RGB) -> Evidence:
        """Why two prepared pictures, (S, S, 3) uint8 each, are as similar as they are.

        Raises VectorsInvalidError for any other shape or dtype.
        """
