"""Embeds any number of pictures with any encoder, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np

from lookalike.encoder.base import RGB, ImageEncoder, Vectors


def encode_pictures(encoder: ImageEncoder, pictures: Iterable[RGB], batch_size: int = 32) -> Vectors:
    """Unit vectors (n, D) float32 of n pictures (h, w, 3) uint8, in their order; (0, D) for none.

    Only one batch of pictures is held at a time, so ``pictures`` may be a generator over a large corpus. Raises
    VectorsInvalidError for a picture of the wrong shape or dtype.
    """
    waiting = iter(pictures)
    found = [np.empty((0, encoder.spec.dimension), np.float32)]
    while batch := [encoder.prepare(picture) for picture in islice(waiting, batch_size)]:
        found.append(encoder.forward(np.stack(batch)))
    return np.concatenate(found)
