"""Takes the cosine score of two pictures apart: by part of the encoder, and by place in each picture.

The vector of a picture is u = z / |z| with z = P (f - c) + b, where the features f are averages over the places of each
stage's map. The score u · v is linear in f: with g = Pᵀ v / |z| it is g · (f - c) + b · v / |z|. A stage's features are
sums over its places, so g · f is one too, and each place has its exact part in the score. Nothing is approximated but
that u's own length is held fixed; it is the decomposition of class activation maps (B. Zhou et al., 2016), for a pair.
A channel's standard deviation s is a sum over places as well, Σ (x - mean)² / (h w s), and so is the square root of a
histogram's share r, Σ 1 / (h w √r) over the pixels in its box.

Where the network weights places, place p of a map counts w_p instead of 1 / (h w): a mean is Σ w_p x_p, a deviation
Σ w_p (x_p - mean)² / s, a histogram's share Σ w_p. The weights are held fixed as well: a place is credited with what it
shows, and not with what it takes from the weights of the others.
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

Heated = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class _Part:
    """One part of one picture: its contribution to the features, (width,), and what it has as its mean there.

    ``weights`` (h, w) say how much each place counts; they sum to 1. ``heat`` makes of a gradient (width,) the map
    (h, w) of what each place adds to ``gradient @ features``.
    """

    name: str
    features: torch.Tensor
    centre: torch.Tensor
    weights: torch.Tensor
    heat: Heated


@dataclass(frozen=True)
class _View:
    """A picture, in its parts; ``length`` is that of its vector before the norm."""

    parts: tuple[_Part, ...]
    length: torch.Tensor
    vector: torch.Tensor


def explain_pair(network: MultiScaleNetwork, pixels: torch.Tensor) -> Evidence:
    """The evidence for two normalised pictures, ``pixels`` (2, 3, S, S) float32."""
    first, second = (_view(network, picture[None]) for picture in pixels)
    score = float((first.vector @ second.vector).clamp(-1, 1))
    gradients = (_gradient(network, first, second), _gradient(network, second, first))
    parts = []
    for pair in zip(first.parts, second.parts, strict=True):
        seen = [_linear(network, part.features - part.centre) for part in pair]
        cosine = functional.cosine_similarity(seen[0], seen[1], dim=0, eps=1e-12).clamp(-1, 1)
        heats = tuple(_map(part, gradient) for part, gradient in zip(pair, gradients, strict=True))
        shares = tuple(float(heat.sum()) for heat in heats)
        parts.append(PartEvidence(pair[0].name, float(cosine), (shares[0], shares[1]), (heats[0], heats[1])))
    rests = (score - sum(part.shares[0] for part in parts), score - sum(part.shares[1] for part in parts))
    return Evidence(score, tuple(parts), rests)


def _view(network: MultiScaleNetwork, picture: torch.Tensor) -> _View:
    maps = network.backbone(picture)
    before = network.project(network.features(maps, picture))[0]
    parts = tuple(_stages(network, maps))
    if network.colours is not None:
        parts += (_colour(network, network.colours, maps, picture),)
    return _View(parts, before.norm().clamp(min=1e-12), functional.normalize(before, dim=0))


def _map(part: _Part, gradient: torch.Tensor) -> Heat:
    """What each place adds to the part's share; what the mean picture has there is taken off by the places' weights."""
    heat = part.heat(gradient)
    share = gradient @ (part.features - part.centre)
    spread: Heat = (heat + (share - heat.sum()) * part.weights).numpy()
    return spread


def _gradient(network: MultiScaleNetwork, picture: _View, other: _View) -> torch.Tensor:
    """How the score changes with each of the picture's features, (width,)."""
    towards = other.vector / picture.length
    return towards if network.projection is None else towards @ network.projection.weight


def _linear(network: MultiScaleNetwork, features: torch.Tensor) -> torch.Tensor:
    return features if network.projection is None else network.projection.weight @ features


