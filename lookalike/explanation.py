"""Why two pictures have their score: a score for each part of the encoder, and a heat map for either picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.encoder.base import RGB, Evidence, ImageEncoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.short_repr import ShortRepr

Map = npt.NDArray[np.float32]
GRID = 36
"""Places along a side of a heat map: as many as the shallowest stage of the bundled encoder has."""


@dataclass(frozen=True, slots=True, repr=False)
class Part(ShortRepr):
    """One part of the encoder: ``stage-1`` (the shallowest: texture) and so on to objects, or ``colour``.

    ``score`` is the cosine of the pictures by this part alone; ``share`` is its contribution to their score.
    """

    name: str
    score: float
    share: float


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """``score`` is the pair's cosine; the shares of ``parts`` and ``rest`` sum to it.

    ``heat_maps`` has for each picture (GRID, GRID) float32 from 0 to 1, to be scaled to the upright picture: the
    contribution of each place to the similarity, where 1 is the largest.
    """

    score: float
    parts: tuple[Part, ...]
    rest: float
    heat_maps: tuple[Map, Map]

    def __repr__(self) -> str:
        shares = ", ".join(f"{part.name} {part.share:+.3f}" for part in self.parts)
        return f"Explanation(score={self.score:.4f}: {shares}, rest {self.rest:+.3f})"


def explain(encoder: ImageEncoder, first: RGB, second: RGB) -> Explanation:
    """Explain the score of two upright pictures, (h, w, 3) uint8; raises VectorsInvalidError for anything else."""
    evidence = encoder.explain(encoder.prepare(first), encoder.prepare(second))
    return explanation_of(evidence, encoder.spec, first.shape[:2], second.shape[:2])


def explanation_of(
    evidence: Evidence, spec: EncoderSpec, first: tuple[int, int], second: tuple[int, int]
) -> Explanation:
    """The evidence in the coordinates of the pictures, whose (height, width) are ``first`` and ``second``.

    A share is the mean of the part's contributions for either picture.
    """
    parts = tuple(Part(part.name, part.score, sum(part.shares) / 2) for part in evidence.parts)
    heat_maps = []
    for picture, size in enumerate((first, second)):
        heat = np.sum([_regrid(part.heats[picture]) for part in evidence.parts], axis=0)
        heat_maps.append(_stretch(_over_picture(heat, spec, size)))
    return Explanation(evidence.score, parts, sum(evidence.rests) / 2, (heat_maps[0], heat_maps[1]))


def _regrid(heat: Map) -> Map:
    """A map (h, w) resampled linearly to (GRID, GRID), with the same sum."""
    rows, columns = (_resampling_matrix(length) for length in heat.shape)
    return np.asarray(rows @ heat @ columns.T * (heat.size / GRID**2), dtype=np.float32)


def _resampling_matrix(length: int) -> Map:
    """(GRID, length): the triangle filter, wider when shrinking, as for pictures."""
    places = (np.arange(GRID) + 0.5) / GRID * length
    reach = max(1.0, length / GRID)
    weights = np.maximum(0.0, 1.0 - np.abs(places[:, None] - (np.arange(length) + 0.5)) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _over_picture(square: Map, spec: EncoderSpec, size: tuple[int, int]) -> Map:
    """A map of the network's square input in the coordinates of the picture; 0 outside of the square."""
    shorter, longer = min(size), max(size)
    picture = np.asarray(square, dtype=np.float32)
    if spec.resize == "squash":
        return picture
    side = max(1, round(shorter * spec.crop_fraction)) if spec.resize == "crop" else longer
    for axis, length in enumerate(size):
        # Place x of the picture, 0 to 1, lies at (x * length - offset) / side of the square.
        offset = (length - side) / 2
        square_position = ((np.arange(GRID) + 0.5) / GRID * length - offset) / side
        nearest = np.clip((square_position * GRID).astype(np.int64), 0, GRID - 1)
        is_inside = ((square_position >= 0) & (square_position < 1)).astype(np.float32)
        picture = np.take(picture, nearest, axis=axis) * np.expand_dims(is_inside, 1 - axis)
    return picture


def _stretch(heat: Map) -> Map:
    """Scaled to 0 to 1; negative contributions are 0, and all are 0 if none is positive."""
    positive = np.maximum(heat, 0.0)
    return np.asarray(positive / max(float(positive.max()), 1e-12), dtype=np.float32)
