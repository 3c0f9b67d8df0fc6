"""A head for tags that knows what single pictures show, for tests of what becomes of tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lookalike.encoder.base import Vectors
from lookalike.encoder.tags import head
from lookalike.encoder.tags.vocabulary import read_vocabulary

SURE, LOGIT, BIAS = 0.95, 60.0, -45.0
"""A vector with a cosine of 0.85 to the one of a word does not get the word: the other classes have the logit 0."""


def write_head(path: Path, digest: str, vectors: Mapping[str, Vectors]) -> None:
    """A head that gives each of the vectors (D,) the specific word that it stands under, and others nothing."""
    vocabulary = read_vocabulary()
    (dimension,) = next(iter(vectors.values())).shape
    weight = np.zeros((vocabulary.members.shape[1], dimension), np.float32)
    bias = np.zeros(len(weight), np.float32)
    for word, vector in vectors.items():
        (place,) = vocabulary.places([word])
        (number, *_) = np.flatnonzero(vocabulary.members[place])
        weight[number], bias[number] = LOGIT * vector, BIAS
    curve = np.array([[0.0, 0.5, 1.0], [0.0, 0.5, SURE]], np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            "weight": weight,
            "bias": bias,
            "specific": curve,
            "general": curve,
        },
        path,
        {
            "format": head.FORMAT,
            "version": head.VERSION,
            "temperature": "1.0",
            "digests": json.dumps([digest]),
            "encoders": json.dumps(["one of the tests"]),
        },
    )


@contextmanager
def heads_of(folder: Path) -> Iterator[None]:
    """In this context the heads in the box are those of a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head, "FOLDER", folder)
        head.find_head.cache_clear()
        yield
    head.find_head.cache_clear()
