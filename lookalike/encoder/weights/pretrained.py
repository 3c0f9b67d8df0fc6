"""Weights as timm and torchvision publish them: a classifier's state, of which the backbone is kept.

timm knows how each of its networks' files are laid out, in the older forms too, so the whole classifier is first
loaded by timm, strictly; the backbone then takes its tensors from there by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import torch
from safetensors import SafetensorError
from torch import nn

from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.encoder.weights.file_format import invalid, load_state, read_tensors

_WRAPPERS = ("model.", "body.", "graph_module.")
"""What timm's ways of giving feature maps put before the classifier's own keys."""


def read_published(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a published file, safetensors or PyTorch's own format, without running code from it.

    Raises WeightsInvalidError for a damaged file or one that is no table of tensors.
    """
    if path.suffix == ".safetensors":
        return read_tensors(path)
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError, ValueError, LookupError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise invalid(path, f"cannot be loaded as plain tensors ({reason})") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(held, Mapping) and isinstance(held.get(wrapper), Mapping):
            held = held[wrapper]
    if not isinstance(held, Mapping) or not all(isinstance(value, torch.Tensor) for value in held.values()):
        raise invalid(path, "holds something else than a table of tensors")
    return dict(held)


def load_published(backbone: nn.Module, known: KnownEncoder, path: Path) -> None:
    """Give ``backbone``, as ``build_backbone`` made it, the published weights in ``path``.

    Raises WeightsInvalidError unless every tensor of the backbone comes from the file.
    """
    raw = read_published(path)
    if known.model == "alexnet":
        state = {key: tensor for key, tensor in raw.items() if not key.startswith("classifier.")}
        load_state(backbone, state, path)
        return
    load_state(backbone, backbone_state(backbone, _load_classifier(known, raw, path)), path)


def load_classifier(known: KnownEncoder, path: Path) -> nn.Module:
    """The whole published classifier of timm's, its last layer included.

    Raises WeightsInvalidError unless every tensor of it comes from the file.
    """
    return _load_classifier(known, read_published(path), path)


def backbone_state(backbone: nn.Module, classifier: nn.Module) -> dict[str, torch.Tensor]:
    """The classifier's tensors under the backbone's keys; a key that the classifier lacks is left out.

    timm's ways of giving feature maps keep the names of the modules but for a word in front and for dots, some of
    which become underscores.
    """
    flat = {key.replace(".", "_"): tensor for key, tensor in classifier.state_dict().items()}
    matched = {}
    for key in backbone.state_dict():
        plain = key
        for wrapper in _WRAPPERS:
            plain = plain.removeprefix(wrapper)
        if (found := flat.get(plain.replace(".", "_"))) is not None:
            matched[key] = found
    return matched


def _load_classifier(known: KnownEncoder, raw: Mapping[str, torch.Tensor], path: Path) -> nn.Module:
    """timm's classifier with every tensor from the file, whatever number of classes it was trained for."""
    ensure_torchvision()
    import timm
    from timm.models import get_pretrained_cfg

    said = get_pretrained_cfg(known.model)
    head = raw.get(f"{said.classifier}.weight")
    errors = []
    for classes in [said.num_classes, 0] if head is None else [head.shape[0]]:
        # Equal numbers here and there keep timm's loading strict; classes 0 is a file without its last layer.
        overlay = {"file": str(path), "num_classes": classes, "label_offset": 0, "custom_load": False}
        try:
            network = timm.create_model(
                known.model, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay
            )
        except (RuntimeError, KeyError, OSError, SafetensorError, ValueError) as error:
            errors.append(error)
            continue
        _check_all_filled(network, raw, path)
        return cast(nn.Module, network)
    raise invalid(path, f"is no {known.name}: {_brief(errors[0])}") from errors[0]


def _check_all_filled(network: nn.Module, raw: Mapping[str, torch.Tensor], path: Path) -> None:
    """Refuse a network with a tensor whose numbers are not in the file: timm loads some networks leniently.

    Keys and shapes may differ from the file's; count, least and greatest number of a tensor survive both.
    """
    known = {_fingerprint(tensor) for tensor in raw.values() if tensor.numel()}
    strangers = [
        key for key, tensor in network.state_dict().items() if tensor.ndim and _fingerprint(tensor) not in known
    ]
    if strangers:
        raise invalid(path, f"is of another network: it lacks {', '.join(strangers[:4])}")


def _fingerprint(tensor: torch.Tensor) -> tuple[int, float, float]:
    least, greatest = torch.aminmax(tensor.float())
    return tensor.numel(), float(least), float(greatest)


def _brief(error: Exception) -> str:
    """The first two lines of torch's report, each cut short: what was wrong, and the first keys."""
    lines = [line.strip()[:200] for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]).rstrip(".")
