"""The encoders of an evaluation: which are asked for, what they weigh, and which are worth their price."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lookalike.api import Encoder
from lookalike.options import EncoderRequest

Price = tuple[float, float, int]


def load_encoders(requests: Sequence[EncoderRequest], encoders_dir: Path) -> list[tuple[Encoder, Path]]:
    """Each encoder with its weights file, those left out that make the same vectors as one before.

    Raises EncoderUnknownError, EncoderNotInstalledError, EncoderOptionsError and WeightsInvalidError.
    """
    loaded: dict[str, tuple[Encoder, Path]] = {}
    for request in requests:
        encoder = Encoder.load(
            request.name, fusion=request.fusion, input_size=request.input_size, encoders_dir=encoders_dir
        )
        loaded.setdefault(encoder.spec.digest, (encoder, weights_file(request.name, encoders_dir)))
    return list(loaded.values())


def weights_file(name: str, encoders_dir: Path) -> Path:
    """The file that an encoder of this name has its weights from."""
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
        not any(other != mine and all(o >= m for o, m in zip(other, mine, strict=True)) for other in gains)
        for mine in gains
    ]
