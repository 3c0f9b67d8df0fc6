"""The multi-scale network: a backbone's feature maps, pooled, fused into one vector, and brought to unit length."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from lookalike.encoder.network.colour_histogram import Colours, histogram_of_bytes
from lookalike.encoder.network.operators import (
    multiscale_fuse,
    multiscale_fuse_reference,
    multiscale_moments,
    multiscale_moments_reference,
)
from lookalike.encoder.network.place_weights import place_weights
from lookalike.encoder.spec import Fusion
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.errors import EncoderOptionsError

_ALEXNET_STAGES = {1: 64, 4: 192, 7: 384, 9: 256, 11: 256}
"""Position in torchvision's ``alexnet().features`` of the rectifier after each convolution, and its channels."""


class AlexNetStages(nn.Module):
    """The convolutions of torchvision's AlexNet; returns the maps after those of ``stages``."""

    def __init__(self, stages: Sequence[int]) -> None:
        super().__init__()
        ensure_torchvision()
        from torchvision.models import alexnet

        layers = list(_ALEXNET_STAGES)
        self._stage_layers = frozenset(layers[stage] for stage in stages)
        self.features = alexnet(weights=None).features[: max(self._stage_layers) + 1]

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Maps of the stages, shallow to deep, of pixels (n, 3, S, S) float32."""
        maps = []
        for number, layer in enumerate(self.features):
            pixels = layer(pixels)
            if number in self._stage_layers:
                maps.append(pixels)
        return maps


class StagesAndFinalMap(nn.Module):
    """A timm network that also returns its final map: the output of its head's convolution on the deepest stage."""

    def __init__(self, architecture: str, stages: Sequence[int]) -> None:
        """``stages`` are indices of timm's maps, without that of the final one."""
        super().__init__()
        ensure_torchvision()
        import timm

        self._stages = list(stages)
        self.model: Any = timm.create_model(architecture, pretrained=False, num_classes=0)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Maps of the stages, shallow to deep, then the final one, of pixels (n, 3, S, S) float32."""
        if not self._stages:
            return [self.model.forward_features(pixels)]
        final, maps = self.model.forward_intermediates(pixels, indices=self._stages)
        return [*maps, final]


class MultiScaleNetwork(nn.Module):
    """Pixels (n, 3, S, S) float32, normalised, to unit vectors (n, D) float32.

    Each of the backbone's maps is averaged over its places (global average pooling). Then, by ``fusion``:

    ``mean``: every pooled stage is expanded to the width D of the widest by repeating neighbours,
    ``out[j] = in[floor(j * C / D)]``, and the stages are averaged (DESIGN.md, "The encoder").
    ``concat``: every pooled stage is brought to unit length; they are concatenated and divided by the root of
    their number, so that the cosine of two pictures is the mean of their stages' cosines.
    ``last``: the deepest stage alone.
    ``moments``: every stage's means and standard deviations over its places, concatenated. If ``weighted``, the weight
    of a place is the energy, the squared length, of the deepest map's vector there, so that a product outweighs its
    background.

    An optional ``projection``, one learnt affine step, is applied before the norm, to the fusion and, if there are
    ``colours``, to the picture's colour histogram behind it. The mean of the features in its training, ``centre``, is
    subtracted first. A vector of zeros has no direction and stays zeros (the norm is taken as at least 1e-12).
    """

    centre: torch.Tensor | None
    plain: bool = False
    """Whether to fuse by the formula even if the compiled operator is available, as for an export."""

    def __init__(
        self,
        backbone: nn.Module,
        channels: Sequence[int],
        fusion: Fusion = "mean",
        projection: int | None = None,
        colours: Colours | None = None,
        centred: bool = False,
        weighted: bool = False,
    ) -> None:
        """``channels`` are the widths of the backbone's maps; ``projection`` is the length it projects to.

        ``centred`` says that the weights have a ``centre``.
        """
        super().__init__()
        self.backbone = backbone
        self.channels = tuple(channels)
        self.fusion = fusion
        self.colours = colours
        self.weighted = weighted
        self.width = fused_width(self.channels, fusion) + (colours.width if colours else 0)
        self.projection = None if projection is None else nn.Linear(self.width, projection)
        self.register_buffer("centre", torch.zeros(self.width) if centred else None)

    @property
    def dimension(self) -> int:
        """D, the length of a vector."""
        return self.width if self.projection is None else self.projection.out_features

    def forward(self, pixels: torch.Tensor, pictures: torch.Tensor | None = None) -> torch.Tensor:
        """Unit vectors (n, D) of pixels (n, 3, S, S).

        ``pictures`` (n, S, S, 3) uint8 are the bytes that the pixels were made of; colours are counted faster on them.
        """
        maps = self.backbone(pixels)
        if self.projection is None and self.fusion == "mean":
            return self._fuse_mean(maps, normalize=True)  # the operator normalises as well
        features = self.features(maps, pixels, pictures)
        return functional.normalize(self.project(features))

    def features(
        self, maps: Sequence[torch.Tensor], pixels: torch.Tensor, pictures: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The input of the projection: the fusion of the maps, (n, C, h, w) each, and the colours of the pixels."""
        features = self.fuse(maps)
        if self.colours is None:
            return features
        weights = self.pixel_weights(maps, pixels)
        if pictures is None:
            histogram = self.colours(pixels, weights)
        else:
            histogram = histogram_of_bytes(pictures, self.colours.bins, weights)
        return torch.cat([features, histogram], dim=1)

    def pixel_weights(self, maps: Sequence[torch.Tensor], pixels: torch.Tensor) -> torch.Tensor | None:
        """The weight of each pixel's colour, (n, S, S), from the deepest map's place over it; None if all are equal."""
        return place_weights([pixels, maps[-1]])[0] if self.weighted else None

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Features (n, width) centred and projected, if the network has a centre and a projection."""
        if self.projection is None:
            return features
        projection: torch.Tensor = self.projection(features if self.centre is None else features - self.centre)
        return projection

    def fuse(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """The fusion (n, width without colours) of maps (n, C, h, w) before any norm (``concat``: of unit length)."""
        if self.fusion == "mean":
            return self._fuse_mean(maps, normalize=False)
        if self.fusion == "moments":
            moments = multiscale_moments_reference if self.training or self.plain else multiscale_moments
            return moments(list(maps), self.weighted)
        if self.fusion == "last":
            return maps[-1].mean(dim=(2, 3))
        stages = [functional.normalize(stage.mean(dim=(2, 3))) for stage in maps]
        return functional.normalize(torch.cat(stages, dim=1))

    def _fuse_mean(self, maps: Sequence[torch.Tensor], normalize: bool) -> torch.Tensor:
        # The operator has no gradient.
        fuse = multiscale_fuse_reference if self.training or self.plain else multiscale_fuse
        return fuse(list(maps), max(self.channels), normalize)


def fused_width(channels: Sequence[int], fusion: Fusion) -> int:
    """Length of the fusion of stages with these channels."""
    return {"mean": max(channels), "concat": sum(channels), "last": channels[-1], "moments": 2 * sum(channels)}[fusion]


def deepest_stages(architecture: str) -> tuple[int, ...]:
    """Indices of the deepest four maps of a timm network; raises EncoderOptionsError if it gives none."""
    return tuple(_feature_network(architecture, None).feature_info.out_indices)[-4:]


def build_backbone(architecture: str, stages: Sequence[int]) -> tuple[nn.Module, tuple[int, ...]]:
    """An untrained backbone that gives the maps ``stages``, shallow to deep, and their channels.

    ``architecture`` is a timm name or ``alexnet``. The index behind the last of a timm network's stages is its final
    map. Raises EncoderOptionsError when it has no such maps.
    """
    if architecture == "alexnet":
        if not stages or not set(stages) <= set(range(len(_ALEXNET_STAGES))):
            raise EncoderOptionsError(f"alexnet has no stages {list(stages)}", subject="stages")
        return AlexNetStages(stages), tuple(list(_ALEXNET_STAGES.values())[stage] for stage in stages)
    *inner, last = stages or (-1,)
    feature_info = _feature_network(architecture, None).feature_info
    if last == len(feature_info.out_indices):
        network = StagesAndFinalMap(architecture, inner)
        return network, (*(int(feature_info.channels(stage)) for stage in inner), int(network.model.num_features))
    backbone = _feature_network(architecture, tuple(stages))
    return cast(nn.Module, backbone), tuple(int(width) for width in backbone.feature_info.channels())


def _feature_network(architecture: str, stages: tuple[int, ...] | None) -> Any:
    ensure_torchvision()
    import timm
    from timm.models import FeatureHookNet

    options = {} if stages is None else {"out_indices": stages}
    create = functools.partial(timm.create_model, architecture, pretrained=False, features_only=True, **options)
    try:
        backbone = create()
        # Hooks store a map where all threads share it; the traced network returns it.
        return create(feature_cls="fx") if isinstance(backbone, FeatureHookNet) else backbone
    except (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise EncoderOptionsError(
            f"{architecture} cannot give the feature maps {stages or 'of its stages'}: {str(error).rstrip('.')}",
            subject=architecture,
        ) from error
