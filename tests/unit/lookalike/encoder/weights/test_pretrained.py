"""Published weights give the published network's own features, or are refused; nothing stays random."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.encoder.load import load_network
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder
from lookalike.errors import EncoderNotInstalledError, EncoderOptionsError, WeightsInvalidError
from lookalike.images import encode_png
from lookalike.options import EncoderRequest
from lookalike.testing import make_picture
from tests.helpers.encoder_files import classifier, write_published


@pytest.fixture(autouse=True)
def quickly_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """New networks begin with zeros: drawing millions of numbers, thrice a test, took most of the time.

    What a file does not fill is then 0 in place of random, and differs from what was written just as well.
    """
    for name in ("uniform_", "normal_"):
        monkeypatch.setattr(torch.Tensor, name, zeros_unless_seeded(getattr(torch.Tensor, name)))


def zeros_unless_seeded(draw: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The drawing method, which fills in zeros where it is not given a generator."""

    def drawn(tensor: torch.Tensor, *bounds: float, generator: torch.Generator | None = None) -> torch.Tensor:
        return tensor.zero_() if generator is None else draw(tensor, *bounds, generator=generator)

    return drawn


def pixels(size: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


def fused(maps: list[torch.Tensor]) -> np.ndarray:
    """The design's formula, written out: pool, repeat neighbours to the widest, average, unit length."""
    width = max(stage.shape[1] for stage in maps)
    total = np.zeros((len(maps[0]), width))
    for stage in maps:
        pooled = stage.double().numpy().mean(axis=(2, 3))
        total += pooled[:, [j * stage.shape[1] // width for j in range(width)]]
    vectors: np.ndarray = total / np.linalg.norm(total, axis=1, keepdims=True)
    return vectors


def residual_maps(network: Any, batch: torch.Tensor) -> list[torch.Tensor]:
    x = network.maxpool(network.act1(network.bn1(network.conv1(batch))))
    maps = []
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = layer(x)
        maps.append(x)
    return maps


def convnext_maps(network: Any, batch: torch.Tensor) -> list[torch.Tensor]:
    x = network.stem(batch)
    maps = []
    for stage in network.stages:
        x = stage(x)
        maps.append(x)
    return maps


def efficientnet_maps(network: Any, batch: torch.Tensor) -> list[torch.Tensor]:
    x = network.bn1(network.conv_stem(batch))
    maps = []
    for number, block in enumerate(network.blocks):
        x = block(x)
        if number in {1, 2, 4, 6}:  # the last blocks at strides 4, 8, 16 and 32
            maps.append(x)
    return maps


def alexnet_maps(network: Any, batch: torch.Tensor) -> list[torch.Tensor]:
    maps, x = [], batch
    for layer in network.features:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            maps.append(x)
    return maps


def xception_maps(network: Any, batch: torch.Tensor) -> list[torch.Tensor]:
    x = network.act2(network.bn2(network.conv2(network.act1(network.bn1(network.conv1(batch))))))
    maps, blocks = [], [getattr(network, f"block{number}") for number in range(1, 13)]
    for number, block in enumerate(blocks, start=1):
        if number in {2, 3, 12}:
            maps.append(torch.relu(x))
        x = block(x)
    x = network.act3(network.bn3(network.conv3(x)))
    maps.append(network.act4(network.bn4(network.conv4(x))))
    return maps


@pytest.mark.parametrize(
    ("name", "timm_name", "size", "maps_of"),
    [
        ("resnet18", "resnet18", 64, residual_maps),
        ("test_convnext", "test_convnext", 64, convnext_maps),
        ("mobilenet_v2", "mobilenetv2_100", 64, efficientnet_maps),
        ("xception", "legacy_xception", 96, xception_maps),
        ("alexnet", "alexnet", 64, alexnet_maps),
    ],
)
def test_the_vector_is_the_fusion_of_the_networks_own_maps(
    tmp_path: Path, name: str, timm_name: str, size: int, maps_of: Any
) -> None:
    network = classifier(timm_name)
    path = tmp_path / "net.safetensors"
    write_published(path, network)
    loaded, spec = load_network(EncoderRequest(f"{name}:{path}", input_size=size), tmp_path)
    squares = np.random.default_rng(3).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    mean, std = (np.array(three, np.float32) for three in (spec.mean, spec.std))
    batch = torch.tensor((squares / np.float32(255) - mean) / std).permute(0, 3, 1, 2).contiguous()
    with torch.inference_mode():
        expected = fused([stage.clone() for stage in maps_of(network, batch.clone())])
        np.testing.assert_allclose(loaded(batch).numpy(), expected, atol=1e-5)
    vectors = TorchEncoder(loaded, spec).forward(squares)
    np.testing.assert_allclose(vectors, expected, atol=2e-5)
    assert spec.dimension == expected.shape[1]
    assert spec.resize == "crop"
    assert spec.backbone == timm_name


@pytest.mark.parametrize("classes", [0, 7, 1000, 1001])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_any_number_of_classes_and_both_file_formats_are_read(tmp_path: Path, classes: int, suffix: str) -> None:
    network = classifier("test_resnet", classes)
    path = tmp_path / f"net{suffix}"
    write_published(path, network)
    loaded, spec = load_network(EncoderRequest(f"test_resnet:{path}"), tmp_path)
    assert spec.input_size == 160
    state = network.state_dict()
    for key, tensor in loaded.backbone.state_dict().items():
        assert torch.equal(tensor, state[key]), key


def test_a_training_checkpoint_is_unwrapped(tmp_path: Path) -> None:
    network = classifier("test_resnet")
    torch.save({"epoch": 3, "state_dict": network.state_dict()}, tmp_path / "net.pth")
    loaded, _ = load_network(EncoderRequest(f"test_resnet:{tmp_path / 'net.pth'}"), tmp_path)
    assert torch.equal(
        loaded.backbone.state_dict()["layer1.0.conv1.weight"], network.state_dict()["layer1.0.conv1.weight"]
    )


@pytest.mark.parametrize("name", ["test_resnet", "inception_v3.tv_in1k", "alexnet"])
def test_a_file_that_lacks_a_tensor_is_refused(tmp_path: Path, name: str) -> None:
    network = classifier(name.partition(".")[0])
    state = dict(network.state_dict())
    gone = next(key for key in state if key.endswith(("running_mean", "features.3.bias")))
    del state[gone]
    path = tmp_path / "net.pth"
    torch.save(state, path)
    with pytest.raises(WeightsInvalidError, match=gone.replace(".", r"\.")):
        load_network(EncoderRequest(f"{name}:{path}"), tmp_path)


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    write_published(path, classifier("test_resnet"))
    for name in ("resnet18", "alexnet", "test_convnext"):
        with pytest.raises(WeightsInvalidError, match=str(path)):
            load_network(EncoderRequest(f"{name}:{path}"), tmp_path)


class Bomb:
    """What a hostile file could hold: unpickling it would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(self.target),))

    def __init__(self, target: Path) -> None:
        self.target = str(target)


def test_a_picture_in_place_of_weights_is_said_to_be_none_without_advice_to_run_its_code(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(encode_png(make_picture(1)))
    with pytest.raises(WeightsInvalidError, match="is no weights file") as failure:
        load_network(EncoderRequest(f"resnet18:{path}"), tmp_path)
    assert "weights_only" not in failure.value.message


def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path: Path) -> None:
    path, sign = tmp_path / "net.pth", tmp_path / "ran"
    torch.save({"conv1.weight": Bomb(sign)}, path)
    with pytest.raises(WeightsInvalidError, match="cannot be loaded as plain tensors"):
        load_network(EncoderRequest(f"test_resnet:{path}"), tmp_path)
    path.write_bytes(pickle.dumps(Bomb(sign), protocol=2))
    with pytest.raises(WeightsInvalidError):
        load_network(EncoderRequest(f"test_resnet:{path}"), tmp_path)
    assert not sign.exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 no archive"])
def test_a_damaged_pytorch_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsInvalidError, match=str(path)):
        load_network(EncoderRequest(f"test_resnet:{path}"), tmp_path)


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "net.pth")
    with pytest.raises(WeightsInvalidError, match="other content than tensors by name"):
        load_network(EncoderRequest(f"test_resnet:{tmp_path / 'net.pth'}"), tmp_path)


def test_weights_that_are_not_installed_are_never_replaced_by_random_ones(tmp_path: Path) -> None:
    for name in ("resnet50", "resnet50:hub"):
        with pytest.raises(EncoderNotInstalledError, match="python -m indexer encoders install resnet50"):
            load_network(EncoderRequest(name), tmp_path)


def test_a_picture_too_small_for_the_network_is_refused_before_it_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(b"is not even opened")
    with pytest.raises(EncoderOptionsError, match="from 64 to 512"):
        load_network(EncoderRequest(f"alexnet:{path}", input_size=48), tmp_path)


def test_a_transformer_that_is_bound_to_its_size_takes_no_other(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    write_published(path, classifier("test_vit"))
    loaded, spec = load_network(EncoderRequest(f"test_vit:{path}"), tmp_path)
    assert (spec.input_size, spec.dimension) == (160, 64)
    assert loaded(pixels(160)).shape == (2, 64)
    with pytest.raises(EncoderOptionsError, match="160 pixels only"):
        load_network(EncoderRequest(f"test_vit:{path}", input_size=96), tmp_path)
