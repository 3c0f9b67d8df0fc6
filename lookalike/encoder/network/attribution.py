"""The cosine score of two pictures as a sum of contributions: of each part of the encoder, and of each place.

The vector of a picture is u = z / |z| with z = P (f - c) + b, where the features f are averages over the places of each
stage's map. The score u · v is linear in f: with g = Pᵀ v / |z| it is g · (f - c) + b · v / |z|. A stage's features are
sums over its places, and so is g · f, so that each place has an exact contribution to the score. The only approximation
is that |z| is held constant; it is the decomposition of class activation maps (B. Zhou et al., 2016), for a pair.
A channel's standard deviation s is a sum over places as well, Σ (x - mean)² / (h w s), and so is the square root of a
histogram's share r, Σ 1 / (h w √r) over the pixels in its box.

Where the network weights places, place p of a map counts w_p instead of 1 / (h w): a mean is Σ w_p x_p, a deviation
Σ w_p (x_p - mean)² / s, a histogram's share Σ w_p. The weights are held constant as well: the contribution of a place
comes from its content, not from its influence on the weights of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from lookalike.encoder.base import Evidence, Heat, PartEvidence
from lookalike.encoder.network.colour_histogram import Colours, boxes_of
from lookalike.encoder.network.multiscale import MultiScaleNetwork
from lookalike.encoder.network.place_weights import place_weights

HeatFunction = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class _Part:
    """One part of one picture: its contribution to the features, (width,), and their mean, ``centre``.

    ``weights`` (h, w) are those of the places; they sum to 1. ``heat`` maps a gradient (width,) to the contributions
    (h, w) of the places to ``gradient @ features``.
    """

    name: str
    features: torch.Tensor
    centre: torch.Tensor
    weights: torch.Tensor
    heat: HeatFunction


@dataclass(frozen=True)
class _EncodedPicture:
    """A picture by its parts; ``length`` is that of its vector before normalisation."""

    parts: tuple[_Part, ...]
    length: torch.Tensor
    vector: torch.Tensor


def explain_pair(network: MultiScaleNetwork, pixels: torch.Tensor) -> Evidence:
    """The evidence for two normalised pictures, ``pixels`` (2, 3, S, S) float32."""
    first, second = (_encode(network, picture[None]) for picture in pixels)
    score = float((first.vector @ second.vector).clamp(-1, 1))
    gradients = (_gradient(network, first, second), _gradient(network, second, first))
    parts = []
    for pair in zip(first.parts, second.parts, strict=True):
        projected = [_project(network, part.features - part.centre) for part in pair]
        cosine = functional.cosine_similarity(projected[0], projected[1], dim=0, eps=1e-12).clamp(-1, 1)
        heats = tuple(_heat_map(part, gradient) for part, gradient in zip(pair, gradients, strict=True))
        shares = tuple(float(heat.sum()) for heat in heats)
        parts.append(PartEvidence(pair[0].name, float(cosine), (shares[0], shares[1]), (heats[0], heats[1])))
    remainders = (score - sum(part.shares[0] for part in parts), score - sum(part.shares[1] for part in parts))
    return Evidence(score, tuple(parts), remainders)


def _encode(network: MultiScaleNetwork, picture: torch.Tensor) -> _EncodedPicture:
    maps = network.backbone(picture)
    unnormalised = network.project(network.features(maps, picture))[0]
    parts = tuple(_stage_parts(network, maps))
    if network.colours is not None:
        parts += (_colour_part(network, network.colours, maps, picture),)
    return _EncodedPicture(parts, unnormalised.norm().clamp(min=1e-12), functional.normalize(unnormalised, dim=0))


def _heat_map(part: _Part, gradient: torch.Tensor) -> Heat:
    """The contribution of each place to the part's share; the mean is subtracted in proportion to the weights."""
    heat = part.heat(gradient)
    share = gradient @ (part.features - part.centre)
    heat_map: Heat = (heat + (share - heat.sum()) * part.weights).numpy()
    return heat_map


def _gradient(network: MultiScaleNetwork, picture: _EncodedPicture, other_picture: _EncodedPicture) -> torch.Tensor:
    """The gradient of the score by each of the picture's features, (width,)."""
    towards = other_picture.vector / picture.length
    return towards if network.projection is None else towards @ network.projection.weight


def _project(network: MultiScaleNetwork, features: torch.Tensor) -> torch.Tensor:
    return features if network.projection is None else network.projection.weight @ features


