"""A network's final map, behind its deepest stage, is fused like a stage: loaded, folded and exported with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.encoder.export_formats import Format
from lookalike.encoder.load import load_network
from lookalike.encoder.network.batchnorm_folding import fold_batchnorm
from lookalike.encoder.network.colour_histogram import Colours
from lookalike.encoder.network.multiscale import MultiScaleNetwork, StagesAndFinalMap, build_backbone
from lookalike.encoder.network.operators import require_operator
from lookalike.encoder.registry import KnownEncoder
from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder
from lookalike.encoder.telemetry import import_onnxruntime
from lookalike.encoder.weights.file_format import Recipe, write_weights
from lookalike.encoder.weights.pretrained import load_published
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest
from tests.helpers.encoder_files import classifier, randomise, write_published

NETWORK = "test_efficientnet"
STAGES, CHANNELS = (1, 2, 3, 4, 5), (24, 32, 48, 64, 256)
SIZE = 64
HALF = (0.5, 0.5, 0.5)


def pixels(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))


def write_weighted(path: Path) -> MultiScaleNetwork:
    """Write a network like the one in the box, with weighted moments of five maps and colours, and return it."""
    backbone, channels = build_backbone(NETWORK, STAGES)
    colours = Colours(4, HALF, HALF)
    network = MultiScaleNetwork(backbone, channels, "moments", 24, colours, centred=True, weighted=True)
    randomise(network)
    recipe = Recipe(NETWORK, STAGES, "moments", SIZE, 24, mean=HALF, std=HALF, colour_bins=4, weighted=True)
    write_weights(path, network, recipe)
    return network.half().float().eval()  # what the file can hold


def own_maps(network: Any, batch: torch.Tensor) -> list[torch.Tensor]:
    """The maps of timm's whole network, taken by its own parts."""
    x = network.bn1(network.conv_stem(batch))
    maps = []
    for block in network.blocks:
        x = block(x)
        maps.append(x)
    return [*maps[-4:], network.bn2(network.conv_head(maps[-1]))]


@pytest.mark.parametrize(
    ("name", "channels"), [(NETWORK, CHANNELS), ("tf_efficientnet_lite0", (24, 40, 112, 320, 1280))]
)
def test_the_index_behind_the_last_stage_is_the_final_map(name: str, channels: tuple[int, ...]) -> None:
    backbone, wide = build_backbone(name, STAGES)
    assert isinstance(backbone, StagesAndFinalMap)
    assert wide == channels
    with torch.inference_mode():
        shapes = [tuple(stage.shape) for stage in backbone.eval()(pixels())]
    sides = (16, 8, 4, 2, 2)  # strides 4, 8, 16 and 32, and the final map is no smaller than the deepest stage
    assert shapes == [(2, width, side, side) for width, side in zip(channels, sides, strict=True)]


def test_the_final_map_can_stand_alone_or_behind_any_stage() -> None:
    assert build_backbone(NETWORK, (5,))[1] == (256,)
    backbone, channels = build_backbone(NETWORK, (2, 5))
    assert channels == (32, 256)
    with torch.inference_mode():
        assert [stage.shape[1] for stage in backbone.eval()(pixels())] == [32, 256]
    assert not isinstance(build_backbone(NETWORK, (1, 2, 3, 4))[0], StagesAndFinalMap)
    for stages in ((1, 6), (5, 1)):
        with pytest.raises(EncoderOptionsError, match=NETWORK):
            build_backbone(NETWORK, stages)


@pytest.mark.parametrize("classes", [0, 10])
def test_a_published_file_fills_every_map(tmp_path: Path, classes: int) -> None:
    network = classifier(NETWORK, classes)
    path = tmp_path / "net.safetensors"
    write_published(path, network)
    backbone, _ = build_backbone(NETWORK, STAGES)
    load_published(backbone, KnownEncoder(NETWORK, NETWORK, STAGES), path)
    with torch.inference_mode():
        maps, expected = backbone.eval()(pixels()), own_maps(network, pixels())
    for stage, own in zip(maps, expected, strict=True):
        np.testing.assert_allclose(stage.numpy(), own.numpy(), atol=1e-5)


def test_the_heads_norm_is_folded_too_and_no_vector_changes(tmp_path: Path) -> None:
    network = write_weighted(tmp_path / "net.safetensors").requires_grad_(requires_grad=False)
    faster = fold_batchnorm(network, SIZE)
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in faster.modules())
    with torch.inference_mode():
        np.testing.assert_allclose(faster(pixels()).numpy(), network(pixels()).numpy(), atol=1e-5)


def test_a_weights_file_brings_the_final_map_and_its_weighting_back(tmp_path: Path) -> None:
    network, path = write_weighted(tmp_path / "net.safetensors"), tmp_path / "net.safetensors"
    loaded, spec = load_network(EncoderRequest(f"{NETWORK}:{path}"), tmp_path)
    assert (spec.stages, spec.channels, spec.dimension) == (STAGES, CHANNELS, 24)
    assert (spec.fusion, spec.weighted, spec.colour_bins) == ("moments", True, 4)
    with torch.inference_mode():
        np.testing.assert_allclose(loaded(pixels()).numpy(), network(pixels()).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("fusion", "stages", "dimension"), [("mean", STAGES, 256), ("concat", STAGES, 424), ("last", (5,), 256)]
)
def test_other_fusions_have_the_final_map_too(
    tmp_path: Path, fusion: str, stages: tuple[int, ...], dimension: int
) -> None:
    network, path = write_weighted(tmp_path / "net.safetensors"), tmp_path / "net.safetensors"
    loaded, spec = load_network(EncoderRequest(f"{NETWORK}:{path}", fusion=fusion), tmp_path)
    assert (spec.stages, spec.channels[-1], spec.dimension, spec.weighted) == (stages, 256, dimension, False)
    with torch.inference_mode():
        final = network.backbone(pixels())[-1].mean(dim=(2, 3))
        vectors = loaded(pixels())
    if fusion == "last":
        np.testing.assert_allclose(vectors.numpy(), nn.functional.normalize(final).numpy(), atol=1e-6)
    assert vectors.shape == (2, dimension)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "onnx-operator"])
def test_an_exported_network_has_the_final_map(tmp_path: Path, kind: Format) -> None:
    if kind == "onnx-operator":
        require_operator()
    write_weighted(tmp_path / "net.safetensors")
    encoder = load_torch_encoder(EncoderRequest(f"{NETWORK}:{tmp_path / 'net.safetensors'}"), tmp_path)
    encoder.write(tmp_path / "out.onnx", kind)
    session = import_onnxruntime().InferenceSession(str(tmp_path / "out.onnx"), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        squares = np.random.default_rng(3).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        vectors = session.run(["vectors"], {"pictures": squares})[0]
        np.testing.assert_allclose(vectors, encoder.forward(squares), atol=1e-5)
