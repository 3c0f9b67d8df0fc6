"""Makes int8 encoders of float32 ones, and opens them for measuring."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.encoder.int8.artifact import SUFFIX, Quantised
from lookalike.encoder.int8.quantise import quantise_model
from lookalike.encoder.runtimes.benchmark import synthetic_pictures
from lookalike.encoder.runtimes.exported import ExportedEncoder
from lookalike.encoder.runtimes.onnxruntime_runtime import OnnxRuntimeRunner
from lookalike.encoder.runtimes.selection import find_or_make_export, open_export
from lookalike.encoder.runtimes.torch_runtime import torch_loader
from lookalike.options import EncoderRequest


def float_encoder(request: EncoderRequest, encoders_dir: Path) -> ImageEncoder:
    """The encoder that an int8 one is to be made of, as its export runs; raises what ``load_on_runtime`` raises."""
    reference = torch_loader(request, encoders_dir)
    export = find_or_make_export(request, encoders_dir, reference)
    return open_export(export, "onnxruntime", "to be quantised", reference)


def quantise(
    request: EncoderRequest, encoders_dir: Path, batches: Iterable[RGB], model: Path
) -> tuple[Quantised, ImageEncoder]:
    """Write the int8 form of an encoder to ``model``; returns what it is, not yet measured, and the encoder itself.

    ``batches`` are pictures that the encoder prepared, as in ``lookalike.encoder.int8.quantise``, with its errors. The
    encoder multiplies exactly, so that neither its check vectors nor what is measured of it depend on this processor.
    """
    reference = torch_loader(request, encoders_dir)
    export = find_or_make_export(request, encoders_dir, reference)
    content = quantise_model(export.model.read_bytes(), batches)
    model.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    name = request.name.partition(":")[0] + SUFFIX
    spec = dataclasses.replace(export.spec, name=name, precision="int8", weights_digest=digest)
    runner = OnnxRuntimeRunner(model, exact_products=True)
    encoder = ExportedEncoder(spec, runner, reason="just made", reference=reference)
    check = encoder.forward(synthetic_pictures(spec.input_size))
    return Quantised(model, spec, request, check, {}), encoder
