"""lookalike's own weights file: reading, writing and validation.

The file is safetensors. Its tensors are the state of a ``MultiScaleNetwork``: ``backbone.`` and timm's key of the
network for feature maps only, then ``projection.weight`` and ``projection.bias`` if it has a projection.
``colour_bins`` other than 0 need one, whose last columns are the histogram's. ``centre``, which may be missing, is
subtracted from the features before the projection.
Numbers are stored as float16 and used as float32. The metadata has ``format`` (``lookalike-encoder``), ``version``
(``1``) and ``encoder``, a JSON object of the fields of ``Recipe``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from safetensors import SafetensorError, safe_open

from lookalike.encoder.spec import IMAGENET_MEAN, IMAGENET_STD, Fusion, Resize
from lookalike.errors import WeightsInvalidError
from lookalike.storage import sha256_file

if TYPE_CHECKING:
    import torch
    from torch import nn

FORMAT, VERSION = "lookalike-encoder", "1"
_KEYS_NAMED = 4
"""The number of keys that a message names; further ones are only counted."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The description of the network in a weights file; the fields are those of ``EncoderSpec``."""

    backbone: str
    stages: tuple[int, ...]
    fusion: Fusion
    input_size: int
    dimension: int
    resize: Resize = "squash"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    crop_fraction: float = 1.0
    colour_bins: int = 0
    weighted: bool = False


def file_digest(path: Path) -> str:
    """SHA-256 of the file in hexadecimal; raises WeightsInvalidError if it cannot be read."""
    try:
        return sha256_file(path)
    except OSError as error:
        raise invalid_weights_error(path, f"cannot be read ({error.strerror}); check the path") from error


def read_recipe(path: Path) -> Recipe | None:
    """The file's recipe, or None if it is a safetensors file that lookalike did not write.

    Raises WeightsInvalidError for a damaged file, another version, or fields that are missing or invalid.
    """
    try:
        with safe_open(path, "np") as file:  # not "pt", which imports PyTorch
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise invalid_weights_error(path, f"is damaged or no safetensors file ({error}); fetch it again") from error
    if metadata.get("format") != FORMAT:
        return None
    if metadata.get("version") != VERSION:
        raise invalid_weights_error(
            path, f"has version {metadata.get('version')!r} of the format; this lookalike reads {VERSION}"
        )
    return _parse_recipe(path, metadata.get("encoder", ""))


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file, floating ones as float32; raises WeightsInvalidError if damaged."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, OSError) as error:
        raise invalid_weights_error(path, f"is damaged or no safetensors file ({error}); fetch it again") from error
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}


def load_state(network: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Load exactly these tensors into ``network``; WeightsInvalidError names missing, unknown and misshapen ones.

    Only batch norms' counts of training batches, which are not used, may be missing.
    """
    expected_state = {key: tensor for key, tensor in network.state_dict().items() if not _is_count(key)}
    state = {key: tensor for key, tensor in tensors.items() if not _is_count(key)}
    _refuse(path, "lacks", [key for key in expected_state if key not in state])
    _refuse(path, "has unknown", [key for key in state if key not in expected_state])
    misshapen = [key for key, tensor in expected_state.items() if tensor.shape != state[key].shape]
    _refuse(path, "has misshapen", [f"{key} {tuple(state[key].shape)}" for key in misshapen])
    broken = [key for key, tensor in state.items() if not tensor.isfinite().all()]
    _refuse(path, "has infinite or undefined numbers in", broken)
    network.load_state_dict(state, strict=False)


def write_weights(path: Path, network: nn.Module, recipe: Recipe) -> str:
    """Write a network's state as float16 with its recipe; returns the file's SHA-256, the same each time.

    ``network`` is a MultiScaleNetwork whose ``dimension`` is the recipe's. Raises OSError if it cannot be written.
    """
    path.write_bytes(serialize_weights(network.state_dict(), recipe))
    return file_digest(path)


def serialize_weights(state: Mapping[str, torch.Tensor], recipe: Recipe) -> bytes:
    """A weights file's content: the state as float16, without counts of training batches, and its recipe."""
    tensors = {key: tensor.detach().half().contiguous() for key, tensor in state.items() if not _is_count(key)}
    metadata = {"format": FORMAT, "version": VERSION, "encoder": json.dumps(asdict(recipe))}
    return serialize_tensors(tensors, metadata)


def serialize_tensors(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bytes:
    """A safetensors file whose bytes depend on its content only; the library alone orders metadata at random."""
    from safetensors.torch import save

    data = save(tensors, metadata)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = metadata
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8
    return len(text).to_bytes(8, "little") + text + data[end:]


def invalid_weights_error(path: Path, problem: str) -> WeightsInvalidError:
    """The error whose message is "the weights file PATH", followed by ``problem``."""
    return WeightsInvalidError(f"the weights file {path} {problem}", subject=str(path))


def _parse_recipe(path: Path, text: str) -> Recipe:
    try:
        values_by_name: dict[str, Any] = json.loads(text)
        field_names = {field.name for field in fields(Recipe)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in values_by_name.items()
            if key in field_names
        }
        recipe = Recipe(**values)
        invalid_fields = _find_invalid_fields(recipe)
    except (ValueError, TypeError, AttributeError) as error:
        raise invalid_weights_error(path, f"has an unreadable description of its network ({error})") from error
    if invalid_fields:
        raise invalid_weights_error(path, f"has an invalid description of its network: {invalid_fields}")
    return recipe


def _find_invalid_fields(recipe: Recipe) -> str | None:
    checks = {
        "stages": bool(recipe.stages) and all(isinstance(stage, int) and stage >= 0 for stage in recipe.stages),
        "fusion": recipe.fusion in get_args(Fusion),
        "resize": recipe.resize in {"squash", "crop", "pad"},
        "input_size": isinstance(recipe.input_size, int) and recipe.input_size > 0,
        "dimension": isinstance(recipe.dimension, int) and recipe.dimension > 0,
        "mean": len(recipe.mean) == 3,
        "std": len(recipe.std) == 3 and all(value > 0 for value in recipe.std),
        "colour_bins": isinstance(recipe.colour_bins, int) and 0 <= recipe.colour_bins <= 32,
        "crop_fraction": 0 < recipe.crop_fraction <= 1,
        "weighted": isinstance(recipe.weighted, bool) and (recipe.fusion == "moments" or not recipe.weighted),
    }
    wrong = [f"{field} {getattr(recipe, field)}" for field, good in checks.items() if not good]
    return ", ".join(wrong) or None


def _is_count(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _refuse(path: Path, verb: str, keys: list[str]) -> None:
    if keys:
        more = f" and {len(keys) - _KEYS_NAMED} more" if len(keys) > _KEYS_NAMED else ""
        raise invalid_weights_error(path, f"is of another network: it {verb} {', '.join(keys[:_KEYS_NAMED])}{more}")
