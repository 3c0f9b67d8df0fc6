"""lookalike's own weights files: what goes in comes out, and every way of being wrong is named."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lookalike.encoder.load import load_network
from lookalike.encoder.network.multiscale import MultiScaleNetwork, build_backbone
from lookalike.encoder.weights.file_format import Recipe, read_recipe, write_weights
from lookalike.errors import EncoderOptionsError, EncoderUnknownError, WeightsInvalidError
from lookalike.options import EncoderRequest
from tests.helpers.encoder_files import TINY, TINY_SIZE, randomise, write_tiny


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    write_tiny(path)
    return path


def load(path: Path, **options: Any) -> MultiScaleNetwork:
    return load_network(EncoderRequest(f"{TINY}:{path}", **options), path.parent)[0]


def change(path: Path, tensors: Callable[[dict[str, torch.Tensor]], object], **fields: Any) -> None:
    """Rewrite a weights file with other tensors or other fields of its recipe (None: leave the field out)."""
    with safe_open(path, "pt") as held:
        metadata = dict(held.metadata())
    said = json.loads(metadata["encoder"]) | fields
    metadata["encoder"] = json.dumps({key: value for key, value in said.items() if value is not None})
    state = load_file(path)
    tensors(state)
    save_file(state, path, metadata)


def nothing(state: dict[str, torch.Tensor]) -> None:
    assert state


def test_a_network_comes_back_as_it_was_written(tmp_path: Path) -> None:
    backbone, channels = build_backbone(TINY, (1, 2, 3, 4))
    network = MultiScaleNetwork(backbone, channels, "mean", 24)
    randomise(network)
    network.half().float().eval()  # what the file can hold
    path = tmp_path / "net.safetensors"
    digest = write_weights(path, network, Recipe(TINY, (1, 2, 3, 4), "mean", TINY_SIZE, 24))
    loaded, spec = load_network(EncoderRequest(f"{TINY}:{path}"), tmp_path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest() == spec.weights_digest
    assert (spec.backbone, spec.stages, spec.channels) == (TINY, (1, 2, 3, 4), (32, 48, 192, 96))
    assert (spec.fusion, spec.projection, spec.dimension) == ("mean", True, 24)
    assert (spec.input_size, spec.resize) == (TINY_SIZE, "squash")
    pixels = torch.randn(3, 3, TINY_SIZE, TINY_SIZE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        np.testing.assert_array_equal(loaded(pixels).numpy(), network(pixels).numpy())


def test_written_again_a_file_has_the_same_bytes(tmp_path: Path) -> None:
    backbone, channels = build_backbone(TINY, (4,))
    network = MultiScaleNetwork(backbone, channels, "last", None)
    recipe = Recipe(TINY, (4,), "last", TINY_SIZE, network.dimension)
    digests = {write_weights(tmp_path / f"{number}.safetensors", network, recipe) for number in range(8)}
    assert len(digests) == 1


def test_the_file_holds_half_precision_and_no_counts(file: Path) -> None:
    state = load_file(file)
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert not [key for key in state if key.endswith("num_batches_tracked")]
    assert state["projection.weight"].shape == (24, 192)
    assert "backbone.layer1.0.conv1.weight" in state


def test_another_fusion_leaves_the_projection_out_and_says_so(file: Path) -> None:
    own = load_network(EncoderRequest(f"{TINY}:{file}"), file.parent)[1]
    same = load_network(EncoderRequest(f"{TINY}:{file}", fusion="mean"), file.parent)[1]
    assert own.digest == same.digest
    for fusion, stages, dimension in (("concat", (1, 2, 3, 4), 32 + 48 + 192 + 96), ("last", (4,), 96)):
        network, spec = load_network(EncoderRequest(f"{TINY}:{file}", fusion=fusion), file.parent)
        assert network.projection is None
        assert (spec.fusion, spec.projection, spec.stages, spec.dimension) == (fusion, False, stages, dimension)
        assert spec.digest != own.digest
        assert f"fusion {fusion}, not mean" in spec.differences(own)


def test_another_input_size_is_another_spec(file: Path) -> None:
    native = load_network(EncoderRequest(f"{TINY}:{file}"), file.parent)[1]
    spec = load_network(EncoderRequest(f"{TINY}:{file}", input_size=96), file.parent)[1]
    assert spec.differences(native) == ["input_size 96, not 64"]
    for size in (0, 70, 2048):
        with pytest.raises(EncoderOptionsError, match="choose 64"):
            load(file, input_size=size)


def test_an_unknown_fusion_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(EncoderOptionsError, match="median"):
        load(tmp_path / "none.safetensors", fusion="median")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (lambda state: state.pop("backbone.layer2.0.bn1.running_mean"), "lacks backbone.layer2.0.bn1.running_mean"),
        (lambda state: state.pop("projection.bias"), "lacks projection.bias"),
        (lambda state: state.update(more=torch.zeros(1)), "has unknown more"),
        (
            lambda state: state.update({"backbone.conv1.0.weight": torch.zeros(1)}),
            r"misshapen backbone.conv1.0.weight \(1,\)",
        ),
        (lambda state: state["projection.weight"].fill_(float("nan")), "undefined numbers in projection.weight"),
        (lambda state: state["projection.bias"].fill_(float("inf")), "undefined numbers in projection.bias"),
        (lambda state: [state.pop(key) for key in list(state) if "layer" in key], r"and \d+ more"),
    ],
)
def test_wrong_tensors_are_named(
    file: Path, tensors: Callable[[dict[str, torch.Tensor]], object], message: str
) -> None:
    change(file, tensors)
    with pytest.raises(WeightsInvalidError, match=message) as caught:
        load(file)
    assert str(file) in caught.value.message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dimension": 25}, "gives vectors of 24 numbers but promises 25"),
        ({"fusion": "median"}, "fusion median"),
        ({"resize": "stretch"}, "resize stretch"),
        ({"stages": []}, "stages"),
        ({"stages": [1, 2, 3, 9]}, "cannot be built"),
        ({"input_size": "64"}, "input_size 64"),
        ({"std": [0.2, 0.2, 0.0]}, "std"),
        ({"mean": [0.5]}, "mean"),
        ({"crop_fraction": 1.5}, "crop_fraction 1.5"),
        ({"stages": 3}, "unreadable"),
        ({"dimension": None}, "unreadable.*dimension"),
        ({"backbone": "resnet18"}, "is of resnet18, not of test_resnet"),
    ],
)
def test_a_wrong_recipe_is_named(file: Path, fields: dict[str, Any], message: str) -> None:
    change(file, nothing, **fields)
    with pytest.raises(WeightsInvalidError, match=message):
        load(file)


def test_fields_of_a_later_minor_change_are_passed_over(file: Path) -> None:
    change(file, nothing, trained_on="many pictures")
    assert load(file).dimension == 24


def test_another_version_is_refused(file: Path) -> None:
    save_file(load_file(file), file, {"format": "lookalike-encoder", "version": "2", "encoder": "{}"})
    with pytest.raises(WeightsInvalidError, match="version '2'"):
        load(file)


@pytest.mark.parametrize("length", [0, 7, 200, 100_000])
def test_a_truncated_file_is_refused(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(WeightsInvalidError, match="damaged"):
        load(file)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(WeightsInvalidError, match="cannot be read"):
            load(path)


def test_a_file_of_pictures_or_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_text("not weights\n" * 100)
    with pytest.raises(WeightsInvalidError, match="damaged or no safetensors"):
        load(path)


def test_a_recipe_has_the_documented_defaults(file: Path) -> None:
    change(file, nothing, resize=None, mean=None, std=None, crop_fraction=None)
    assert read_recipe(file) == dataclasses.replace(write_tiny(file), resize="squash", crop_fraction=1.0)


def test_an_unknown_network_is_refused_whatever_the_file(file: Path) -> None:
    with pytest.raises(EncoderUnknownError):
        load_network(EncoderRequest(f"no_such_network:{file}"), file.parent)
