"""An encoder whose exported network another program runs: what OpenVINO and ONNX Runtime have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import numpy as np

from lookalike.encoder import preprocess
from lookalike.encoder.base import RGB, Evidence, ImageEncoder, Vectors
from lookalike.encoder.spec import EncoderSpec

LARGEST_CHUNK = 8
"""Pictures that one core works on at once: more are no faster, and need more memory."""


class NetworkRunner(Protocol):
    """Runs an exported network; safe to call from several threads."""

    @property
    def version(self) -> str:
        """What runs it, and its version."""

    def run(self, batch: RGB) -> Vectors:
        """The vectors (n, D) of a batch (n, S, S, 3) uint8, n at least 1, which it divides among the cores."""


class ExportedEncoder:
    """Adapter of the port ``ImageEncoder``. A batch is divided among the cores, at most 8 pictures at once on each.

    The exported network gives vectors only. What explains a pair is the network itself in PyTorch, which is loaded
    when the first pair is to be explained.
    """

    def __init__(
        self, spec: EncoderSpec, runner: NetworkRunner, *, reason: str, reference: Callable[[], ImageEncoder]
    ) -> None:
        """``reason`` says why this runner runs it; ``reference`` loads the network in PyTorch."""
        self._spec = spec
        self._runner = runner
        self._reason = reason
        self._load_reference = reference
        self._reference: ImageEncoder | None = None

    @property
    def spec(self) -> EncoderSpec:
        """What a vector of this encoder means."""
        return self._spec

    @property
    def runtime(self) -> str:
        """What runs the network, its version, and why that."""
        return f"{self._runner.version}, {self._reason}"

    def prepare(self, image: RGB) -> RGB:
        """See the port."""
        return preprocess.prepare(image, self._spec)

    def forward(self, batch: RGB) -> Vectors:
        """See the port; raises VectorsInvalidError for another shape or dtype."""
        preprocess.check_batch(batch, self._spec.input_size)
        if len(batch) == 0:
            return np.empty((0, self._spec.dimension), np.float32)
        return self._runner.run(np.ascontiguousarray(batch))

    def explain(self, first: RGB, second: RGB) -> Evidence:
        """See the port. The first call takes seconds: it loads PyTorch.

        The exported network's score differs from PyTorch's by rounding; the difference is added to the rests.
        """
        for picture in (first, second):
            preprocess.check_batch(np.asarray(picture)[None], self._spec.input_size)
        vectors = self.forward(np.stack([first, second]))
        if self._reference is None:  # two threads at once may load it twice, which is harmless
            self._reference = self._load_reference()
        evidence = self._reference.explain(first, second)
        score = float(np.clip(vectors[0] @ vectors[1], -1, 1))
        difference = score - evidence.score
        rests = (evidence.rests[0] + difference, evidence.rests[1] + difference)
        return dataclasses.replace(evidence, score=score, rests=rests)


def split_batch(batch: RGB, workers: int) -> list[RGB]:
    """A batch in equal parts, as many as workers, or more, so that none has more than ``LARGEST_CHUNK`` pictures."""
    parts = max(min(workers, len(batch)), -(-len(batch) // LARGEST_CHUNK))
    return np.array_split(batch, parts)
