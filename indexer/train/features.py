"""Runs the student over many pictures without gradients: features for the closed form, vectors for the evaluation."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.jit._trace import TracerWarning

from indexer.train.student import Architecture, Student, normalised
from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.telemetry import import_openvino

BATCH = 16

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Run = Callable[[Iterable[Pixels]], Floats]
"""Rows (n, d) for n pictures (S, S, 3) uint8."""


class _FromBytes(nn.Module):
    """``function`` of normalised pictures, called on their bytes (n, S, S, 3) uint8."""

    def __init__(
        self, network: nn.Module, architecture: Architecture, function: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        super().__init__()
        self.network = network  # so that the network's tensors are this module's
        self._architecture, self._function = architecture, function

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        planes = pictures.permute(0, 3, 1, 2).float() / 255.0
        return self._function(normalised(planes, self._architecture))


def feature_runner(student: Student) -> Run:
    """Gives the student's features before its projection, (n, width), of pictures at its input size."""
    student.eval()
    return _openvino_runner(_FromBytes(student, student.architecture, student.fused), student.architecture.input_size)


def vector_runner(student: Student) -> Run:
    """Gives the student's unit vectors, (n, dimension)."""
    student.eval()
    return _openvino_runner(_FromBytes(student, student.architecture, student.forward), student.architecture.input_size)


def embedding_runner(known: KnownEncoder, weights: Path, architecture: Architecture) -> Run:
    """Gives a published classifier's embedding, what its last layer sees, at a student's size.

    ``weights`` are installed ones. The network must want the same normalisation as that student.
    """
    from lookalike.encoder.weights.pretrained import load_classifier

    classifier: Any = load_classifier(known, weights).eval()

    def embed(planes: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = classifier.forward_head(classifier.forward_features(planes), pre_logits=True)
        return features

    return _openvino_runner(_FromBytes(classifier, architecture, embed), architecture.input_size)


def _openvino_runner(module: nn.Module, size: int) -> Run:
    openvino = import_openvino()
    with warnings.catch_warnings(), torch.inference_mode():
        # Tracing fixes the size, which is wanted, and is deprecated, which is OpenVINO's to mend.
        for category in (TracerWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        model = openvino.convert_model(module.eval(), example_input=torch.zeros(1, size, size, 3, dtype=torch.uint8))
    model.reshape([-1, size, size, 3])
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(model, "CPU", settings)
    # OpenVINO's own queue calls back into Python from threads that a network waits for when it is dropped, and the two
    # can wait for each other for ever.
    requests = [
        compiled.create_infer_request() for _ in range(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    ]

    def run(pictures: Iterable[Pixels]) -> Floats:
        rows: list[Floats] = []
        idle, busy = deque(requests), deque[Any]()

        def end_oldest() -> None:
            request = busy.popleft()
            request.wait()
            rows.append(np.array(request.get_output_tensor(0).data, np.float32))
            idle.append(request)

        for batch in _batches(pictures):
            if not idle:
                end_oldest()
            request = idle.popleft()
            tensor = request.get_input_tensor(0)
            tensor.shape = batch.shape
            np.copyto(tensor.data, batch)
            request.start_async()
            busy.append(request)
        while busy:
            end_oldest()
        return np.concatenate(rows)

    return run


def _batches(pictures: Iterable[Pixels]) -> Iterator[Pixels]:
    turn = iter(pictures)
    while chunk := list(islice(turn, BATCH)):
        yield np.stack(chunk)
