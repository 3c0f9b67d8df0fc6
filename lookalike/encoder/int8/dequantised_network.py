"""An int8 network in PyTorch, each of its whole numbers as the float32 one that it stands for.

For explanations of an int8 encoder whose float32 form is not part of lookalike. Its activations are not rounded, so
that its vectors differ from the int8 ones by what that rounding does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.encoder.int8.float_arithmetic import in_float_arithmetic
from lookalike.encoder.spec import EncoderSpec

if TYPE_CHECKING:
    import torch

    from lookalike.encoder.network.multiscale import MultiScaleNetwork

_PREFIX = "network."
_SUFFIXES = ("_DequantizeLinear_Output", ".float16")
"""What the quantisation adds to the name of a parameter: the exporter keeps PyTorch's names."""


def load_dequantised(model: Path, spec: EncoderSpec) -> MultiScaleNetwork:
    """The network of the int8 file ``model``, whose vectors are as ``spec`` says, ready for inference.

    Raises WeightsInvalidError for a file that is of another network.
    """
    from lookalike.encoder.network.batchnorm_folding import fold_batchnorm
    from lookalike.encoder.network.colour_histogram import Colours
    from lookalike.encoder.network.multiscale import MultiScaleNetwork, build_backbone
    from lookalike.encoder.weights.file_format import load_state

    tensors = read_parameters(model)
    backbone, channels = build_backbone(spec.backbone, spec.stages)
    network = MultiScaleNetwork(
        backbone,
        channels,
        spec.fusion,
        spec.dimension if spec.projection else None,
        Colours(spec.colour_bins, spec.mean, spec.std) if spec.colour_bins else None,
        "centre" in tensors,
        spec.weighted,
    )
    network = fold_batchnorm(network.eval().requires_grad_(requires_grad=False), spec.input_size)  # as for the export
    load_state(network, tensors, model)
    return network


def read_parameters(model: Path) -> dict[str, torch.Tensor]:
    """The parameters of an int8 file by their names in PyTorch, float32."""
    import onnx
    import torch
    from onnx import numpy_helper

    network = onnx.load_model_from_string(in_float_arithmetic(model.read_bytes()))
    parameters: dict[str, torch.Tensor] = {}
    for table in network.graph.initializer:
        if table.name.startswith(_PREFIX) and not table.name.endswith((".least", ".most")):
            name = table.name.removeprefix(_PREFIX)
            for suffix in _SUFFIXES:
                name = name.removesuffix(suffix)
            parameters[name] = torch.tensor(numpy_helper.to_array(table)).float()
    return parameters
