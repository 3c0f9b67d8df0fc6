"""What an exported file is: its formats, the names of its ends, and the description that goes with it."""

from __future__ import annotations

import json
from typing import Literal

from lookalike.encoder.spec import EncoderSpec

Format = Literal["onnx", "onnx-operator", "torchscript"]
PICTURES, VECTORS = "pictures", "vectors"


def description(spec: EncoderSpec, kind: Format) -> str:
    """What somebody who runs an exported file must know, as JSON."""
    size = spec.input_size
    said = {
        "format": kind,
        "input": {"name": PICTURES, "shape": ["n", size, size, 3], "type": "uint8", "channels": "RGB"},
        "output": {"name": VECTORS, "shape": ["n", spec.dimension], "type": "float32", "length": 1},
        "digest": spec.digest,
        "spec": spec.to_dict(),
    }
    return json.dumps(said, indent=2) + "\n"
