"""Writes a network to a file for other programs: all steps from a prepared picture's bytes to its unit vector.

The files take (n, S, S, 3) uint8 named ``pictures``, any n, and give (n, D) float32 named ``vectors``.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lookalike.encoder.export.onnx_operators import operator_nodes
from lookalike.encoder.export_formats import PICTURES, VECTORS, Format, description
from lookalike.encoder.network.batchnorm_folding import fold_batchnorm
from lookalike.encoder.network.inference_module import InferenceModule
from lookalike.encoder.network.multiscale import MultiScaleNetwork
from lookalike.encoder.network.operators import require_operator
from lookalike.encoder.spec import EncoderSpec

OPSET = 18


def export(network: MultiScaleNetwork, spec: EncoderSpec, path: Path, kind: Format) -> None:
    """Write ``network``, described by ``spec``, to ``path``, and the spec to ``path`` + ``.json``.

    ``onnx`` has standard operators only. ``onnx-operator`` has the fusion as one node of the domain ``lookalike``,
    with a function of the same file that says what it computes; it needs the compiled operators here, else
    OperatorError is raised. ``torchscript`` is for programs that cannot read ONNX; PyTorch no longer develops it.
    Raises OSError if a file cannot be written.
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

    module = _inference_module(network, spec, plain=not operator)
    model: onnx.ModelProto = _without_warnings(lambda: _to_onnx(module, spec, operator))
    _strip_metadata(model)
    try:
        onnx.checker.check_model(model, full_check=not operator)
    except onnx.checker.ValidationError as error:
        raise RuntimeError(f"the exported file is not valid ONNX: {error}") from error
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def write_torchscript(network: MultiScaleNetwork, spec: EncoderSpec, path: Path) -> None:
    """Write the network as a frozen TorchScript module, with the formula in place of the operator."""
    network_module = _inference_module(network, spec, plain=True)

    def write() -> None:
        with torch.inference_mode():
            module = torch.jit.freeze(torch.jit.trace(network_module, (_example(spec),)).eval())  # type: ignore[no-untyped-call]  # untyped in torch
        module.save(str(path))

    _without_warnings(write)


def _inference_module(network: MultiScaleNetwork, spec: EncoderSpec, *, plain: bool) -> InferenceModule:
    """A copy to export, so that the caller's network keeps using the operator."""
    if not plain:
        require_operator()
    own_network = copy.copy(fold_batchnorm(network, spec.input_size))
    own_network.plain = plain
    return InferenceModule(own_network, spec).eval()


def _example(spec: EncoderSpec) -> torch.Tensor:
    size = spec.input_size
    return torch.arange(2 * size * size * 3, dtype=torch.int64).remainder(251).to(torch.uint8).view(2, size, size, 3)


def _to_onnx(module: nn.Module, spec: EncoderSpec, operator: bool) -> Any:
    nodes = operator_nodes(spec) if operator else None
    with _out_of_place(module):
        program = torch.onnx.export(
            module,
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


@contextmanager
def _out_of_place(module: nn.Module) -> Iterator[None]:
    """Activations make new tensors meanwhile: of those in place the exporter makes the same, and takes half again."""
    activations = [part for part in module.modules() if getattr(part, "inplace", False)]
    for activation in activations:
        activation.inplace = False  # type: ignore[assignment]  # untyped in torch
    try:
        yield
    finally:
        for activation in activations:
            activation.inplace = True  # type: ignore[assignment]


def _without_warnings(work: Callable[[], Any]) -> Any:
    """Call ``work`` without the warnings and log lines of PyTorch's exporters, which no caller can act on."""
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


def _strip_metadata(model: Any) -> None:
    """Remove the exporter's notes about the machine and the source files."""
    del model.metadata_props[:]
    graph = model.graph
    for entry in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        entry.doc_string = ""
        del entry.metadata_props[:]
