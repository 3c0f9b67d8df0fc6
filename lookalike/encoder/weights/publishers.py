"""What publishers say about their networks, from the installed timm and torchvision; reading it imports PyTorch.

A service never reads it: what it needs about an installed network is in the registry's table or in the record of the
installation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lookalike.encoder.registry import KnownEncoder, find_known, unknown_encoder
from lookalike.encoder.spec import Resize
from lookalike.encoder.torchvision_shim import ensure_torchvision

_RESIZE_RULES: dict[str, Resize] = {"center": "crop", "squash": "squash", "border": "pad"}
_TIMM_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?")
_ADVICE = "`python -m indexer encoders` lists them"


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """A publisher's description of a network's weights: where they are, and how their input is prepared.

    The publisher's interpolation is left out: pictures are always resized by the rule that the spec's
    ``decoder`` names. ``hub`` is a repository on the hub, ``url`` a file elsewhere; at most one of them is set.
    """

    hub: str | None
    url: str | None
    licence: str | None
    input_size: int
    input_size_fixed: bool
    resize: Resize
    crop_fraction: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def find_network(name: str) -> KnownEncoder:
    """The network of that name or alias in the registry's table, or else of that name in timm.

    Raises EncoderUnknownError, which lists similar names.
    """
    return find_known(name) or _find_in_timm(name)


def find_published(encoder: KnownEncoder) -> PublishedWeights:
    """The publisher's description of a network's weights; raises EncoderUnknownError if timm lacks the network."""
    ensure_torchvision()
    if encoder.model == "alexnet":
        return _published_alexnet()
    config = _timm_config(encoder.model)
    return PublishedWeights(
        hub=config.hf_hub_id,
        url=None if config.hf_hub_id else config.url,
        licence=config.license,
        input_size=int(config.input_size[-1]),
        input_size_fixed=bool(config.fixed_input_size),
        resize=_RESIZE_RULES[config.crop_mode],
        crop_fraction=float(config.crop_pct),
        mean=_triple(config.mean),
        std=_triple(config.std),
    )


def _published_alexnet() -> PublishedWeights:
    from torchvision.models import AlexNet_Weights

    weights = AlexNet_Weights.IMAGENET1K_V1
    transforms = weights.transforms()
    return PublishedWeights(
        hub=None,
        url=weights.url,
        licence="bsd-3-clause",
        input_size=transforms.crop_size[0],
        input_size_fixed=False,
        resize="crop",
        crop_fraction=transforms.crop_size[0] / transforms.resize_size[0],
        mean=_triple(transforms.mean),
        std=_triple(transforms.std),
    )


def _find_in_timm(name: str) -> KnownEncoder:
    config = _timm_config(name)
    architecture = name.partition(".")[0]
    return KnownEncoder(
        name,
        f"{architecture}.{config.tag}" if config.tag else architecture,
        stages=None,
        input_size=int(config.input_size[-1]),
        input_size_fixed=bool(config.fixed_input_size),
        licence=config.license,
    )


def _timm_config(name: str) -> Any:
    """timm's configuration of a network's weights; raises EncoderUnknownError."""
    if not _TIMM_NAME.fullmatch(name):
        raise unknown_encoder(name, (), _ADVICE)
    ensure_torchvision()
    import timm
    from timm.models import get_deprecated_models, get_pretrained_cfg

    architecture = name.partition(".")[0]
    config = None
    if timm.is_model(architecture) and architecture not in get_deprecated_models():
        try:
            config = get_pretrained_cfg(name)
        except RuntimeError:  # the tag is not one of this network's
            config = None
    if config is None:
        raise unknown_encoder(name, timm.list_models(pretrained=True) + timm.list_models(), _ADVICE)
    return config


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
