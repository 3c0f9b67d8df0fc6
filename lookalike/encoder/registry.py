"""Which encoders there are: their names, what network stands behind each, and what its publisher says of it.

A name is ``bundled`` (the network that ships with lookalike), a network (``resnet50``, the same as
``resnet50:hub``: timm's published weights, once installed), or a network and a file
(``resnet50:/path/to/weights.safetensors``). Besides the table below, any network of the installed timm that can
hand out feature maps may be named as timm names it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lookalike.encoder.spec import Resize
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.errors import EncoderOptionsError, EncoderUnknownError

BUNDLED = "bundled"
BUNDLED_INT8 = "bundled-int8"
SMALLEST_INPUT, LARGEST_INPUT, INPUT_STEP = 32, 1024, 16
_RESIZE_RULES: dict[str, Resize] = {"center": "crop", "squash": "squash", "border": "pad"}


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """One network; ``model`` is timm's name with its tag, or ``alexnet``, which torchvision has.

    The tag is pinned, so that a newer timm does not change what a name means. ``stages`` are the feature maps
    that are fused: those at strides 4, 8, 16 and 32 (alexnet: after each convolution); None means the deepest four.
    ``smallest_input`` is the least side in pixels at which every map still has a place.
    """

    name: str
    model: str
    stages: tuple[int, ...] | None = (1, 2, 3, 4)
    smallest_input: int = SMALLEST_INPUT
    aliases: tuple[str, ...] = ()

    @property
    def architecture(self) -> str:
        """The network's name without the tag of its weights."""
        return self.model.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Published:
    """What the publisher of a network's weights says: where they are, and what pictures they were trained on.

    The publisher's interpolation is not here: pictures are always resized by the rule that the spec's
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


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """A parsed name; ``known`` is None for the bundled encoder, whose file says what network it is."""

    text: str
    known: KnownEncoder | None
    weights: Literal["bundled", "hub"] | Path


KNOWN: tuple[KnownEncoder, ...] = (
    KnownEncoder("resnet18", "resnet18.a1_in1k"),
    KnownEncoder("resnet50", "resnet50.a1_in1k"),
    KnownEncoder("resnet101", "resnet101.a1h_in1k"),
    KnownEncoder("efficientnet_b0", "efficientnet_b0.ra_in1k"),
    KnownEncoder("mobilenetv2_100", "mobilenetv2_100.ra_in1k", aliases=("mobilenet_v2", "mobilenetv2")),
    KnownEncoder("convnext_tiny", "convnext_tiny.in12k_ft_in1k", (0, 1, 2, 3)),
    KnownEncoder("convnext_base", "convnext_base.fb_in22k_ft_in1k", (0, 1, 2, 3)),
    KnownEncoder("cspdarknet53", "cspdarknet53.ra_in1k", (2, 3, 4, 5)),
    KnownEncoder("vgg16", "vgg16.tv_in1k", (2, 3, 4, 5)),
    KnownEncoder("inception_v3", "inception_v3.tf_in1k", smallest_input=80, aliases=("inceptionv3",)),
    KnownEncoder("inception_v4", "inception_v4.tf_in1k", smallest_input=80, aliases=("inceptionv4",)),
    KnownEncoder(
        "inception_resnet_v2", "inception_resnet_v2.tf_in1k", smallest_input=80, aliases=("inceptionresnetv2",)
    ),
    KnownEncoder("xception", "legacy_xception.tf_in1k", smallest_input=48, aliases=("legacy_xception",)),
    KnownEncoder("bit_50x1", "resnetv2_50x1_bit.goog_distilled_in1k", aliases=("resnetv2_50x1_bit",)),
    KnownEncoder("bit_50x3", "resnetv2_50x3_bit.goog_in21k_ft_in1k", aliases=("resnetv2_50x3_bit",)),
    KnownEncoder("alexnet", "alexnet", (0, 1, 2, 3, 4), smallest_input=64),
)


def parse(text: str) -> EncoderChoice:
    """What an encoder's name asks for; raises EncoderUnknownError, which lists names that look alike."""
    if text == BUNDLED:
        return EncoderChoice(text, None, "bundled")
    name, _, weights = text.partition(":")
    known = find(name)
    return EncoderChoice(text, known, "hub" if weights in {"", "hub"} else Path(weights))


