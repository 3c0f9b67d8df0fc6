"""Writes a network to a file that other programs run: from a prepared picture's bytes to its unit vector, whole.

The files take (n, S, S, 3) uint8 named ``pictures``, any n, and give (n, D) float32 named ``vectors``.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lookalike.encoder.export.onnx_operators import operator_nodes
from lookalike.encoder.export_formats import PICTURES, VECTORS, Format, description
from lookalike.encoder.network.batchnorm_folding import folded
from lookalike.encoder.network.inference_module import WholeNetwork
from lookalike.encoder.network.multiscale import MultiScaleNetwork
from lookalike.encoder.network.operators import require_operator
from lookalike.encoder.spec import EncoderSpec

OPSET = 18


def export(network: MultiScaleNetwork, spec: EncoderSpec, path: Path, kind: Format) -> None:
    """Write ``network``, which makes vectors as ``spec`` says, to ``path``, and the spec to ``path`` + ``.json``.

    ``onnx`` has standard operators only. ``onnx-operator`` has the fusion as one node of the domain ``lookalike``,
    with a function of the same file that says what it computes; it needs the compiled operators here, else
    OperatorError is raised. ``torchscript`` is for programs that cannot read ONNX; PyTorch no longer develops it.
    Raises OSError as the disk does.
    """
    if kind == "torchscript":
        write_torchscript(network, spec, path)
    else:
        path.write_bytes(onnx_bytes(network, spec, operator=kind == "onnx-operator"))
    path.with_name(f"{path.name}.json").write_text(description(spec, kind), encoding="utf-8")


def onnx_bytes(network: MultiScaleNetwork, spec: EncoderSpec, *, operator: bool = False) -> bytes:
    """The ONNX file's content; arguments and errors as in ``export``.

    Raises RuntimeError for a network that has no such form.
    """
    import onnx

    whole = _prepared(network, spec, plain=not operator)
    model: onnx.ModelProto = _quietly(lambda: _converted(whole, spec, operator))
    _strip(model)
    try:
        onnx.checker.check_model(model, full_check=not operator)
    except onnx.checker.ValidationError as error:
        raise RuntimeError(f"the exported file is not valid ONNX: {error}") from error
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def write_torchscript(network: MultiScaleNetwork, spec: EncoderSpec, path: Path) -> None:
    """Write the network as a frozen TorchScript module, with the formula in place of the operator."""
    whole = _prepared(network, spec, plain=True)

    def write() -> None:
        with torch.inference_mode():
            traced = torch.jit.freeze(torch.jit.trace(whole, (_example(spec),)).eval())  # type: ignore[no-untyped-call]  # untyped in torch
        traced.save(str(path))

    _quietly(write)


def _prepared(network: MultiScaleNetwork, spec: EncoderSpec, *, plain: bool) -> WholeNetwork:
    """A copy to export, so that the caller's network goes on using the operator."""
    if not plain:
        require_operator()
    mine = copy.copy(folded(network, spec.input_size))
    mine.plain = plain
    return WholeNetwork(mine, spec).eval()


def _example(spec: EncoderSpec) -> torch.Tensor:
    size = spec.input_size
    return torch.arange(2 * size * size * 3, dtype=torch.int64).remainder(251).to(torch.uint8).view(2, size, size, 3)


def _converted(whole: nn.Module, spec: EncoderSpec, operator: bool) -> Any:
    nodes = operator_nodes(spec) if operator else None
    program = torch.onnx.export(
        whole,
        (_example(spec),),
        dynamo=True,
        verbose=False,
        opset_version=OPSET,
        input_names=[PICTURES],
        output_names=[VECTORS],
        dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
        custom_translation_table=nodes.table if nodes else {},
    )
    assert program is not None
    model = program.model_proto
    if nodes:
        model.functions.append(nodes.function)
    return model


def _quietly(work: Callable[[], Any]) -> Any:
    """PyTorch's exporters warn and tell of their own doings, which nobody here can change."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _strip(model: Any) -> None:
    """Drop what the exporter notes of the machine and the sources that it ran on."""
    del model.metadata_props[:]
    graph = model.graph
    for holder in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        holder.doc_string = ""
        del holder.metadata_props[:]
