"""Test doubles, for this project and its users: a tiny deterministic encoder and generated pictures, without torch.

``TinyEncoder`` passes the same contract tests as the real encoders; ``make_picture`` makes a distinct picture for each
seed.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from lookalike.encoder import preprocess
from lookalike.encoder.base import RGB, Evidence, PartEvidence, Vectors
from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD, EncoderSpec
from lookalike.images import encode_jpeg

_INPUT_SIZE, _BLOCKS, _DIMENSION = 32, 8, 32
_FEATURES = _BLOCKS * _BLOCKS * 3 + 2 * _BLOCKS * (_BLOCKS - 1) * 3 + 1


class TinyEncoder:
    """An ImageEncoder of 32 numbers from 8 × 8 block colours and their differences, by a fixed random projection.

    Pictures with similar colours in similar places have a high cosine; distinct pictures have distinct vectors. Another
    ``seed`` makes another encoder, with other vectors and another digest.
    """

    def __init__(self, seed: int = 0) -> None:
        weights = np.random.default_rng(seed).standard_normal((_FEATURES, _DIMENSION)).astype(np.float32)
        self._projection: npt.NDArray[np.float32] = weights
        self._spec = EncoderSpec(
            name="tiny",
            backbone="block-colours",
            stages=(0,),
            channels=(_DIMENSION,),
            fusion="last",
            projection=True,
            dimension=_DIMENSION,
            input_size=_INPUT_SIZE,
            resize="squash",
            crop_fraction=1.0,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            weights_digest=hashlib.sha256(self._projection.tobytes()).hexdigest(),
        )

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""
        return self._spec

    @property
    def runtime(self) -> str:
        """Always numpy."""
        return f"numpy {np.__version__}"

    def prepare(self, image: RGB) -> RGB:
        """See the port."""
        return preprocess.prepare(image, self._spec)

    def forward(self, batch: RGB) -> Vectors:
        """See the port; raises VectorsInvalidError for another shape or dtype."""
        preprocess.check_batch(batch, _INPUT_SIZE)
        if len(batch) == 0:
            return np.empty((0, _DIMENSION), np.float32)
        vectors = self._features(batch) @ self._projection
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def explain(self, first: RGB, second: RGB) -> Evidence:
        """See the port: the block colours are the only stage, all other features the rest."""
        for picture in (first, second):
            preprocess.check_batch(picture[None], _INPUT_SIZE)
        pair = np.stack([first, second])
        vectors = self.forward(pair)
        blocks = self._features(pair)[:, : 3 * _BLOCKS**2]
        lengths = np.linalg.norm(self._features(pair) @ self._projection, axis=1)
        score = float(np.clip(vectors[0] @ vectors[1], -1, 1))
        parts = blocks @ self._projection[: 3 * _BLOCKS**2]
        cosine = float(parts[0] @ parts[1] / max(np.linalg.norm(parts[0]) * np.linalg.norm(parts[1]), 1e-12))
        heats = []
        for own_row, other_row in ((0, 1), (1, 0)):
            gradient = self._projection[: 3 * _BLOCKS**2] @ vectors[other_row] / lengths[own_row]
            heats.append((blocks[own_row] * gradient).reshape(3, _BLOCKS, _BLOCKS).sum(axis=0))
        shares = (float(heats[0].sum()), float(heats[1].sum()))
        part = PartEvidence("stage-1", min(1.0, max(-1.0, cosine)), shares, (heats[0], heats[1]))
        return Evidence(score, (part,), (score - shares[0], score - shares[1]))

    def _features(self, batch: RGB) -> Vectors:
        count, side = len(batch), _INPUT_SIZE // _BLOCKS
        blocks = (
            preprocess.normalise(batch, self._spec).reshape(count, 3, _BLOCKS, side, _BLOCKS, side).mean(axis=(3, 5))
        )
        features = [blocks, np.diff(blocks, axis=2), np.diff(blocks, axis=3)]
        constant = np.ones((count, 1), np.float32)  # so that no picture is all zeros, which has no direction
        return np.concatenate([*(part.reshape(count, -1) for part in features), constant], axis=1)


def make_picture(seed: int, size: tuple[int, int] = (96, 72)) -> RGB:
    """A picture (height, width, 3) uint8 of ``size`` (width, height): coloured discs and bars on a gradient.

    The same seed and size give the same pixels; distinct seeds give pictures that TinyEncoder tells apart.
    """
    width, height = size
    random = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    down, across = down / height, across / width
    corners = random.uniform(0, 255, (2, 3))
    slope = ((down + across) / 2)[..., None]
    canvas = corners[0] * (1 - slope) + corners[1] * slope
    for _ in range(4):
        y, x, radius = random.uniform(0, 1), random.uniform(0, 1), random.uniform(0.1, 0.3)
        canvas[(down - y) ** 2 + (across - x) ** 2 < radius**2] = random.uniform(0, 255, 3)
        top, left = random.uniform(0, 0.8, 2)
        bar = (down >= top) & (down < top + 0.15) & (across >= left) & (across < left + 0.3)
        canvas[bar] = random.uniform(0, 255, 3)
    picture: RGB = canvas.astype(np.uint8)
    return picture


def jpeg_bytes(seed: int, size: tuple[int, int] = (96, 72), quality: int = 90) -> bytes:
    """``make_picture(seed, size)`` as a JPEG file."""
    return encode_jpeg(make_picture(seed, size), quality)
