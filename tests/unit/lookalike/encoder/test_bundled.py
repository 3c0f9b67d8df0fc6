"""The encoders in the box: they load without a network or a download, are listed, run, and can be exported."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from lookalike.encoder.int8.artifact import in_the_box
from lookalike.encoder.load import load_network
from lookalike.encoder.network import multiscale
from lookalike.encoder.network.operators import multiscale_fuse, require_operator
from lookalike.encoder.registry import BUNDLED_NETWORKS
from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder
from lookalike.encoder.telemetry import import_onnxruntime
from lookalike.encoder.weights.file_format import read_recipe
from lookalike.encoder.weights.installed import bundled_weights, resolve
from lookalike.errors import EncoderUnknownError, WeightsInvalidError
from lookalike.options import EncoderRequest
from lookalike.testing import make_picture
from tests.e2e.conftest import Run, run

__all__ = ["run"]

BOX = ["bundled", "bundled-int8", "bundled-fast", "bundled-resnet18"]


def test_the_encoder_in_the_box_is_whole_and_works_offline(tmp_path: Path) -> None:
    network, spec = load_network(EncoderRequest("bundled"), tmp_path / "none")
    assert (spec.name, spec.backbone) == ("bundled", "tf_efficientnet_lite2")
    assert (spec.stages, spec.channels) == ((1, 2, 3, 4, 5), (24, 48, 120, 352, 1280))
    assert (spec.fusion, spec.weighted, spec.colour_bins, spec.projection) == ("moments", True, 8, True)
    assert (spec.dimension, spec.input_size, spec.resize) == (608, 224, "squash")
    assert (spec.mean, spec.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert spec.weights_digest == hashlib.sha256(bundled_weights("bundled").read_bytes()).hexdigest()
    assert not network.training
    named = load_network(EncoderRequest(f"efficientnet_lite2:{bundled_weights('bundled')}"), tmp_path)[1]
    assert named.digest == spec.digest
    assert named.name != spec.name


def test_the_resnet18_in_the_box_is_the_mean_of_four_expanded_stages(tmp_path: Path) -> None:
    network, spec = load_network(EncoderRequest("bundled-resnet18"), tmp_path / "none")
    assert (spec.name, spec.backbone) == ("bundled-resnet18", "resnet18")
    assert (spec.stages, spec.channels) == ((1, 2, 3, 4), (64, 128, 256, 512))
    assert (spec.fusion, spec.dimension) == ("mean", 512)
    assert (spec.weighted, spec.colour_bins, spec.projection) == (False, 0, False)
    assert spec.weights_digest == hashlib.sha256(bundled_weights("bundled-resnet18").read_bytes()).hexdigest()
    assert not network.training
    assert (
        load_network(EncoderRequest(f"resnet18:{bundled_weights('bundled-resnet18')}"), tmp_path)[1].digest
        == spec.digest
    )


def test_the_resnet18_in_the_box_runs_through_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_operator()
    calls: list[int] = []

    def counted(*arguments: object) -> object:
        calls.append(1)
        return multiscale_fuse(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(multiscale, "multiscale_fuse", counted)
    encoder = load_torch_encoder(EncoderRequest("bundled-resnet18"), tmp_path)
    squares = np.stack([encoder.prepare(make_picture(seed, (160, 120))) for seed in range(3)])
    vectors = encoder.forward(squares)
    assert calls
    assert vectors.shape == (3, 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    # The formula: pool, repeat neighbours to the widest, average, unit length.
    network, spec = load_network(EncoderRequest("bundled-resnet18"), tmp_path)
    planes = (squares / 255.0 - np.array(spec.mean)) / np.array(spec.std)
    maps = network.backbone(torch.from_numpy(planes.transpose(0, 3, 1, 2).astype(np.float32)))
    pooled = [stage.double().numpy().mean(axis=(2, 3)) for stage in maps]
    mean = sum(np.repeat(stage, 512 // stage.shape[1], axis=1) for stage in pooled) / 4
    np.testing.assert_allclose(vectors, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("name", BUNDLED_NETWORKS)
def test_what_is_in_the_box_tells_pictures_apart(name: str, tmp_path: Path) -> None:
    encoder = load_torch_encoder(EncoderRequest(name), tmp_path)
    squares = np.stack([encoder.prepare(make_picture(seed, (160, 120))) for seed in range(4)])
    brighter = np.minimum(squares.astype(np.int16) + 6, 255).astype(np.uint8)
    vectors, again = encoder.forward(squares), encoder.forward(brighter)
    assert (vectors @ again.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_the_list_says_what_is_in_the_box_first(run: Run, tmp_path: Path) -> None:
    assert in_the_box() == BOX
    ended = run("encoders", "--encoders-dir", tmp_path, "--json")
    assert ended.code == 0
    rows = [event for event in ended.events if "name" in event]
    assert [row["name"] for row in rows[: len(BOX)]] == BOX
    assert all(row["installed"] for row in rows[: len(BOX)])
    assert not any(row["installed"] for row in rows[len(BOX) :])
    lines = [line.split() for line in run("encoders", "--encoders-dir", tmp_path).out.splitlines()]
    assert ["bundled-resnet18", "in", "the", "box"] in lines


def test_a_name_almost_right_is_answered_with_those_in_the_box(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnknownError, match="alike are bundled-resnet18"):
        resolve("bundled-resnet1", tmp_path)
    with pytest.raises(
        EncoderUnknownError, match=r"there are bundled, bundled-resnet18, bundled-int8, bundled-fast, resnet18"
    ):
        resolve("zzz", tmp_path)


def test_an_installation_that_lacks_a_file_of_the_box_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lookalike.encoder.weights.installed.BOX", tmp_path)
    for name in BUNDLED_NETWORKS:
        with pytest.raises(WeightsInvalidError, match=rf"{name}\.safetensors is missing .*; install lookalike again"):
            load_network(EncoderRequest(name), tmp_path)


@pytest.mark.slow
def test_the_resnet18_in_the_box_is_exported_for_other_programs(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "resnet18.onnx"
    ended = run("export", out, "--encoder", "bundled-resnet18", "--json")
    assert ended.code == 0, ended.err
    recipe = read_recipe(bundled_weights("bundled-resnet18"))
    assert recipe is not None
    assert (ended.answer["dimension"], ended.answer["input_size"]) == (512, recipe.input_size)
    encoder = load_torch_encoder(EncoderRequest("bundled-resnet18"), tmp_path)
    squares = np.stack([encoder.prepare(make_picture(seed, (160, 120))) for seed in range(2)])
    session = import_onnxruntime().InferenceSession(str(out), providers=["CPUExecutionProvider"])
    vectors = session.run(["vectors"], {"pictures": squares})[0]
    np.testing.assert_allclose(vectors, encoder.forward(squares), atol=1e-5)
