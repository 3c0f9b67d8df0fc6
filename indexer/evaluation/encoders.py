"""The encoders of an evaluation: loading them, their weights files, and the Pareto set of quality and cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lookalike.api import Encoder
from lookalike.options import EncoderRequest

Price = tuple[float, float, int]


def load_encoders(requests: Sequence[EncoderRequest], encoders_dir: Path) -> list[tuple[Encoder, Path]]:
    """Load each encoder, with the path of its weights file; duplicates that make the same vectors are left out.

    Raises EncoderUnknownError, EncoderNotInstalledError, EncoderOptionsError and WeightsInvalidError.
    """
    encoders_by_digest: dict[str, tuple[Encoder, Path]] = {}
    for request in requests:
        encoder = Encoder.load(
            request.name, fusion=request.fusion, input_size=request.input_size, encoders_dir=encoders_dir
        )
        encoders_by_digest.setdefault(encoder.spec.digest, (encoder, weights_file(request.name, encoders_dir)))
    return list(encoders_by_digest.values())


def weights_file(name: str, encoders_dir: Path) -> Path:
    """The weights file of an encoder by its name."""
    from lookalike.encoder.int8.artifact import is_quantised, model_path
    from lookalike.encoder.weights.installed import resolve, weights_path

    if is_quantised(name):
        return model_path(name, encoders_dir)
    return weights_path(resolve(name, encoders_dir), encoders_dir)


def pareto(prices: Sequence[Price]) -> list[bool]:
    """For each (mean average precision, milliseconds, numbers) whether it is in the Pareto set.

    It is unless another is better or equal in all three, and better in one: more precision, fewer milliseconds, fewer
    numbers.
    """
    gains = [(precision, -milliseconds, -numbers) for precision, milliseconds, numbers in prices]
    return [
        not any(rival != own and all(r >= o for r, o in zip(rival, own, strict=True)) for rival in gains)
        for own in gains
    ]
