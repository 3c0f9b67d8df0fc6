"""What a vector means: the full recipe from pixels to numbers, its digest, and how two recipes differ."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from lookalike.short_repr import ShortRepr

Fusion = Literal["mean", "concat", "last", "moments"]
Resize = Literal["squash", "crop", "pad"]
Precision = Literal["float32", "int8"]

FULL, SCALED = "pillow-bilinear", "scaled-bilinear"
DECODERS = (FULL, SCALED)
"""What may make pixels of a file; see ``EncoderSpec``."""

NETWORK_DECODER = SCALED
"""What makes pixels of a file for all networks that are not int8 already; those say it themselves."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, repr=False)
class EncoderSpec(ShortRepr):
    """Everything that decides a vector; two vectors may be compared only if their specs have the same digest.

    ``backbone`` is a timm model name or ``alexnet``. ``stages`` are the indices of the backbone's feature maps that
    are fused and ``channels`` their widths. ``fusion`` is ``mean``, ``concat``, ``last`` or ``moments``. ``projection``
    says whether a learnt affine step stands before the norm. ``dimension`` is the length of a vector. ``input_size`` is
    the side in pixels of the square that the network sees; ``resize`` is how a picture becomes that square: squashed,
    cropped at the centre after its shorter side was brought to ``input_size / crop_fraction``, or padded.
    ``mean`` and ``std`` normalise RGB on 0..1. ``decoder`` names the rule that made pixels of the file:
    ``pillow-bilinear`` decodes all of them, ``scaled-bilinear`` as many as ``decode_side`` asks for; either is followed
    by bilinear resizing, which averages where it shrinks.
    ``weights_digest`` is the SHA-256 of the weights file. ``colour_bins`` is how many boxes a colour channel has in the
    histogram that the projection sees beside the fusion, 0 for none. ``precision`` is that of the network's arithmetic;
    the weights of an ``int8`` network are its quantised file. ``weighted`` says whether a place of a feature map counts
    by the energy, the squared length, of the deepest map's vector there (fusion ``moments`` only), or all places count
    alike.
    """

    name: str
    backbone: str
    stages: tuple[int, ...]
    channels: tuple[int, ...]
    fusion: Fusion
    projection: bool
    dimension: int
    input_size: int
    resize: Resize
    crop_fraction: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights_digest: str
    decoder: str = FULL
    colour_bins: int = 0
    precision: Precision = "float32"
    weighted: bool = False

    @property
    def decode_side(self) -> int | None:
        """The least number of pixels that the shorter side of a decoded picture must keep; None for all of them.

        Twice what the network sees: the last step to the square is then an average over two pixels or more each way,
        which hides how the file was brought to that size.
        """
        if self.decoder != SCALED:
            return None
        return math.ceil(2 * self.input_size / (self.crop_fraction if self.resize == "crop" else 1.0))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all fields but ``name``, which is only what people call it."""
        fields = self.to_dict()
        del fields["name"]
        if not self.colour_bins:
            del fields["colour_bins"]  # so that recipes from before there was one keep their digests
        if self.precision == "float32":
            del fields["precision"]  # likewise
        if not self.weighted:
            del fields["weighted"]  # likewise
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def differences(self, other: EncoderSpec) -> list[str]:
        """One phrase a field that differs, "input_size 144, not 224"; empty if vectors may be compared."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{field} {mine[field]}, not {theirs[field]}"
            for field in mine
            if field != "name" and mine[field] != theirs[field]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able fields, in the order of their declaration."""
        fields = dataclasses.asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The spec that ``to_dict`` made; raises TypeError on missing or unknown fields."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        return cls(**plain)
