"""What an exported file is: its formats, the names of its ends and nodes, and the description that goes with it."""

from __future__ import annotations

import json
from typing import Literal

from lookalike.encoder.spec import EncoderSpec

Format = Literal["onnx", "onnx-operator", "torchscript"]
PICTURES, VECTORS = "pictures", "vectors"
DOMAIN, VERSION = "lookalike", 1
MOMENTS, FUSE = "MultiScaleMoments", "MultiScaleFuse"
"""The nodes of our own, in ONNX files of the format ``onnx-operator``: what they are called, and their version."""

VARIANCE_FLOOR, LEAST_LENGTH = 1e-6, 1e-12
"""What is added to a variance, and the minimum length of a divisor; the same numbers as in ``ext/csrc``."""

LEAST_ENERGY, LARGEST_ENERGY = 1e-12, 1e37
"""The totals of energies between which places are weighted by them; the same numbers as in ``ext/csrc``."""


def description(spec: EncoderSpec, kind: Format) -> str:
    """What somebody who runs an exported file must know, as JSON."""
    size = spec.input_size
    fields = {
        "format": kind,
        "input": {"name": PICTURES, "shape": ["n", size, size, 3], "type": "uint8", "channels": "RGB"},
        "output": {"name": VECTORS, "shape": ["n", spec.dimension], "type": "float32", "length": 1},
        "digest": spec.digest,
        "spec": spec.to_dict(),
    }
    return json.dumps(fields, indent=2) + "\n"
