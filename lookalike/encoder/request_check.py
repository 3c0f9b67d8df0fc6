"""What may be asked of an encoder, checked before anything is loaded or another process is started.

All that it reads is the registry's table, the record of an installation, and the head of a weights file: a request
that cannot be met costs milliseconds, also in a service that has not loaded PyTorch.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

from lookalike.encoder.int8.artifact import float_name, is_quantised, model_path
from lookalike.encoder.registry import SMALLEST_INPUT, check_input_size
from lookalike.encoder.spec import Fusion
from lookalike.encoder.weights.file_format import read_recipe
from lookalike.encoder.weights.installed import resolve, weights_path
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest


def check_request(request: EncoderRequest, encoders_dir: Path) -> None:
    """Refuse an encoder that is not here, a fusion that there is not, and a size that the network cannot have.

    What only the network itself can say (that it cannot give its maps at a size) is left to who loads it. Raises
    EncoderUnknownError, EncoderNotInstalledError, EncoderOptionsError and WeightsInvalidError.
    """
    if is_quantised(request.name):
        float32 = float_name(request.name)
        if float32 is not None and not model_path(request.name, encoders_dir).exists():
            resolve(float32, encoders_dir)  # nothing could be rounded to get this one
        return
    if request.fusion is not None:
        check_fusion(request.fusion)
    choice = resolve(request.name, encoders_dir)
    path = weights_path(choice, encoders_dir)
    if request.input_size is None or not path.is_file():
        return
    known, recipe = choice.known, read_recipe(path) if path.suffix == ".safetensors" else None
    native = recipe.input_size if recipe else known.input_size if known else None
    if native is not None:
        check_input_size(
            request.input_size,
            native=native,
            smallest=known.smallest_input if known else SMALLEST_INPUT,
            fixed=recipe is None and known is not None and known.input_size_fixed,
        )


def check_fusion(text: str) -> Fusion:
    """``text`` if it is the name of a fusion, else EncoderOptionsError."""
    for fusion in get_args(Fusion):
        if text == fusion:
            return cast(Fusion, fusion)
    raise EncoderOptionsError(
        f"there is no fusion {text!r}; there are: {', '.join(get_args(Fusion))}", subject="fusion"
    )
