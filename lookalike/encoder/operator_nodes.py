"""The compiled operators as ONNX nodes of the domain ``lookalike``, and what such a node computes, in standard ones.

A runtime that knows the node may run it in its own way; any other runs the function that is in the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from onnxscript.values import Opset

from lookalike.encoder.formats import DOMAIN, FUSE, LEAST_LENGTH, MOMENTS, VARIANCE_FLOOR, VERSION
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import EncoderOptionsError

_OPSET = 18


@dataclass(frozen=True)
class OperatorNodes:
    """``table`` translates PyTorch's operators for its exporter; ``function`` belongs into the exported model."""

    table: dict[Any, Callable[..., Any]]
    function: onnx.FunctionProto


def operator_nodes(spec: EncoderSpec) -> OperatorNodes:
    """The node that the fusion of ``spec`` becomes; raises EncoderOptionsError for a fusion without an operator."""
    if spec.fusion not in {"moments", "mean"}:
        raise EncoderOptionsError(
            f"the fusion {spec.fusion!r} has no operator of its own: export with --format onnx", subject="format"
        )
    _register()
    opset = Opset(DOMAIN, VERSION)

    def moments(maps: Sequence[Any]) -> Any:
        return opset.MultiScaleMoments(*maps)

    def fuse(maps: Sequence[Any], dimension: int, normalize: bool = True) -> Any:
        return opset.MultiScaleFuse(*maps, dimension=dimension, normalize=int(normalize))

    operators = torch.ops.lookalike
    table: dict[Any, Callable[..., Any]] = {
        operators.multiscale_moments.default: moments,
        operators.multiscale_fuse.default: fuse,
    }
    stages = range(len(spec.channels))
    text = moments_text(stages) if spec.fusion == "moments" else fuse_text(spec.channels, normalize=not spec.projection)
    return OperatorNodes(table, onnx.parser.parse_function(text))


def moments_text(stages: Sequence[int]) -> str:
    """``MultiScaleMoments``: each stage's means, then its standard deviations, the stages side by side."""
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
    parts = ", ".join(f"mean{stage}, deviation{stage}" for stage in stages)
    lines.append(f"vectors = Concat <axis = 1> ({parts})")
    return _function(MOMENTS, "", stages, lines)


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
    fused = "fused" if normalize else "vectors"
    lines.append(f"{fused} = Mean ({', '.join(f'wide{stage}' for stage in range(len(channels)))})")
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


def _register() -> None:
    """Tell onnx what the nodes look like, once; its checker and PyTorch's exporter want to know."""
    if onnx.defs.has(MOMENTS, VERSION, DOMAIN):
        return
    schema = onnx.defs.OpSchema
    several = schema.FormalParameter("maps", "T", param_option=schema.FormalParameterOption.Variadic, min_arity=1)
    types = [("T", ["tensor(float)"], "")]
    answer = [schema.FormalParameter("vectors", "T")]
    integer = schema.AttrType.INT
    settings = [schema.Attribute("dimension", integer), schema.Attribute("normalize", integer)]
    for name, attributes in ((MOMENTS, []), (FUSE, settings)):
        onnx.defs.register_schema(
            schema(
                name, DOMAIN, VERSION, inputs=[several], outputs=answer, type_constraints=types, attributes=attributes
            )
        )
