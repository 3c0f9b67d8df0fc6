"""The compiled operators as ONNX nodes of the domain ``lookalike``, each with a function of standard operators.

A runtime that implements the node may run it in its own way; any other runs the function in the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from onnxscript.values import Opset

from lookalike.encoder.export_formats import (
    DOMAIN,
    FUSE,
    LARGEST_ENERGY,
    LEAST_ENERGY,
    LEAST_LENGTH,
    MOMENTS,
    VARIANCE_FLOOR,
    VERSION,
)
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderOptionsError

_OPSET = 18


@dataclass(frozen=True)
class OperatorNodes:
    """``table`` translates PyTorch's operators for its exporter; ``function`` is to be added to the exported model."""

    table: dict[Any, Callable[..., Any]]
    function: onnx.FunctionProto


def operator_nodes(spec: EncoderSpec) -> OperatorNodes:
    """The node that the fusion of ``spec`` becomes; raises EncoderOptionsError for a fusion without an operator."""
    if spec.fusion not in {"moments", "mean"}:
        raise EncoderOptionsError(
            f"the fusion {spec.fusion!r} has no operator of its own: export with --format onnx", subject="format"
        )
    _register_schemas()
    opset = Opset(DOMAIN, VERSION)

    def moments(maps: Sequence[Any], weighted: bool = False) -> Any:
        return opset.MultiScaleMoments(*maps, **({"weighted": 1} if weighted else {}))

    def fuse(maps: Sequence[Any], dimension: int, normalize: bool = True) -> Any:
        return opset.MultiScaleFuse(*maps, dimension=dimension, normalize=int(normalize))

    operators = torch.ops.lookalike
    table: dict[Any, Callable[..., Any]] = {
        operators.multiscale_moments.default: moments,
        operators.multiscale_fuse.default: fuse,
    }
    if spec.fusion == "moments":
        stages = range(len(spec.channels))
        text = weighted_moments_text(stages) if spec.weighted else moments_text(stages)
    else:
        text = fuse_text(spec.channels, normalize=not spec.projection)
    return OperatorNodes(table, onnx.parser.parse_function(text))


def moments_text(stages: Sequence[int]) -> str:
    """``MultiScaleMoments``: each stage's means, then its standard deviations, the stages concatenated."""
    lines = ["axes = Constant <value = int64[2] {2, 3}> ()"]
    lines.append(f"floor = Constant <value = float {{{VARIANCE_FLOOR}}}> ()")
    for stage in stages:
        lines += [
            f"mean{stage} = ReduceMean <keepdims = 0> (map{stage}, axes)",
            f"wide{stage} = ReduceMean <keepdims = 1> (map{stage}, axes)",
            f"apart{stage} = Sub (map{stage}, wide{stage})",
            f"square{stage} = Mul (apart{stage}, apart{stage})",
            f"variance{stage} = ReduceMean <keepdims = 0> (square{stage}, axes)",
            f"above{stage} = Add (variance{stage}, floor)",
            f"deviation{stage} = Sqrt (above{stage})",
        ]
    lines.append(_concat_line(stages))
    return _function(MOMENTS, "", stages, lines)


def weighted_moments_text(stages: Sequence[int]) -> str:
    """``MultiScaleMoments`` with the attribute ``weighted``: the same with the weights of ``place_weights``.

    The sizes of the maps are read when the function runs, so that it works for all sizes.
    """
    deepest = stages[-1]
    lines = [
        "across = Constant <value = int64[1] {1}> ()",
        "places = Constant <value = int64[2] {1, 2}> ()",
        "axes = Constant <value = int64[2] {2, 3}> ()",
        "zero = Constant <value = int64 {0}> ()",
        "one = Constant <value = int64 {1}> ()",
        f"floor = Constant <value = float {{{VARIANCE_FLOOR}}}> ()",
        f"least = Constant <value = float {{{LEAST_ENERGY}}}> ()",
        f"largest = Constant <value = float {{{LARGEST_ENERGY}}}> ()",
        f"energies{deepest} = ReduceSumSquare <keepdims = 0> (map{deepest}, across)",
        *_normalise_lines(deepest),
    ]
    for stage in stages:
        if stage != deepest:
            lines += [
                *_index_lines("rows", 2, stage, deepest),
                *_index_lines("columns", 3, stage, deepest),
                f"spread{stage} = Gather <axis = 1> (weights{deepest}, rows{stage})",
                f"energies{stage} = Gather <axis = 2> (spread{stage}, columns{stage})",
                *_normalise_lines(stage),
            ]
        lines += [
            f"shares{stage} = Unsqueeze (weights{stage}, across)",
            f"part{stage} = Mul (map{stage}, shares{stage})",
            f"mean{stage} = ReduceSum <keepdims = 0> (part{stage}, axes)",
            f"wide{stage} = ReduceSum <keepdims = 1> (part{stage}, axes)",
            f"apart{stage} = Sub (map{stage}, wide{stage})",
            f"square{stage} = Mul (apart{stage}, apart{stage})",
            f"share{stage} = Mul (square{stage}, shares{stage})",
            f"variance{stage} = ReduceSum <keepdims = 0> (share{stage}, axes)",
            f"above{stage} = Add (variance{stage}, floor)",
            f"deviation{stage} = Sqrt (above{stage})",
        ]
    lines.append(_concat_line(stages))
    return _function(MOMENTS, " <weighted>", stages, lines)


