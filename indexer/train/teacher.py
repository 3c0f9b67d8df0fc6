"""The old teacher: a small ImageNet network, rebuilt from the arrays and the graph in its ``.npz`` file.

Earlier bundled encoders were distilled from its pooled embedding; the table of figures has it as a baseline. The
network was converted from an 8-bit TensorFlow Lite file, hence TensorFlow's padding and the clamp of every output to
the range of its 8-bit form.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.jit._trace import TracerWarning
from torch.nn import functional

from indexer.train.pool import squash
from lookalike.encoder.telemetry import import_openvino
from lookalike.errors import SourceNotFoundError, WeightsInvalidError

Floats = npt.NDArray[np.float32]
Runtime = Literal["openvino", "torch"]
Run = Callable[[Floats], tuple[Floats, Floats]]

INPUT_SIZE = 224
POOLING = frozenset({"average_pool_2d", "mean"})


def same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one side of ``length`` under TensorFlow's SAME rule; an odd one goes after.

    The output has ceil(length / stride) places, so max((ceil(length / stride) - 1) * stride + kernel - length, 0)
    zeros are needed (TensorFlow, documentation of ``tf.nn``, "Notes on padding").
    """
    places = -(-length // stride)
    total = max((places - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


class Teacher(nn.Module):
    """The graph up to its class scores. ``forward`` takes scaled pixels, (n, 3, h, w) float32.

    It returns the pooled embedding (n, e) and the scores (n, c), both float32.
    """

    def __init__(self, arrays: dict[str, Floats], graph: dict[str, Any]) -> None:
        super().__init__()
        self.scale = float(graph["input_scale"])
        self.zero = float(graph["input_zero"])
        self._input: str = graph["input"]
        self._nodes = _nodes_to_scores(graph["nodes"])
        for node in self._nodes:
            for name in node["inputs"]:
                if name in arrays and not hasattr(self, name):
                    self.register_buffer(name, torch.from_numpy(arrays[name]))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = {self._input: pixels}
        embedding = pixels
        for node in self._nodes:
            result = self._result(node, values)
            if node["activation"] == "relu":
                result = functional.relu(result)
            low, high = node["range"]
            result = result.clamp(low, high)
            values[node["output"]] = result
            if node["op"] in POOLING:
                embedding = result
        return embedding.flatten(1), result.flatten(1)

    def scale_pixels(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Scale (n, h, w, 3) uint8 RGB to the (n, 3, h, w) float32 input of ``forward``."""
        planes = pixels.transpose(0, 3, 1, 2).astype(np.float32)
        return (planes - np.float32(self.zero)) * np.float32(self.scale)

    def _result(self, node: dict[str, Any], values: dict[str, torch.Tensor]) -> torch.Tensor:
        inputs = values[node["inputs"][0]]
        if node["op"] == "add":
            return inputs + values[node["inputs"][1]]
        if node["op"] in POOLING:
            return inputs.mean(dim=(2, 3), keepdim=True)
        weight, bias = (self.get_buffer(name) for name in node["inputs"][1:3])
        stride = node["stride"]
        if node["padding"] == "same":
            top, bottom = same_padding(inputs.shape[2], weight.shape[2], stride[0])
            left, right = same_padding(inputs.shape[3], weight.shape[3], stride[1])
            inputs = functional.pad(inputs, (left, right, top, bottom))
        groups = inputs.shape[1] // weight.shape[1]
        return functional.conv2d(inputs, weight, bias, stride=tuple(stride), groups=groups)


def _nodes_to_scores(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The nodes up to the convolution after the pooling; raises WeightsInvalidError for a graph without it."""
    prefix: list[dict[str, Any]] = []
    is_pooled = False
    for node in nodes:
        if node["op"] not in {"conv_2d", "depthwise_conv_2d", "add", *POOLING}:
            break
        prefix.append(node)
        if is_pooled:
            return prefix
        is_pooled = node["op"] in POOLING
    raise WeightsInvalidError("the teacher's graph has no pooling followed by a convolution; use the original file")


def load_teacher(path: Path) -> Teacher:
    """Load the teacher from the ``.npz`` file at ``path``; raises SourceNotFoundError without the file."""
    if not path.is_file():
        message = f"there is no teacher at {path}; name its .npz file with --teacher"
        raise SourceNotFoundError(message, subject=str(path))
    with np.load(path) as archive:
        graph = json.loads(bytes(archive["graph_json"]))
        arrays = {name: archive[name] for name in archive.files if archive[name].dtype == np.float32}
    return Teacher(arrays, graph).eval()


def make_runner(teacher: Teacher, runtime: Runtime, size: int = INPUT_SIZE) -> Run:
    """Make a function from scaled pixels (n, 3, size, size) to embedding and scores; OpenVINO is faster than torch."""
    if runtime == "torch":

        def run_torch(pixels: Floats) -> tuple[Floats, Floats]:
            with torch.inference_mode():
                planes = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
                embedding, scores = teacher(planes)
            return embedding.numpy(), scores.numpy()

        return run_torch
    openvino = import_openvino()
    with warnings.catch_warnings():
        # Tracing fixes the padding to this size, as intended; it is deprecated, but used inside OpenVINO.
        for category in (TracerWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        model = openvino.convert_model(teacher, example_input=torch.zeros(1, 3, size, size))
    model.reshape([-1, 3, size, size])
    compiled_model = openvino.compile_model(model, "CPU")

    def run_openvino(pixels: Floats) -> tuple[Floats, Floats]:
        embedding, scores = compiled_model([pixels]).to_tuple()
        return embedding.copy(), scores.copy()

    return run_openvino


def embed(teacher: Teacher, pictures: Iterable[Image.Image], run: Run, batch: int = 16) -> tuple[Floats, Floats]:
    """Compute embeddings (n, e) and scores (n, c) of ``pictures``, each resized to the teacher's 224 × 224 px."""
    results = [run(teacher.scale_pixels(stack)) for stack in _stacks(pictures, batch)]
    return np.concatenate([embedding for embedding, _ in results]), np.concatenate([scores for _, scores in results])


def embed_pixels(teacher: Teacher, pixels: npt.NDArray[np.uint8], run: Run, batch: int = 16) -> Floats:
    """Compute embeddings (n, e) of ``pixels`` (n, 224, 224, 3) uint8."""
    starts = range(0, len(pixels), batch)
    return np.concatenate([run(teacher.scale_pixels(pixels[start : start + batch]))[0] for start in starts])


def _stacks(pictures: Iterable[Image.Image], batch: int) -> Iterator[npt.NDArray[np.uint8]]:
    iterator = iter(pictures)
    while squares := [squash(picture, INPUT_SIZE) for picture in islice(iterator, batch)]:
        yield np.stack(squares)
