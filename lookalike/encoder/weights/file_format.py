"""lookalike's own weights file: what is in it, how it is written, and every way in which one may be wrong.

The file is safetensors. Its tensors are the state of a ``MultiScaleNetwork``: ``backbone.`` and timm's key of the
network that gives feature maps only, then ``projection.weight`` and ``projection.bias`` if it has a projection.
``colour_bins`` other than 0 need one, whose last columns are the histogram's. ``centre``, which may be missing, is
taken off the features before the projection.
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
"""How many offending keys a message names before it only counts them."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a weights file says of its network; the fields mean what they mean in ``EncoderSpec``."""

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
        raise invalid(path, f"cannot be read ({error.strerror}); check the path") from error


def read_recipe(path: Path) -> Recipe | None:
    """What the file says of its network, or None if it is a safetensors file that lookalike did not write.

    Raises WeightsInvalidError for a damaged file, another version, or fields that are missing or make no sense.
    """
    try:
        with safe_open(path, "np") as file:  # not "pt", which imports PyTorch
            said = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise invalid(path, f"is damaged or no safetensors file ({error}); fetch it again") from error
    if said.get("format") != FORMAT:
        return None
    if said.get("version") != VERSION:
        raise invalid(path, f"has version {said.get('version')!r} of the format; this lookalike reads {VERSION}")
    return _parse_recipe(path, said.get("encoder", ""))


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file, floating ones as float32; raises WeightsInvalidError if damaged."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, OSError) as error:
        raise invalid(path, f"is damaged or no safetensors file ({error}); fetch it again") from error
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}


def load_state(network: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Give ``network`` exactly these tensors; WeightsInvalidError names what is missing, too many or misshapen.

    Only counts of training batches, which nothing uses, may be missing.
    """
    wanted = {key: tensor for key, tensor in network.state_dict().items() if not _is_count(key)}
    given = {key: tensor for key, tensor in tensors.items() if not _is_count(key)}
    _refuse(path, "lacks", [key for key in wanted if key not in given])
    _refuse(path, "has unknown", [key for key in given if key not in wanted])
    misshapen = [key for key, tensor in wanted.items() if tensor.shape != given[key].shape]
    _refuse(path, "has misshapen", [f"{key} {tuple(given[key].shape)}" for key in misshapen])
    broken = [key for key, tensor in given.items() if not tensor.isfinite().all()]
    _refuse(path, "has infinite or undefined numbers in", broken)
    network.load_state_dict(given, strict=False)


def write_weights(path: Path, network: nn.Module, recipe: Recipe) -> str:
    """Write a network's state as float16 with its recipe; returns the file's SHA-256, the same each time.

    ``network`` is a MultiScaleNetwork whose ``dimension`` is the recipe's. Raises OSError as the disk does.
    """
    path.write_bytes(serialize_weights(network.state_dict(), recipe))
    return file_digest(path)


def serialize_weights(state: Mapping[str, torch.Tensor], recipe: Recipe) -> bytes:
    """A weights file's content: the state as float16, without counts of training batches, and its recipe."""
    tensors = {key: tensor.detach().half().contiguous() for key, tensor in state.items() if not _is_count(key)}
    metadata = {"format": FORMAT, "version": VERSION, "encoder": json.dumps(asdict(recipe))}
    return serialized(tensors, metadata)


def serialized(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> bytes:
    """A safetensors file whose bytes depend on nothing but its content: its writer alone orders metadata at random."""
    from safetensors.torch import save

    data = save(tensors, metadata)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = metadata
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + data[end:]


def invalid(path: Path, what: str) -> WeightsInvalidError:
    """The error that says that the weights file ``what``."""
    return WeightsInvalidError(f"the weights file {path} {what}", subject=str(path))


def _parse_recipe(path: Path, text: str) -> Recipe:
    try:
        said: dict[str, Any] = json.loads(text)
        known = {field.name for field in fields(Recipe)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in said.items() if key in known
        }
        recipe = Recipe(**values)
        complaint = _complaint(recipe)
    except (ValueError, TypeError, AttributeError) as error:
        raise invalid(path, f"says something unreadable of its network ({error})") from error
    if complaint:
        raise invalid(path, f"says something impossible of its network: {complaint}")
    return recipe


def _complaint(recipe: Recipe) -> str | None:
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
        raise invalid(path, f"is of another network: it {verb} {', '.join(keys[:_KEYS_NAMED])}{more}")