def _normalise_lines(stage: int) -> list[str]:
    """The weights of a stage's places, in proportion to their energies."""
    return [
        f"total{stage} = ReduceSum <keepdims = 1> (energies{stage}, places)",
        f"divisor{stage} = Clip (total{stage}, least, largest)",
        f"divided{stage} = Div (energies{stage}, divisor{stage})",
        f"size{stage} = Shape <start = 1> (energies{stage})",
        f"product{stage} = ReduceProd <keepdims = 0> (size{stage})",
        f"count{stage} = Cast <to = {onnx.TensorProto.FLOAT}> (product{stage})",
        f"alike{stage} = Reciprocal (count{stage})",
        f"enough{stage} = Greater (total{stage}, least)",
        f"bounded{stage} = Less (total{stage}, largest)",
        f"usable{stage} = And (enough{stage}, bounded{stage})",
        f"weights{stage} = Where (usable{stage}, divided{stage}, alike{stage})",
    ]


def _index_lines(name: str, axis: int, stage: int, deepest: int) -> list[str]:
    """For each row (axis 2) or column (axis 3) of a stage, the index of the deepest map's over it."""
    length = f"{name}_length"
    return [
        f"{length}{stage}_shape = Shape <start = {axis}, end = {axis + 1}> (map{stage})",
        f"{length}{stage} = Squeeze ({length}{stage}_shape)",
        f"{length}{stage}_deepest = Shape <start = {axis}, end = {axis + 1}> (map{deepest})",
        f"{name}{stage}_all = Range (zero, {length}{stage}, one)",
        f"{name}{stage}_times = Mul ({name}{stage}_all, {length}{stage}_deepest)",
        f"{name}{stage} = Div ({name}{stage}_times, {length}{stage})",
    ]


def _concat_line(stages: Sequence[int]) -> str:
    parts = ", ".join(f"mean{stage}, deviation{stage}" for stage in stages)
    return f"vectors = Concat <axis = 1> ({parts})"


def fuse_text(channels: Sequence[int], *, normalize: bool) -> str:
    """``MultiScaleFuse``: the mean of the stages, each repeated to the width of the widest, and its norm."""
    width = max(channels)
    lines = ["axes = Constant <value = int64[2] {2, 3}> ()", "axis = Constant <value = int64[1] {1}> ()"]
    for stage, count in enumerate(channels):
        source = ", ".join(str(place * count // width) for place in range(width))
        lines += [
            f"mean{stage} = ReduceMean <keepdims = 0> (map{stage}, axes)",
            f"source{stage} = Constant <value = int64[{width}] {{{source}}}> ()",
            f"wide{stage} = Gather <axis = 1> (mean{stage}, source{stage})",
        ]
    mean_name = "fused" if normalize else "vectors"
    lines.append(f"{mean_name} = Mean ({', '.join(f'wide{stage}' for stage in range(len(channels)))})")
    if normalize:
        lines += [
            "length = ReduceL2 <keepdims = 1> (fused, axis)",
            f"least = Constant <value = float {{{LEAST_LENGTH}}}> ()",
            "divisor = Max (length, least)",
            "vectors = Div (fused, divisor)",
        ]
    return _function(FUSE, " <dimension, normalize>", range(len(channels)), lines)


def _function(name: str, attributes: str, stages: Sequence[int], lines: Sequence[str]) -> str:
    inputs = ", ".join(f"map{stage}" for stage in stages)
    body = "\n".join(f"  {line}" for line in lines)
    head = f'<domain: "{DOMAIN}", opset_import: ["": {_OPSET}]>'
    return f"{head}\n{name}{attributes} ({inputs}) => (vectors)\n{{\n{body}\n}}"


def _register_schemas() -> None:
    """Register the schemas of the nodes once, for onnx's checker and PyTorch's exporter."""
    if onnx.defs.has(MOMENTS, VERSION, DOMAIN):
        return
    schema = onnx.defs.OpSchema
    maps = schema.FormalParameter("maps", "T", param_option=schema.FormalParameterOption.Variadic, min_arity=1)
    types = [("T", ["tensor(float)"], "")]
    outputs = [schema.FormalParameter("vectors", "T")]
    integer = schema.AttrType.INT
    moments_attributes = [schema.Attribute("weighted", integer, required=False)]  # 0 if it is left out
    fuse_attributes = [schema.Attribute("dimension", integer), schema.Attribute("normalize", integer)]
    for name, attributes in ((MOMENTS, moments_attributes), (FUSE, fuse_attributes)):
        onnx.defs.register_schema(
            schema(name, DOMAIN, VERSION, inputs=[maps], outputs=outputs, type_constraints=types, attributes=attributes)
        )