def find(name: str) -> KnownEncoder:
    """The network of that name, alias, or timm name; raises EncoderUnknownError."""
    folded = name.strip().lower().replace("-", "_")
    for known in KNOWN:
        if folded == known.name or folded in known.aliases:
            return known
    return _of_timm(name)


def published(known: KnownEncoder) -> Published:
    """What the installed timm or torchvision says of a network's weights; imports them."""
    ensure_torchvision()
    if known.model == "alexnet":
        return _published_alexnet()
    from timm.models import get_pretrained_cfg

    said = get_pretrained_cfg(known.model)
    return Published(
        hub=said.hf_hub_id,
        url=None if said.hf_hub_id else said.url,
        licence=said.license,
        input_size=int(said.input_size[-1]),
        input_size_fixed=bool(said.fixed_input_size),
        resize=_RESIZE_RULES[said.crop_mode],
        crop_fraction=float(said.crop_pct),
        mean=_triple(said.mean),
        std=_triple(said.std),
    )


def check_input_size(size: int, *, native: int, smallest: int = SMALLEST_INPUT, fixed: bool = False) -> int:
    """``size`` if a network can have it, else EncoderOptionsError.

    The native size is always good. Another must be a multiple of 16 from ``smallest`` to 1024, so that a typing
    error becomes neither a new kind of vector nor exhausted memory; a network may be bound to its native size.
    """
    if size == native:
        return size
    if fixed:
        raise EncoderOptionsError(
            f"input_size {size} is not possible: this network sees {native} pixels only; leave input_size out",
            subject="input_size",
        )
    if not smallest <= size <= LARGEST_INPUT or size % INPUT_STEP:
        raise EncoderOptionsError(
            f"input_size {size} is not possible: choose {native}, or a multiple of {INPUT_STEP} from {smallest} "
            f"to {LARGEST_INPUT}",
            subject="input_size",
        )
    return size


def _published_alexnet() -> Published:
    from torchvision.models import AlexNet_Weights

    weights = AlexNet_Weights.IMAGENET1K_V1
    said = weights.transforms()
    return Published(
        hub=None,
        url=weights.url,
        licence="bsd-3-clause",
        input_size=said.crop_size[0],
        input_size_fixed=False,
        resize="crop",
        crop_fraction=said.crop_size[0] / said.resize_size[0],
        mean=_triple(said.mean),
        std=_triple(said.std),
    )


def _of_timm(name: str) -> KnownEncoder:
    ensure_torchvision()
    import timm
    from timm.models import get_deprecated_models, get_pretrained_cfg

    architecture = name.partition(".")[0]
    if timm.is_model(architecture) and architecture not in get_deprecated_models():
        try:
            said = get_pretrained_cfg(name)
        except RuntimeError:  # the tag is not one of this network's
            said = None
        if said is not None:
            return KnownEncoder(name, f"{architecture}.{said.tag}" if said.tag else architecture, None)
    ours = [BUNDLED, *(word for known in KNOWN for word in (known.name, *known.aliases))]
    alike = difflib.get_close_matches(name, ours, n=4) or difflib.get_close_matches(
        name, timm.list_models(pretrained=True) + timm.list_models(), n=4
    )
    hint = f"alike are {', '.join(alike)}" if alike else f"there are {', '.join(ours[:6])} and others"
    raise EncoderUnknownError(
        f"there is no encoder {name!r}: {hint}; `python -m indexer encoders` lists them", subject=name
    )


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
