"""Makes an int8 network of an exported one: its convolutions in whole numbers, all that decides a direction in float.

The rounding is static, fitted on pictures that the caller gives: a step a weight's channel, a step an activation
("QDQ", as ONNX Runtime writes it and OpenVINO reads it). Only the backbone's convolutions are rounded, with the sums
and maxima between them. The fusion, the colours, the projection and the norm stay float32: rounded, they would move
every vector towards its neighbours and off unit length.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.encoder.base import RGB
from lookalike.encoder.export_formats import PICTURES
from lookalike.encoder.telemetry import import_onnxruntime

CONVOLUTION = "Conv"
BETWEEN = frozenset({"Relu", "Add", "MaxPool", "Clip"})
"""What may stand between two convolutions and goes on in whole numbers."""

FLOAT_CONVOLUTIONS = 3
"""The first convolutions have few weights and channels, and all that follows sees their rounding. With these three in
float32 the error of the encoder in the box halves (mean cosine .9958 instead of .9923) for a tenth of the time."""

LARGE_TABLE = 10_000
"""From so many numbers on a float32 table is worth a cast."""


def quantise_model(model: bytes, batches: Iterable[RGB]) -> bytes:
    """The int8 form of an exported network, an ONNX file's content, its ranges those of ``batches``.

    ``batches`` are prepared pictures (n, S, S, 3) uint8, a few hundred in all and of all kinds that will be asked for.
    Raises ValueError for a network without a convolution.
    """
    import onnx

    quantization = import_onnxruntime("quantization")
    nodes = backbone_nodes(onnx.load_model_from_string(model).graph)
    with tempfile.TemporaryDirectory(prefix="lookalike-int8-") as folder, _quiet():
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(model)
        quantization.quantize_static(
            source,
            target,
            _reader(batches),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=False,  # 7 bits would fit the 16 that processors without VNNI add in, at four times the error
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_quantize=nodes,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},  # the mean of the batches' ranges, not the one outlier's
        )
        return store_as_halves(target.read_bytes())


def store_as_halves(model: bytes) -> bytes:
    """The same network in a smaller file: large float32 tables whose numbers are all float16 ones are stored as such.

    A cast at the network's start makes float32 of them again, so no vector changes. Weights files hold float16 numbers,
    and what is not rounded to int8 (the projection above all) is most of an int8 network's file.
    """
    import onnx
    from onnx import helper, numpy_helper

    network = onnx.load_model_from_string(model)
    graph = network.graph
    casts = []
    for table in [table for table in graph.initializer if table.data_type == onnx.TensorProto.FLOAT]:
        numbers = numpy_helper.to_array(table)
        with np.errstate(over="ignore"):
            halves = numbers.astype(np.float16)
        if numbers.size < LARGE_TABLE or not np.array_equal(halves.astype(np.float32), numbers):
            continue
        name = table.name
        table.CopyFrom(numpy_helper.from_array(halves, f"{name}.float16"))
        casts.append(helper.make_node("Cast", [table.name], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    content: bytes = network.SerializeToString(deterministic=True)
    return content


def backbone_nodes(graph: Any) -> list[str]:
    """Names of the nodes that are rounded: the convolutions, and what passes their numbers on among themselves.

    The first ``FLOAT_CONVOLUTIONS`` are not, if there are more. Raises ValueError if there is no convolution.
    """
    rounded: dict[str, str] = {}  # a node's output, and the node's name
    convolutions = [node.name for node in graph.node if node.op_type == CONVOLUTION]
    float_nodes = set(convolutions[:FLOAT_CONVOLUTIONS]) if len(convolutions) > FLOAT_CONVOLUTIONS else set()
    for node in graph.node:
        if node.name in float_nodes:
            continue
        passes_on = node.op_type in BETWEEN and bool(node.input) and node.input[0] in rounded
        if node.op_type == "Add":
            passes_on = all(given in rounded for given in node.input)
        if node.op_type == CONVOLUTION or passes_on:
            rounded[node.output[0]] = node.name
    if not rounded:
        raise ValueError("it has no convolution that int8 could make faster")
    return list(rounded.values())


def _reader(batches: Iterable[RGB]) -> Any:
    reader: Any = import_onnxruntime("quantization").CalibrationDataReader

    class Reader(reader):  # type: ignore[misc]  # untyped in onnxruntime
        """Returns the batches, one for each call."""

        def __init__(self, source: Iterator[RGB]) -> None:
            self._source = source

        def get_next(self) -> dict[str, RGB] | None:
            """The next batch under the input's name; None at the end."""
            batch = next(self._source, None)
            return None if batch is None else {PICTURES: batch}

    return Reader(iter(batches))


@contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime recommends a preparation that the exporter has done already."""
    logger = logging.getLogger()
    before = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
