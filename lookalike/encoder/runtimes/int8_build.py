"""Makes int8 encoders of float32 ones, and opens what was made so that it can be measured."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

from lookalike.encoder.base import RGB, ImageEncoder
from lookalike.encoder.int8.artifact import SUFFIX, Origin, Quantised
from lookalike.encoder.int8.quantise import quantised
from lookalike.encoder.runtimes.exported import ExportedEncoder
from lookalike.encoder.runtimes.selection import Wanted, exported, kept_export, made_pictures, open_engine


def float_encoder(wanted: Wanted) -> ImageEncoder:
    """The encoder that an int8 one is to be made of, as its export runs; raises what ``load_chosen`` raises."""
    return exported(kept_export(wanted, wanted.torch), "onnxruntime", "to be quantised", wanted.torch)


def quantise(wanted: Wanted, batches: Iterable[RGB], model: Path) -> tuple[Quantised, ImageEncoder]:
    """Write the int8 form of an encoder to ``model``; returns what it is, not yet measured, and the encoder itself.

    ``batches`` are pictures that the encoder prepared, as in ``lookalike.encoder.int8.quantise``, with its errors.
    """
    kept = kept_export(wanted, wanted.torch)
    content = quantised(kept.model.read_bytes(), batches)
    model.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    spec = dataclasses.replace(kept.spec, name=wanted.name + SUFFIX, precision="int8", weights_digest=digest)
    encoder = ExportedEncoder(spec, open_engine("onnxruntime", model, None), reason="just made", reference=wanted.torch)
    check = encoder.forward(made_pictures(spec.input_size))
    return Quantised(model, spec, Origin(wanted.name, wanted.fusion, wanted.input_size), check, {}), encoder
