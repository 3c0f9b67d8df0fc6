"""What lets OpenVINO run a file of the format ``onnx-operator``, whose node of the domain ``lookalike`` it cannot know.

Either of two, added to OpenVINO's ``Core`` before the file is read: ``path()`` is a compiled library that computes the
node with the same code as lookalike does in PyTorch; ``conversions()`` replaces the node by standard operations.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.encoder.export_formats import (
    DOMAIN,
    FUSE,
    LARGEST_ENERGY,
    LEAST_ENERGY,
    LEAST_LENGTH,
    MOMENTS,
    VARIANCE_FLOOR,
)
from lookalike.encoder.telemetry import import_openvino
from lookalike.errors import OperatorError

_LIBRARY = Path(__file__).resolve().parent.parent / "_openvino.abi3.so"


def path() -> Path:
    """The compiled extension: ``core.add_extension(path())``; a C++ program gives the same file to ``ov::Core``.

    It fits one version of OpenVINO, that which it was compiled with. A node is computed by one thread, that of the
    stream which comes to it. Maps are float32, whatever precision OpenVINO was asked for.

    Raises:
        OperatorError: it was not compiled here, or for another OpenVINO than the one that is installed.
    """
    installed = str(import_openvino().get_version()).partition("-")[0]
    if not _LIBRARY.is_file():
        raise _unusable("is not there: it is compiled where OpenVINO was installed before lookalike was")
    try:
        library = ctypes.CDLL(str(_LIBRARY))
        version_function = library.lookalike_openvino_version
    except (OSError, AttributeError) as error:
        raise _unusable(f"cannot be used with OpenVINO {installed} ({error})") from error
    version_function.restype = ctypes.c_char_p
    compiled_version = version_function().decode()
    if compiled_version != installed:
        raise _unusable(f"is for OpenVINO {compiled_version}, and {installed} is installed")
    return _LIBRARY


def conversions() -> list[Any]:
    """Extensions that replace the nodes by standard operations: ``core.add_extension(conversions())``.

    For every version of OpenVINO and without anything compiled, in Python only. The vectors are the same but for
    rounding.
    """
    conversion = import_openvino("frontend.onnx").ConversionExtension
    return [conversion(MOMENTS, DOMAIN, _moments), conversion(FUSE, DOMAIN, _fuse)]


def _moments(node: Any) -> list[Any]:
    """Each stage's means, then its standard deviations, the stages side by side."""
    ops = import_openvino().opset13
    axes = _whole(2, 3)
    maps = [node.get_input(stage) for stage in range(node.get_input_size())]
    # Files from before there were weights do not have the attribute.
    weights = _place_weights(maps) if node.get_attribute("weighted", 0) else [None] * len(maps)
    parts = []
    for numbers, shares in zip(maps, weights, strict=True):
        mean = _average(numbers, shares)
        variance = _average(ops.squared_difference(numbers, mean), shares)
        deviation = ops.sqrt(ops.add(variance, _real(VARIANCE_FLOOR)))
        parts += [ops.squeeze(mean, axes), ops.squeeze(deviation, axes)]
    outputs: list[Any] = ops.concat(parts, 1).outputs()
    return outputs


def _average(numbers: Any, shares: Any | None) -> Any:
    """The mean (n, C, 1, 1) over the places, or the sum of their weighted shares."""
    ops = import_openvino().opset13
    if shares is None:
        return ops.reduce_mean(numbers, _whole(2, 3), keep_dims=True)
    return ops.reduce_sum(ops.multiply(numbers, shares), _whole(2, 3), keep_dims=True)


def _place_weights(maps: Sequence[Any]) -> list[Any]:
    """The weights (n, 1, H, W) of the places of each map, by the formula of ``network.place_weights``."""
    ops = import_openvino().opset13
    deepest = _normalise(ops.reduce_sum(ops.multiply(maps[-1], maps[-1]), _whole(1), keep_dims=True))
    weights = []
    for stage in maps[:-1]:
        rows = ops.gather(deepest, _indices(stage, deepest, 2), _whole(2))
        weights.append(_normalise(ops.gather(rows, _indices(stage, deepest, 3), _whole(3))))
    return [*weights, deepest]


def _normalise(energies: Any) -> Any:
    ops = import_openvino().opset13
    total = ops.reduce_sum(energies, _whole(2, 3), keep_dims=True)
    least, largest = _real(LEAST_ENERGY), _real(LARGEST_ENERGY)
    count = ops.convert(ops.reduce_prod(_sizes(energies, 2, 3), _whole(0), keep_dims=False), "f32")
    divided = ops.divide(energies, ops.minimum(ops.maximum(total, least), largest))
    usable = ops.logical_and(ops.greater(total, least), ops.less(total, largest))
    return ops.select(usable, divided, ops.divide(_real(1.0), count))


def _indices(stage: Any, deepest: Any, axis: int) -> Any:
    """For each row (axis 2) or column (axis 3) of a map, which one of the deepest map lies over it."""
    ops = import_openvino().opset13
    length, above = (ops.squeeze(_sizes(maps, axis), _whole(0)) for maps in (stage, deepest))
    zero, step = (ops.constant(np.int64(value)) for value in (0, 1))
    return ops.divide(ops.multiply(ops.range(zero, length, step, "i64"), above), length)


def _sizes(maps: Any, *axes: int) -> Any:
    ops = import_openvino().opset13
    return ops.gather(ops.shape_of(maps, "i64"), _whole(*axes), _whole(0))


def _fuse(node: Any) -> list[Any]:
    """The mean of the stages, each repeated to the dimension asked for, and its norm if that was asked for."""
    ops = import_openvino().opset13
    dimension = int(node.get_attribute("dimension"))
    fused = None
    for stage in range(node.get_input_size()):
        maps = node.get_input(stage)
        channels = maps.get_partial_shape()[1].get_length()
        mean = ops.reduce_mean(maps, _whole(2, 3), keep_dims=False)
        wide = ops.gather(mean, _whole(*(place * channels // dimension for place in range(dimension))), _whole(1))
        fused = wide if fused is None else ops.add(fused, wide)
    mean = ops.divide(fused, _real(node.get_input_size()))
    if node.get_attribute("normalize"):
        length = ops.sqrt(ops.reduce_sum(ops.multiply(mean, mean), _whole(1), keep_dims=True))
        mean = ops.divide(mean, ops.maximum(length, _real(LEAST_LENGTH)))
    outputs: list[Any] = mean.outputs()
    return outputs


def _whole(*values: int) -> Any:
    return import_openvino().opset13.constant(np.array(values, np.int64))


def _real(value: float) -> Any:
    return import_openvino().opset13.constant(np.float32(value))


def _unusable(why: str) -> OperatorError:
    return OperatorError(
        f"{_LIBRARY} {why}: run `make install` to compile it, or add openvino_extension.conversions() instead, which "
        f"every OpenVINO can run",
        subject=str(_LIBRARY),
    )
