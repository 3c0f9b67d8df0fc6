"""Inference of the student over many pictures: features for the closed form, vectors for the evaluation."""

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

from indexer.train.student import Architecture, Student, normalise_planes
from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.telemetry import import_openvino

BATCH = 16

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Run = Callable[[Iterable[Pixels]], Floats]
"""A function from n pictures (S, S, 3) uint8 to rows (n, d)."""


class _FromBytes(nn.Module):
    """Applies ``function`` to bytes (n, S, S, 3) uint8 after normalisation."""

    def __init__(
        self, network: nn.Module, architecture: Architecture, function: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        super().__init__()
        self.network = network  # registers the network's tensors with this module
        self._architecture, self._function = architecture, function

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        planes = pictures.permute(0, 3, 1, 2).float() / 255.0
        return self._function(normalise_planes(planes, self._architecture))


def feature_runner(student: Student) -> Run:
    """A runner of the student's features before its projection, (n, width), for pictures of its input size."""
    student.eval()
    return _openvino_runner(_FromBytes(student, student.architecture, student.fuse), student.architecture.input_size)


def vector_runner(student: Student) -> Run:
    """A runner of the student's unit vectors, (n, dimension)."""
    student.eval()
    return _openvino_runner(_FromBytes(student, student.architecture, student.forward), student.architecture.input_size)


def embedding_runner(known_encoder: KnownEncoder, weights: Path, architecture: Architecture) -> Run:
    """A runner of a published classifier's embedding, the input of its last layer, at a student's input size.

    ``weights`` is an installed file. The network must have the same normalisation as the student.
    """
    from lookalike.encoder.weights.pretrained import load_classifier

    classifier: Any = load_classifier(known_encoder, weights).eval()

    def embed(planes: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = classifier.forward_head(classifier.forward_features(planes), pre_logits=True)
        return features

    return _openvino_runner(_FromBytes(classifier, architecture, embed), architecture.input_size)


def _openvino_runner(module: nn.Module, size: int) -> Run:
    openvino = import_openvino()
    with warnings.catch_warnings(), torch.inference_mode():
        # Tracing fixes the size, as intended; it is deprecated, but used inside OpenVINO.
        for category in (TracerWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        model = openvino.convert_model(module.eval(), example_input=torch.zeros(1, size, size, 3, dtype=torch.uint8))
    model.reshape([-1, size, size, 3])
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    compiled_model = openvino.compile_model(model, "CPU", settings)
    # Not OpenVINO's AsyncInferQueue: its callbacks enter Python from threads that the destructor of a network waits
    # for, which can deadlock.
    requests = [
        compiled_model.create_infer_request()
        for _ in range(compiled_model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
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
    iterator = iter(pictures)
    while batch := list(islice(iterator, BATCH)):
        yield np.stack(batch)
