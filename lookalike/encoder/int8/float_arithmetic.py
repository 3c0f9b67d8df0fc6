"""An int8 network for processors whose eight-bit products overflow: the same weights, in float32 arithmetic.

An int8 network rounds each activation to one of 256 steps and back (QuantizeLinear, DequantizeLinear). The rounding
needs the eight-bit arithmetic to pay; what must stay of it is that it clips, for exporters drop an activation function
whose bounds the clipping already gives (ReLU6 of EfficientNet-Lite). With each pair replaced by a Clip at the bounds of
the rounded range and the weights written as float32, the vectors of ``bundled-int8`` keep a cosine of .9992 and more to
those in exact eight-bit arithmetic, and a picture takes two thirds of the time that ONNX Runtime needs for the rounded
network in float32. (OpenVINO can be told to leave an int8 network in float32 too, but then some of the networks that it
compiles for two streams give wrong vectors.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lookalike.storage import write_atomically

FILE = "float32-1.onnx"
"""The number rises when ``in_float_arithmetic`` writes another network, so that an older file is not taken for it."""


def float_form(model: Path, folder: Path | None) -> Path | bytes:
    """The float32 form of the int8 network in the file ``model``: ``folder / FILE``, written if it is not there yet.

    Without a folder, or where it cannot be written, its content: the file only saves making it again.
    """
    if folder is not None and (folder / FILE).is_file():
        return folder / FILE
    content = in_float_arithmetic(model.read_bytes())
    if folder is None:
        return content
    try:
        write_atomically(folder / FILE, content)
    except OSError:
        return content
    return folder / FILE


def in_float_arithmetic(model: bytes) -> bytes:
    """The content of an ONNX file with each rounding of an activation replaced by its clipping, and float32 weights."""
    import onnx
    from onnx import helper, numpy_helper

    network = onnx.load_model_from_string(model)
    graph = network.graph
    tables = {table.name: table for table in graph.initializer}
    rounded = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
    nodes = []

    def number_table(name: str) -> Any:
        return numpy_helper.to_array(tables[name]) if name in tables else None

    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            continue
        if node.op_type != "DequantizeLinear":
            nodes.append(node)
            continue
        (output,) = node.output
        numbers, scale, zero_point = (number_table(name) for name in node.input)
        if numbers is not None:
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            weights = dequantised(numbers, scale, zero_point, axis)
            graph.initializer.append(numpy_helper.from_array(weights, output))
            continue
        names = [f"{output}.least", f"{output}.most"]
        for name, bound in zip(names, clip_bounds(scale, zero_point), strict=True):
            graph.initializer.append(numpy_helper.from_array(bound, name))
        nodes.append(helper.make_node("Clip", [rounded[node.input[0]].input[0], *names], [output], f"{output}.clip"))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    for table in [table for table in graph.initializer if table.name not in used]:
        graph.initializer.remove(table)
    content: bytes = network.SerializeToString(deterministic=True)
    return content


def dequantised(numbers: Any, scale: Any, zero_point: Any, axis: int) -> Any:
    """The float32 numbers that whole ``numbers`` stand for: ``(numbers - zero_point) * scale``, a scale for each
    position of ``axis``, or one for all (ONNX's DequantizeLinear)."""
    shape = [1] * numbers.ndim
    if scale.ndim:
        shape[axis] = -1
    zero = zero_point.astype(np.int64).reshape(shape)
    return ((numbers.astype(np.int64) - zero) * scale.reshape(shape).astype(np.float32)).astype(np.float32)


def clip_bounds(scale: Any, zero_point: Any) -> tuple[Any, Any]:
    """The least and the greatest number that a whole number of ``zero_point``'s type stands for, as float32 scalars."""
    whole = np.iinfo(zero_point.dtype)
    step, zero = float(scale), int(zero_point)
    return np.array((whole.min - zero) * step, np.float32), np.array((whole.max - zero) * step, np.float32)
