"""From an encoder's name to a network with its weights, and the spec of the vectors that it makes."""

from __future__ import annotations

from pathlib import Path

import torch

from lookalike.encoder.network.colour_histogram import Colours
from lookalike.encoder.network.multiscale import MultiScaleNetwork, build_backbone, deepest_stages
from lookalike.encoder.registry import SMALLEST_INPUT, KnownEncoder, check_input_size
from lookalike.encoder.request_check import check_fusion
from lookalike.encoder.spec import NETWORK_DECODER, EncoderSpec, Fusion
from lookalike.encoder.weights.file_format import Recipe, invalid_weights_error, load_state, read_recipe, read_tensors
from lookalike.encoder.weights.installed import find_weights, resolve
from lookalike.encoder.weights.pretrained import load_published
from lookalike.encoder.weights.publishers import find_network, find_published
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest

_PROJECTION, _CENTRE = "projection.", "centre"


def load_network(request: EncoderRequest, encoders_dir: Path) -> tuple[MultiScaleNetwork, EncoderSpec]:
    """The network that a request names (see the registry), ready for inference, and its spec.

    A trained projection fits the one fusion that it was trained on: with another the projection is left out, and the
    spec says so. Nothing is downloaded.

    Raises EncoderUnknownError, EncoderNotInstalledError, EncoderOptionsError, WeightsInvalidError.
    """
    fusion = None if request.fusion is None else check_fusion(request.fusion)
    choice = resolve(request.name, encoders_dir)
    if choice.known is not None and isinstance(choice.weights, Path):
        find_network(choice.known.name)  # refuses what timm does not have, which is loaded here in any case
    path, digest = find_weights(choice, encoders_dir)
    recipe = read_recipe(path) if path.suffix == ".safetensors" else None
    if recipe is not None:
        network, size = _from_own(choice.known, path, recipe, fusion, request.input_size)
    elif choice.known is None:
        raise invalid_weights_error(path, "was not written by lookalike; install lookalike again")
    else:
        recipe, network, size = _from_published(choice.known, path, fusion or "mean", request.input_size)
    network.eval().requires_grad_(requires_grad=False)
    _check_maps(network, size, choice.text)
    return network, EncoderSpec(
        name=choice.text,
        backbone=recipe.backbone.partition(".")[0],
        stages=_fused_stages(recipe.stages, network.fusion),
        channels=network.channels,
        fusion=network.fusion,
        projection=network.projection is not None,
        dimension=network.dimension,
        input_size=size,
        resize=recipe.resize,
        crop_fraction=recipe.crop_fraction,
        mean=recipe.mean,
        std=recipe.std,
        weights_digest=digest,
        decoder=NETWORK_DECODER,
        colour_bins=network.colours.bins if network.colours else 0,
        weighted=network.weighted,
    )


def _fused_stages(stages: tuple[int, ...], fusion: Fusion) -> tuple[int, ...]:
    return stages[-1:] if fusion == "last" else stages


def _from_own(
    known: KnownEncoder | None, path: Path, recipe: Recipe, fusion: Fusion | None, input_size: int | None
) -> tuple[MultiScaleNetwork, int]:
    """The network of a file in lookalike's own format, and the size of its input."""
    if known is not None and known.architecture != recipe.backbone.partition(".")[0]:
        raise invalid_weights_error(path, f"is of {recipe.backbone}, not of {known.name}")
    tensors = read_tensors(path)
    if fusion is not None and fusion != recipe.fusion:
        tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith((_PROJECTION, _CENTRE))}
    fusion = fusion or recipe.fusion
    try:
        backbone, channels = build_backbone(recipe.backbone, _fused_stages(recipe.stages, fusion))
    except EncoderOptionsError as error:
        raise invalid_weights_error(path, f"asks for a network that cannot be built: {error}") from error
    projection = tensors.get(f"{_PROJECTION}weight")
    colours = Colours(recipe.colour_bins, recipe.mean, recipe.std) if recipe.colour_bins else None
    if projection is None:
        colours = None  # nothing would say how much they count
    dimension = None if projection is None else len(projection)
    weighted = recipe.weighted and fusion == "moments"
    network = MultiScaleNetwork(backbone, channels, fusion, dimension, colours, _CENTRE in tensors, weighted)
    load_state(network, tensors, path)
    if fusion == recipe.fusion and network.dimension != recipe.dimension:
        raise invalid_weights_error(
            path, f"gives vectors of {network.dimension} numbers but promises {recipe.dimension}"
        )
    smallest = known.smallest_input if known else SMALLEST_INPUT
    size = recipe.input_size if input_size is None else input_size
    return network, check_input_size(size, native=recipe.input_size, smallest=smallest)


def _from_published(
    known: KnownEncoder, path: Path, fusion: Fusion, input_size: int | None
) -> tuple[Recipe, MultiScaleNetwork, int]:
    """The network of a published file, how its publisher prepares pictures, and the size of its input."""
    published = find_published(known)
    size = check_input_size(
        published.input_size if input_size is None else input_size,
        native=published.input_size,
        smallest=known.smallest_input,
        fixed=published.input_size_fixed,
    )
    stages = _fused_stages(known.stages or deepest_stages(known.architecture), fusion)
    backbone, channels = build_backbone(known.architecture, stages)
    load_published(backbone, known, path)
    network = MultiScaleNetwork(backbone, channels, fusion)
    recipe = Recipe(
        backbone=known.architecture,
        stages=stages,
        fusion=fusion,
        input_size=published.input_size,
        dimension=network.dimension,
        resize=published.resize,
        mean=published.mean,
        std=published.std,
        crop_fraction=published.crop_fraction,
    )
    return recipe, network, size


def _check_maps(network: MultiScaleNetwork, size: int, name: str) -> None:
    """Run the backbone once: a network may be unable to see so small a picture, or give maps of another layout."""
    try:
        with torch.inference_mode():
            shapes = [tuple(stage.shape) for stage in network.backbone(torch.zeros(1, 3, size, size))]
    except (AssertionError, RuntimeError) as error:
        raise EncoderOptionsError(
            f"{name} cannot work at input_size {size}: {str(error).partition(chr(10))[0].rstrip('.')}",
            subject="input_size",
        ) from error
    if [shape[1:-2] for shape in shapes] != [(width,) for width in network.channels]:
        raise EncoderOptionsError(
            f"{name} gives maps of the shapes {shapes}, not (1, channels, height, width) with the channels "
            f"{list(network.channels)}; it cannot be an encoder",
            subject=name,
        )
