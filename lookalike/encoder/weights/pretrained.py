"""Weights as timm and torchvision publish them: a classifier's state, of which the backbone is used.

timm reads all layouts of its networks' files, also older ones, so the complete classifier is first loaded by timm,
strictly; the backbone then takes its tensors from it by name.
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
from lookalike.encoder.weights.file_format import invalid_weights_error, load_state, read_tensors

_WRAPPERS = ("model.", "body.", "graph_module.")
"""Prefixes that timm's networks for feature maps add to the classifier's keys."""


def read_published(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a published file, safetensors or PyTorch's own format, without running code from it.

    Raises WeightsInvalidError for a damaged file or one with anything but tensors by name.
    """
    if path.suffix == ".safetensors":
        return read_tensors(path)
    _check_format(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError, ValueError, LookupError, AttributeError) as error:
        # PyTorch's own text advises to load it in a way that would run code from the file.
        raise invalid_weights_error(
            path,
            "cannot be loaded as plain tensors: it is damaged or holds other objects; give a state dict of tensors, "
            "saved by torch.save or safetensors",
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise invalid_weights_error(path, "has other content than tensors by name")
    return dict(content)


def _check_format(path: Path) -> None:
    """Raise WeightsInvalidError unless the file begins as what torch.save writes: a zip, or a pickle of old."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise invalid_weights_error(path, f"cannot be read ({error.strerror}); check the path") from error
    if not head.startswith((b"PK", b"\x80")):
        raise invalid_weights_error(
            path, "is no weights file: it is neither safetensors nor what torch.save writes; check the path"
        )


def load_published(backbone: nn.Module, encoder: KnownEncoder, path: Path) -> None:
    """Load the published weights in ``path`` into ``backbone``, which ``build_backbone`` created.

    Raises WeightsInvalidError unless every tensor of the backbone comes from the file.
    """
    raw = read_published(path)
    if encoder.model == "alexnet":
        state = {key: tensor for key, tensor in raw.items() if not key.startswith("classifier.")}
        load_state(backbone, state, path)
        return
    load_state(backbone, backbone_state(backbone, _load_classifier(encoder, raw, path)), path)


def load_classifier(encoder: KnownEncoder, path: Path) -> nn.Module:
    """The complete published classifier of timm's, with its last layer.

    Raises WeightsInvalidError unless every tensor of it comes from the file.
    """
    return _load_classifier(encoder, read_published(path), path)


def backbone_state(backbone: nn.Module, classifier: nn.Module) -> dict[str, torch.Tensor]:
    """The classifier's tensors under the backbone's keys; a key that the classifier lacks is left out.

    timm's networks for feature maps keep the names of the modules, except for a prefix and for dots, some of which
    become underscores.
    """
    flat = {key.replace(".", "_"): tensor for key, tensor in classifier.state_dict().items()}
    state = {}
    for key in backbone.state_dict():
        name = key
        for wrapper in _WRAPPERS:
            name = name.removeprefix(wrapper)
        if (classifier_tensor := flat.get(name.replace(".", "_"))) is not None:
            state[key] = classifier_tensor
    return state


def _load_classifier(encoder: KnownEncoder, raw: Mapping[str, torch.Tensor], path: Path) -> nn.Module:
    """timm's classifier with every tensor from the file, whatever number of classes it was trained for."""
    ensure_torchvision()
    import timm
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(encoder.model)
    head = raw.get(f"{config.classifier}.weight")
    errors = []
    for classes in [config.num_classes, 0] if head is None else [head.shape[0]]:
        # With equal numbers of classes timm loads strictly; 0 classes is a file without its last layer.
        overlay = {"file": str(path), "num_classes": classes, "label_offset": 0, "custom_load": False}
        try:
            network = timm.create_model(
                encoder.model, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay
            )
        except (RuntimeError, KeyError, OSError, SafetensorError, ValueError) as error:
            errors.append(error)
            continue
        _check_all_filled(network, raw, path)
        return cast(nn.Module, network)
    raise invalid_weights_error(path, f"is no {encoder.name}: {_brief(errors[0])}") from errors[0]


def _check_all_filled(network: nn.Module, raw: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise WeightsInvalidError if a tensor's numbers are not in the file: timm does not load all networks strictly.

    Keys and shapes may differ from the file's; the count, the least and the greatest number of a tensor do not.
    """
    file_fingerprints = {_fingerprint(tensor) for tensor in raw.values() if tensor.numel()}
    unknown_keys = [
        key
        for key, tensor in network.state_dict().items()
        if tensor.ndim and _fingerprint(tensor) not in file_fingerprints
    ]
    if unknown_keys:
        raise invalid_weights_error(path, f"is of another network: it lacks {', '.join(unknown_keys[:4])}")


def _fingerprint(tensor: torch.Tensor) -> tuple[int, float, float]:
    least, greatest = torch.aminmax(tensor.float())
    return tensor.numel(), float(least), float(greatest)


def _brief(error: Exception) -> str:
    """The first two lines of PyTorch's error, each shortened: the problem, and the first keys."""
    lines = [line.strip()[:200] for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]).rstrip(".")