def _stages(network: MultiScaleNetwork, batch: Sequence[torch.Tensor]) -> Iterator[_Part]:
    """The stages of one picture, by the network's fusion, as ``MultiScaleNetwork`` describes it."""
    maps = [stage[0] for stage in batch]
    names = [f"stage-{number}" for number in range(1, len(maps) + 1)]
    if network.fusion == "moments":
        yield from _moments(network, names, batch)
        return
    pooled = [stage.mean(dim=(1, 2)) for stage in maps]
    if network.fusion == "mean":
        for name, stage, means in zip(names, maps, pooled, strict=True):
            yield _repeated(network, name, stage, means, len(maps))
        return
    begin = 0
    lengths = [means.norm().clamp(min=1e-12) for means in pooled]
    whole = torch.cat([means / length for means, length in zip(pooled, lengths, strict=True)]).norm().clamp(min=1e-12)
    for name, stage, means, length in zip(names, maps, pooled, lengths, strict=True):
        columns = slice(begin, begin + len(means))
        divisor = length * whole if network.fusion == "concat" else torch.ones(())
        heat = _mean_heat(stage, columns, divisor)
        yield _part(network, name, columns, means / divisor, _alike(stage[0]), heat)
        begin = columns.stop


def _moments(network: MultiScaleNetwork, names: Sequence[str], batch: Sequence[torch.Tensor]) -> Iterator[_Part]:
    """Each stage's means and deviations, which stand side by side in the fusion."""
    fused = network.fuse(batch)[0]
    all_weights = [weights[0] for weights in place_weights(batch)] if network.weighted else None
    begin = 0
    for number, (name, maps) in enumerate(zip(names, batch, strict=True)):
        stage = maps[0]
        weights = _alike(stage[0]) if all_weights is None else all_weights[number]
        columns = slice(begin, begin + 2 * len(stage))
        yield _part(network, name, columns, fused[columns], weights, _moments_heat(stage, weights, columns))
        begin = columns.stop


def _alike(places: torch.Tensor) -> torch.Tensor:
    """Equal weights for so many places."""
    return torch.full(places.shape, 1 / places.numel())


def _part(
    network: MultiScaleNetwork, name: str, columns: slice, numbers: torch.Tensor, weights: torch.Tensor, heat: Heated
) -> _Part:
    """A part that has columns of its own among the features."""
    features = torch.zeros(network.width)
    features[columns] = numbers
    centre = torch.zeros(network.width)
    if network.centre is not None:
        centre[columns] = network.centre[columns]
    return _Part(name, features, centre, weights, heat)


def _repeated(network: MultiScaleNetwork, name: str, stage: torch.Tensor, means: torch.Tensor, stages: int) -> _Part:
    """A stage of the fusion ``mean``, which shares all columns (but the colours') with the others."""
    fused = max(network.channels)
    source = torch.arange(fused) * len(means) // fused
    features = torch.zeros(network.width)
    features[:fused] = means[source] / stages
    centre = torch.zeros(network.width)
    if network.centre is not None:
        centre[:fused] = network.centre[:fused] / stages

    def heat(gradient: torch.Tensor) -> torch.Tensor:
        weights = torch.zeros(len(means)).index_add_(0, source, gradient[:fused]) / stages
        return torch.einsum("c,chw->hw", weights, stage) / stage[0].numel()

    return _Part(name, features, centre, _alike(stage[0]), heat)


def _mean_heat(stage: torch.Tensor, columns: slice, divisor: torch.Tensor) -> Heated:
    return lambda gradient: torch.einsum("c,chw->hw", gradient[columns] / divisor, stage) / stage[0].numel()


def _moments_heat(stage: torch.Tensor, weights: torch.Tensor, columns: slice) -> Heated:
    means = (stage * weights).sum(dim=(1, 2))
    squares = (stage - means[:, None, None]).square()
    deviations = (squares * weights).sum(dim=(1, 2)).sqrt()

    def heat(gradient: torch.Tensor) -> torch.Tensor:
        of_means, of_deviations = gradient[columns].chunk(2)
        of_squares = of_deviations / deviations.clamp(min=1e-12)
        return weights * (torch.einsum("c,chw->hw", of_means, stage) + torch.einsum("c,chw->hw", of_squares, squares))

    return heat


def _colour(network: MultiScaleNetwork, colours: Colours, maps: Sequence[torch.Tensor], picture: torch.Tensor) -> _Part:
    columns = slice(network.width - colours.width, network.width)
    pixel_weights = network.pixel_weights(maps, picture)
    histogram = colours(picture, pixel_weights)[0]
    boxes = boxes_of(picture, colours.mean, colours.std, colours.bins)[0]
    weights = _alike(boxes) if pixel_weights is None else pixel_weights[0]

    def heat(gradient: torch.Tensor) -> torch.Tensor:
        return (gradient[columns] / histogram.clamp(min=1e-12))[boxes] * weights

    return _part(network, "colour", columns, histogram, weights, heat)
