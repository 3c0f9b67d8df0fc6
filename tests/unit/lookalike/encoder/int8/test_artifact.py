"""An int8 encoder is an encoder of its own: near its origin by measure, else refused, and never run by PyTorch."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper

from indexer import int8_encoder
from indexer.console.reporter import JsonReporter
from indexer.int8_encoder import Cost
from lookalike.encoder.base import Vectors
from lookalike.encoder.int8.artifact import (
    Quantised,
    dimension_in_the_box,
    in_the_box,
    is_quantised,
    read_quantised,
    write_description,
)
from lookalike.encoder.int8.quantise import FLOAT_CONVOLUTIONS, backbone_nodes
from lookalike.encoder.runtimes.selection import load_on_runtime
from lookalike.encoder.runtimes.torch_runtime import load_torch_encoder
from lookalike.encoder.spec import EncoderSpec
from lookalike.errors import (
    EncoderNotInstalledError,
    EncoderOptionsError,
    QuantisedTooFarError,
    WeightsInvalidError,
)
from lookalike.images import encode_png
from lookalike.options import EncoderRequest, RuntimeName
from lookalike.testing import TinyEncoder, make_picture


def spec() -> EncoderSpec:
    return dataclasses.replace(
        TinyEncoder().spec,
        name="resnet50-int8",
        precision="int8",
        decoder="scaled-bilinear",
        weights_digest=hashlib.sha256(b"network").hexdigest(),
    )


def installed(folder: Path, decoder: str = "scaled-bilinear") -> Quantised:
    model = folder / "resnet50-int8" / "model.onnx"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"network")
    check = np.full((8, 32), 0.125, np.float32)
    made = Quantised(
        model,
        dataclasses.replace(spec(), decoder=decoder),
        EncoderRequest("resnet50", "concat"),
        check,
        {"mean": 0.998},
    )
    write_description(made)
    return made


def test_an_int8_encoder_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = installed(tmp_path)
    read = read_quantised("resnet50-int8", tmp_path)
    assert (read.model, read.spec, read.origin, read.measured) == (made.model, spec(), made.origin, made.measured)
    np.testing.assert_allclose(read.check, made.check, atol=1e-4)


def test_an_int8_encoder_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(EncoderNotInstalledError, match="python -m indexer encoders quantise resnet50"):
        read_quantised("resnet50-int8", tmp_path)


@pytest.mark.parametrize(("file", "content"), [("model.onnx", b"networl"), ("model.json", b"{"), ("model.json", b"[]")])
def test_a_damaged_int8_encoder_is_refused_by_name(file: str, content: bytes, tmp_path: Path) -> None:
    installed(tmp_path)
    (tmp_path / "resnet50-int8" / file).write_bytes(content)
    with pytest.raises(WeightsInvalidError, match=file):
        read_quantised("resnet50-int8", tmp_path)


def test_it_goes_on_with_the_decoder_that_it_was_made_with(tmp_path: Path) -> None:
    installed(tmp_path, "pillow-bilinear")
    read = read_quantised("resnet50-int8", tmp_path).spec
    assert read.decoder == "pillow-bilinear"
    assert read.decode_side is None
    assert read.differences(spec()) == ["decoder pillow-bilinear, not scaled-bilinear"]


def test_a_decoder_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    installed(tmp_path, "lanczos")
    with pytest.raises(WeightsInvalidError, match=r"model\.json wants pictures decoded by 'lanczos'"):
        read_quantised("resnet50-int8", tmp_path)


def test_the_length_of_its_vectors_is_told_of_the_file_of_each_encoder_in_the_box(tmp_path: Path) -> None:
    lengths = {name: dimension_in_the_box(name, tmp_path) for name in in_the_box()}
    assert lengths == {"bundled": 608, "bundled-int8": 608, "bundled-fast": 384, "bundled-resnet18": 512}


def test_only_names_end_in_int8_and_no_paths() -> None:
    assert is_quantised("bundled-int8")
    assert is_quantised("bundled-fast")
    assert not is_quantised("bundled")
    assert not is_quantised("resnet18:/weights/of-int8")


def test_an_int8_encoder_that_the_installation_lacks_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lookalike.encoder.int8.artifact.BOX", tmp_path)
    with pytest.raises(WeightsInvalidError, match=r"bundled-fast\.json is missing from .*; install lookalike again"):
        load_on_runtime(EncoderRequest("bundled-fast"), tmp_path, RuntimeName.AUTO)


def test_the_precision_changes_the_digest_and_float32_keeps_the_old_one() -> None:
    old = TinyEncoder().spec
    fields = old.to_dict()
    del fields["precision"]
    assert EncoderSpec.from_dict(fields) == old
    rounded = dataclasses.replace(old, precision="int8")
    assert rounded.digest != old.digest
    assert old.differences(rounded) == ["precision float32, not int8"]


def nodes_with(convolutions: int) -> list[NodeProto]:
    """A network of so many convolutions; behind the last there is a sum, and what makes a vector of a map."""
    nodes = [helper.make_node("Mul", ["pictures", "scale"], ["map 0"], "normalise")]
    for number in range(1, convolutions + 1):
        nodes += [
            helper.make_node("Conv", [f"map {number - 1}", "w"], [f"a {number}"], f"conv {number}"),
            helper.make_node("Relu", [f"a {number}"], [f"b {number}"], f"relu {number}"),
            helper.make_node("MaxPool", [f"b {number}"], [f"map {number}"], f"pool {number}", kernel_shape=[2, 2]),
        ]
    last = f"map {convolutions}"
    return [
        *nodes,
        helper.make_node("Add", [f"b {convolutions}", last], ["sum"], "residual"),
        helper.make_node("ReduceMean", ["sum"], ["mean"], "fusion"),
        helper.make_node("Add", ["mean", "floor"], ["above"], "above"),
        helper.make_node("Gemm", ["above", "p"], ["vectors"], "projection"),
    ]


def graph_of(nodes: list[NodeProto]) -> GraphProto:
    given, answer = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("pictures", "vectors"))
    return helper.make_graph(nodes, "network", [given], [answer])


def rounded_at(number: int) -> list[str]:
    return [f"conv {number}", f"relu {number}", f"pool {number}"]


def test_convolutions_and_what_is_between_them_are_rounded_and_nothing_else() -> None:
    assert backbone_nodes(graph_of(nodes_with(2))) == [*rounded_at(1), *rounded_at(2), "residual"]
    with pytest.raises(ValueError, match="no convolution"):
        backbone_nodes(graph_of(nodes_with(0)[:1]))


def test_the_first_convolutions_and_what_follows_them_stay_float32_where_there_are_others() -> None:
    assert backbone_nodes(graph_of(nodes_with(FLOAT_CONVOLUTIONS + 2))) == [
        *rounded_at(FLOAT_CONVOLUTIONS + 1),
        *rounded_at(FLOAT_CONVOLUTIONS + 2),
        "residual",
    ]
    few = [*(name for number in range(1, FLOAT_CONVOLUTIONS + 1) for name in rounded_at(number)), "residual"]
    assert backbone_nodes(graph_of(nodes_with(FLOAT_CONVOLUTIONS))) == few


@pytest.mark.parametrize(
    ("mean", "recalls", "why"),
    [
        (0.9949, {}, "the mean cosine must be 0.995 or more"),
        (
            0.999,
            {"a": (0.90, 0.95), "b": (0.80, 0.794)},
            "0.0060 of recall@1 is lost on b, more than 0.005",
        ),
    ],
)
def test_an_int8_encoder_that_loses_too_much_is_refused_with_the_figures(
    mean: float, recalls: dict[str, tuple[float, float]], why: str
) -> None:
    cost = Cost(100, mean, 0.98, 0.97, recalls)
    with pytest.raises(QuantisedTooFarError) as refused:
        cost.check("resnet50")
    assert why in str(refused.value)
    assert f"cosine to float32 {mean:.4f} on average over 100 pictures, 0.9800 at the first" in str(refused.value)


def test_an_int8_encoder_that_loses_a_hair_is_kept() -> None:
    Cost(100, 0.995, 0.98, 0.97, {"a": (0.90, 0.895), "b": (0.80, 0.796)}).check("resnet50")
    Cost(100, 0.999, 0.98, 0.97, {"a": (0.90, 0.95)}).check("resnet50")


@pytest.mark.parametrize(("name", "is_told"), [("resnet50", True), ("resnet50:hub", True), ("resnet50:{}", False)])
def test_a_file_to_be_handed_on_names_no_file_of_the_machine_where_it_was_made(
    name: str, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quantise(
        request: EncoderRequest, _: Path, batches: Iterable[np.ndarray], model: Path
    ) -> tuple[Quantised, TinyEncoder]:
        assert sum(len(batch) for batch in batches) == 6
        model.write_bytes(b"network")
        return Quantised(model, spec(), request, np.full((8, 32), 0.125, np.float32), {}), TinyEncoder()

    monkeypatch.setattr(int8_encoder, "float_encoder", lambda *_: TinyEncoder())
    monkeypatch.setattr(int8_encoder, "quantise_encoder", quantise)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(8):
        (folder / f"{seed}.png").write_bytes(encode_png(make_picture(seed)))
    request = EncoderRequest(name.format(tmp_path / "weights.safetensors"))
    for model, is_origin in (
        (tmp_path / "handed-on.onnx", is_told),
        (tmp_path / "encoders" / "resnet50-int8" / "model.onnx", True),
    ):
        int8_encoder.quantise_and_measure(
            request, tmp_path / "encoders", model, ([folder], 8), [], JsonReporter(out=io.StringIO())
        )
        origin = json.loads(model.with_suffix(".json").read_text())["origin"]
        assert origin == (dataclasses.asdict(request) if is_origin else None)


@pytest.fixture(scope="module")
def expected() -> tuple[list[np.ndarray], Vectors]:
    """Twelve pictures, and their vectors by the float32 network in the box."""
    reference = load_torch_encoder(EncoderRequest("bundled"), Path("none"))
    pictures = [reference.prepare(make_picture(seed, (200, 160))) for seed in range(12)]
    return pictures, reference.forward(np.stack(pictures))


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [RuntimeName.OPENVINO, RuntimeName.ONNXRUNTIME])
def test_the_int8_encoder_in_the_box_is_near_the_float32_one(
    runtime: RuntimeName, expected: tuple[list[np.ndarray], Vectors], encoders_folder: Path
) -> None:
    encoder = load_on_runtime(EncoderRequest("bundled-int8"), encoders_folder, runtime)
    assert (encoder.spec.name, encoder.spec.precision) == ("bundled-int8", "int8")
    cosines = (encoder.forward(np.stack(expected[0])) * expected[1]).sum(axis=1)
    assert cosines.mean() >= 0.99  # drawn discs and bars are stranger to it than photographs
    np.testing.assert_allclose(np.linalg.norm(encoder.forward(np.stack(expected[0])), axis=1), 1, atol=1e-5)


def test_pytorch_and_other_sizes_are_refused_for_an_int8_encoder(encoders_folder: Path) -> None:
    with pytest.raises(EncoderOptionsError, match=r"^torch cannot run bundled-int8"):
        load_on_runtime(EncoderRequest("bundled-int8"), encoders_folder, RuntimeName.TORCH)
    with pytest.raises(EncoderOptionsError, match="leave both out"):
        load_on_runtime(EncoderRequest("bundled-int8", None, 96), encoders_folder, RuntimeName.AUTO)
    with pytest.raises(EncoderOptionsError, match=r"leave both out$"):
        load_on_runtime(EncoderRequest("bundled-fast", None, 96), encoders_folder, RuntimeName.AUTO)
