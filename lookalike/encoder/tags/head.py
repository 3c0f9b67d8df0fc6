"""A linear head from an encoder's vectors to a classifier's classes: made for one encoder, and refused for any other.

The logits are ``weight`` @ vector + ``bias``; their softmax at ``temperature`` gives the classes' probabilities, and
those of a word are added up. Two monotone maps, for specific and for general words, turn a word's probability into the
share of the cases in which it is right. How a head is fitted and measured: docs/tags.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from lookalike.encoder.base import Vectors
from lookalike.encoder.spec import EncoderSpec
from lookalike.encoder.tags.vocabulary import MIN_CONFIDENCE, Tag, Vocabulary, read_vocabulary
from lookalike.encoder.weights.file_format import invalid_weights_error
from lookalike.encoder.weights.installed import BOX
from lookalike.errors import EncoderMismatchError, TagsUnavailableError

FOLDER = BOX / "tags"
FORMAT, VERSION = "lookalike-tags", "1"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ConfidenceMap:
    """Piecewise linear from a word's ``probability`` (k,), ascending, to its ``confidence`` (k,), which never falls."""

    probability: Floats
    confidence: Floats

    def apply(self, probabilities: Floats) -> Floats:
        """The confidences of probabilities, of the same shape."""
        return np.interp(probabilities, self.probability, self.confidence).astype(np.float32)


@dataclass(frozen=True, eq=False)
class TagHead:
    """``weight`` (classes, D) and ``bias`` (classes,) float32; ``digests`` are of the encoders that it is for."""

    weight: Floats
    bias: Floats
    temperature: float
    specific: ConfidenceMap
    general: ConfidenceMap
    vocabulary: Vocabulary
    digests: tuple[str, ...]

    def probabilities(self, vectors: Vectors) -> Floats:
        """The probability of each word, (n, words), for vectors (n, D)."""
        logits = (vectors @ self.weight.T + self.bias) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        classes = powers / powers.sum(axis=1, keepdims=True)
        return np.asarray(classes @ self.vocabulary.members.T, np.float32)

    def confidences(self, vectors: Vectors) -> Floats:
        """The confidence of each word, (n, words), for vectors (n, D)."""
        probabilities, first_general = self.probabilities(vectors), self.vocabulary.specific
        return np.hstack(
            [
                self.specific.apply(probabilities[:, :first_general]),
                self.general.apply(probabilities[:, first_general:]),
            ]
        )

    def tags(self, vectors: Vectors, least: float = MIN_CONFIDENCE) -> list[list[Tag]]:
        """For each of the vectors (n, D) its tags, from the most specific to the most general; none is better than a
        wrong one, so there may be none."""
        return [self.vocabulary.choose(row, least) for row in self.confidences(vectors)]


def read_head(path: Path) -> TagHead:
    """The head of a file; raises WeightsInvalidError if it is damaged or of another format."""
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118 (no mapping)
        if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"format {metadata.get('format')!r}, version {metadata.get('version')!r}")
        return TagHead(
            tensors["weight"],
            tensors["bias"],
            float(metadata["temperature"]),
            ConfidenceMap(*tensors["specific"]),
            ConfidenceMap(*tensors["general"]),
            read_vocabulary(),
            tuple(json.loads(metadata["digests"])),
        )
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise invalid_weights_error(path, f"is no head for tags ({error}); install lookalike again") from error


def load_head(path: Path, spec: EncoderSpec) -> TagHead:
    """The head of a file for this encoder; raises EncoderMismatchError if it was made for another one."""
    head = read_head(path)
    if spec.digest not in head.digests or head.weight.shape[1] != spec.dimension:
        raise EncoderMismatchError(
            f"the head for tags {path.name} was made for other vectors than those of {spec.name}: fit one to them",
            subject=spec.name,
        )
    return head


@cache
def find_head(digest: str) -> TagHead | None:
    """The head in the box for the encoder of this digest; None if there is none."""
    for path in sorted(FOLDER.glob("*.safetensors")):
        if digest in _digests(path):
            return read_head(path)
    return None


def require_head(spec: EncoderSpec) -> TagHead:
    """The head in the box for an encoder; raises TagsUnavailableError if it has none."""
    head = find_head(spec.digest)
    if head is None:
        raise TagsUnavailableError(
            f"there are no tags for the encoder {spec.name}: choose one that has them "
            f"({', '.join(_tagging_names())}), or do without",
            subject=spec.name,
        )
    return head


def tag_vectors(spec: EncoderSpec, vectors: Vectors, least: float = MIN_CONFIDENCE) -> list[list[Tag]]:
    """The tags of an encoder's vectors (n, D), each list from the most specific to the most general.

    Raises TagsUnavailableError.
    """
    return require_head(spec).tags(vectors, least)


@cache
def _digests(path: Path) -> Sequence[str]:
    return tuple(_metadata(path, "digests"))


def _tagging_names() -> list[str]:
    return [name for path in sorted(FOLDER.glob("*.safetensors")) for name in _metadata(path, "encoders")]


def _metadata(path: Path, field: str) -> list[str]:
    try:
        with safe_open(path, "np") as file:
            values: list[str] = json.loads((file.metadata() or {})[field])
            return values
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise invalid_weights_error(path, f"is no head for tags ({error}); install lookalike again") from error