def _stage_parts(network: MultiScaleNetwork, batch: Sequence[torch.Tensor]) -> Iterator[_Part]:
    """The stages of one picture, by the network's fusion, as ``MultiScaleNetwork`` describes it."""
    maps = [stage[0] for stage in batch]
    names = [f"stage-{number}" for number in range(1, len(maps) + 1)]
    if network.fusion == "moments":
        yield from _moments_parts(network, names, batch)
        return
    stage_means = [stage.mean(dim=(1, 2)) for stage in maps]
    if network.fusion == "mean":
        for name, stage, means in zip(names, maps, stage_means, strict=True):
            yield _mean_fusion_part(network, name, stage, means, len(maps))
        return
    begin = 0
    lengths = [means.norm().clamp(min=1e-12) for means in stage_means]
    total_length = (
        torch.cat([means / length for means, length in zip(stage_means, lengths, strict=True)]).norm().clamp(min=1e-12)
    )
    for name, stage, means, length in zip(names, maps, stage_means, lengths, strict=True):
        columns = slice(begin, begin + len(means))
        divisor = length * total_length if network.fusion == "concat" else torch.ones(())
        heat = _mean_heat(stage, columns, divisor)
        yield _part(network, name, columns, means / divisor, _equal_weights(stage[0]), heat)
        begin = columns.stop


def _moments_parts(network: MultiScaleNetwork, names: Sequence[str], batch: Sequence[torch.Tensor]) -> Iterator[_Part]:
    """Each stage's means and deviations, which the fusion concatenates."""
    moments = network.fuse(batch)[0]
    all_weights = [weights[0] for weights in place_weights(batch)] if network.weighted else None
    begin = 0
    for number, (name, maps) in enumerate(zip(names, batch, strict=True)):
        stage = maps[0]
        weights = _equal_weights(stage[0]) if all_weights is None else all_weights[number]
        columns = slice(begin, begin + 2 * len(stage))
        yield _part(network, name, columns, moments[columns], weights, _moments_heat(stage, weights, columns))
        begin = columns.stop


def _equal_weights(places: torch.Tensor) -> torch.Tensor:
    """Equal weights of places, with the sum 1."""
    return torch.full(places.shape, 1 / places.numel())


def _part(
    network: MultiScaleNetwork,
    name: str,
    columns: slice,
    numbers: torch.Tensor,
    weights: torch.Tensor,
    heat: HeatFunction,
) -> _Part:
    """A part whose features are in columns of their own."""
    features = torch.zeros(network.width)
    features[columns] = numbers
    centre = torch.zeros(network.width)
    if network.centre is not None:
        centre[columns] = network.centre[columns]
    return _Part(name, features, centre, weights, heat)


def _mean_fusion_part(
    network: MultiScaleNetwork, name: str, stage: torch.Tensor, means: torch.Tensor, stages: int
) -> _Part:
    """A stage of the fusion ``mean``, which shares all columns (but the colours') with the others."""
    fused_width = max(network.channels)
    source = torch.arange(fused_width) * len(means) // fused_width
    features = torch.zeros(network.width)
    features[:fused_width] = means[source] / stages
    centre = torch.zeros(network.width)
    if network.centre is not None:
        centre[:fused_width] = network.centre[:fused_width] / stages

    def heat(gradient: torch.Tensor) -> torch.Tensor:
        weights = torch.zeros(len(means)).index_add_(0, source, gradient[:fused_width]) / stages
        return torch.einsum("c,chw->hw", weights, stage) / stage[0].numel()

    return _Part(name, features, centre, _equal_weights(stage[0]), heat)


def _mean_heat(stage: torch.Tensor, columns: slice, divisor: torch.Tensor) -> HeatFunction:
    return lambda gradient: torch.einsum("c,chw->hw", gradient[columns] / divisor, stage) / stage[0].numel()


def _moments_heat(stage: torch.Tensor, weights: torch.Tensor, columns: slice) -> HeatFunction:
    means = (stage * weights).sum(dim=(1, 2))
    squares = (stage - means[:, None, None]).square()
    deviations = (squares * weights).sum(dim=(1, 2)).sqrt()

    def heat(gradient: torch.Tensor) -> torch.Tensor:
        of_means, of_deviations = gradient[columns].chunk(2)
        of_squares = of_deviations / deviations.clamp(min=1e-12)
        return weights * (torch.einsum("c,chw->hw", of_means, stage) + torch.einsum("c,chw->hw", of_squares, squares))

    return heat


def _colour_part(
    network: MultiScaleNetwork, colours: Colours, maps: Sequence[torch.Tensor], picture: torch.Tensor
) -> _Part:
    columns = slice(network.width - colours.width, network.width)
    pixel_weights = network.pixel_weights(maps, picture)
    histogram = colours(picture, pixel_weights)[0]
    boxes = boxes_of(picture, colours.mean, colours.std, colours.bins)[0]
    weights = _equal_weights(boxes) if pixel_weights is None else pixel_weights[0]

    def heat(gradient: torch.Tensor) -> torch.Tensor:
        return (gradient[columns] / histogram.clamp(min=1e-12))[boxes] * weights

    return _part(network, "colour", columns, histogram, weights, heat)
