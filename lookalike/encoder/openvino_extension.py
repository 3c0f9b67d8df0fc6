"""What lets OpenVINO run a file of the format ``onnx-operator``, whose node of the domain ``lookalike`` it cannot know.

Either of two, added to OpenVINO's ``Core`` before the file is read: ``path()`` is a compiled library that computes the
node with the same code as lookalike does in PyTorch; ``conversions()`` replaces the node by standard operations.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.encoder.formats import DOMAIN, FUSE, LEAST_LENGTH, MOMENTS, VARIANCE_FLOOR
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
        said = library.lookalike_openvino_version
    except (OSError, AttributeError) as error:
        raise _unusable(f"cannot be used with OpenVINO {installed} ({error})") from error
    said.restype = ctypes.c_char_p
    wanted = said().decode()
    if wanted != installed:
        raise _unusable(f"is for OpenVINO {wanted}, and {installed} is installed")
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
    parts = []
    for stage in range(node.get_input_size()):
        mean = ops.reduce_mean(node.get_input(stage), axes, keep_dims=True)
        apart = ops.squared_difference(node.get_input(stage), mean)
        variance = ops.reduce_mean(apart, axes, keep_dims=False)
        deviation = ops.sqrt(ops.add(variance, _real(VARIANCE_FLOOR)))
        parts += [ops.squeeze(mean, axes), deviation]
    outputs: list[Any] = ops.concat(parts, 1).outputs()
    return outputs


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
