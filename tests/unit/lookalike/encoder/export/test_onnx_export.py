"""An exported encoder gives other programs the very vectors, from the very bytes, and says how to prepare a picture."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from lookalike import Encoder
from lookalike.encoder.base import RGB
from lookalike.encoder.export.onnx_operators import fuse_text, weighted_moments_text
from lookalike.encoder.network.operators import require_operator
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder, load_torch_encoder
from lookalike.encoder.telemetry import import_onnxruntime
from lookalike.errors import EncoderOptionsError
from lookalike.images import encode_jpeg
from lookalike.options import EncoderRequest
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY
from tests.helpers.encoder_files import TINY, TINY_SIZE, write_tiny


def tiny(folder: Path, **options: object) -> TorchEncoder:
    write_tiny(folder / "tiny.safetensors", **options)  # type: ignore[arg-type]
    return load_torch_encoder(EncoderRequest(f"{TINY}:{folder / 'tiny.safetensors'}"), folder)


def squares(count: int) -> RGB:
    return np.random.default_rng(3).integers(0, 256, (count, TINY_SIZE, TINY_SIZE, 3), dtype=np.uint8)


def run_onnx(path: Path, batch: RGB) -> np.ndarray:
    session = import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    vectors: np.ndarray = session.run(["vectors"], {"pictures": batch})[0]
    return vectors


@pytest.mark.parametrize("weighted", [False, True])
def test_the_operator_is_one_node_and_its_function_gives_the_same_vectors(tmp_path: Path, weighted: bool) -> None:
    require_operator()
    encoder = tiny(tmp_path, fusion="moments", colour_bins=4, weighted=weighted)
    encoder.write(tmp_path / "out.onnx", "onnx-operator")
    model = onnx.load(tmp_path / "out.onnx")
    (node,) = (node for node in model.graph.node if node.domain == "lookalike")
    assert node.op_type == "MultiScaleMoments"
    assert {attribute.name: attribute.i for attribute in node.attribute} == ({"weighted": 1} if weighted else {})
    assert [function.name for function in model.functions] == ["MultiScaleMoments"]
    for count in (1, 5):
        batch = squares(count)
        np.testing.assert_allclose(run_onnx(tmp_path / "out.onnx", batch), encoder.forward(batch), atol=1e-5)


def test_the_mean_of_stages_has_a_function_of_standard_operators(tmp_path: Path) -> None:
    function = onnx.parser.parse_function(fuse_text((2, 4), normalize=True))
    node = onnx.helper.make_node(
        "MultiScaleFuse", ["a", "b"], ["vectors"], domain="lookalike", dimension=4, normalize=1
    )
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", width, None, None])
        for name, width in (("a", 2), ("b", 4))
    ]
    answer = onnx.helper.make_tensor_value_info("vectors", onnx.TensorProto.FLOAT, ["n", 4])
    graph = onnx.helper.make_graph([node], "fuse", inputs, [answer])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("lookalike", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=9)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(5)
    first, second = random.random((3, 2, 6, 5), np.float32), random.random((3, 4, 3, 2), np.float32)
    mean = (first.mean(axis=(2, 3))[:, [0, 0, 1, 1]] + second.mean(axis=(2, 3))) / 2
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(session.run(None, {"a": first, "b": second})[0], expected, atol=1e-6)


def test_weighted_moments_in_standard_operators_fit_maps_of_any_sizes() -> None:
    function = onnx.parser.parse_function(weighted_moments_text(range(2)))
    node = onnx.helper.make_node("MultiScaleMoments", ["a", "b"], ["vectors"], domain="lookalike", weighted=1)
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", width, None, None])
        for name, width in (("a", 2), ("b", 4))
    ]
    answer = onnx.helper.make_tensor_value_info("vectors", onnx.TensorProto.FLOAT, ["n", 12])
    graph = onnx.helper.make_graph([node], "moments", inputs, [answer])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("lookalike", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=9)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(5)
    for size, above in (((9, 7), (2, 3)), ((2, 3), (9, 7)), ((1, 8), (8, 1))):
        first, second = random.random((3, 2, *size), np.float32), random.random((3, 4, *above), np.float32)
        second[2] = 0  # whose places all count alike
        energies = np.square(second).sum(axis=1)
        energies[2] = 1
        blocks = []
        for stage in (first, second):
            rows = np.arange(stage.shape[2]) * above[0] // stage.shape[2]
            columns = np.arange(stage.shape[3]) * above[1] // stage.shape[3]
            weights = energies[:, rows][:, :, columns][:, None]
            weights = weights / weights.sum(axis=(2, 3), keepdims=True)
            means = (stage * weights).sum(axis=(2, 3))
            variances = ((stage - means[:, :, None, None]) ** 2 * weights).sum(axis=(2, 3))
            blocks += [means, np.sqrt(variances + 1e-6)]
        vectors = session.run(None, {"a": first, "b": second})[0]
        np.testing.assert_allclose(vectors, np.concatenate(blocks, axis=1), atol=1e-6)
        huge = session.run(None, {"a": first, "b": second * np.float32(1e20)})[0]  # whose squares are beyond float32
        np.testing.assert_allclose(huge[:, :2], first.mean(axis=(2, 3)), atol=1e-6)


@pytest.mark.slow
def test_weighted_moments_are_exported_in_standard_operators_for_any_number_of_pictures(tmp_path: Path) -> None:
    encoder = tiny(tmp_path, fusion="moments", colour_bins=4, weighted=True)
    encoder.write(tmp_path / "out.onnx", "onnx")
    assert {node.domain for node in onnx.load(tmp_path / "out.onnx").graph.node} == {""}
    for count in (1, 5):
        batch = squares(count)
        np.testing.assert_allclose(run_onnx(tmp_path / "out.onnx", batch), encoder.forward(batch), atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_torchscript_gives_the_same_vectors_and_says_what_they_mean(tmp_path: Path, weighted: bool) -> None:
    encoder = tiny(tmp_path, fusion="moments", colour_bins=4, weighted=weighted)
    encoder.write(tmp_path / "out.pt", "torchscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(str(tmp_path / "out.pt"))  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        found = module(torch.from_numpy(squares(3))).numpy()
    np.testing.assert_allclose(found, encoder.forward(squares(3)), atol=1e-5)
    # Beside the file stands what its numbers mean.
    said = json.loads((tmp_path / "out.pt.json").read_text())
    assert said["digest"] == encoder.spec.digest
    assert said["spec"]["input_size"] == TINY_SIZE
    assert said["input"]["shape"] == ["n", TINY_SIZE, TINY_SIZE, 3]
    assert said["output"]["shape"] == ["n", 24]


def test_a_fusion_without_an_operator_is_refused(tmp_path: Path) -> None:
    require_operator()
    encoder = tiny(tmp_path, fusion="concat", projection=None)
    with pytest.raises(EncoderOptionsError, match="the fusion 'concat' has no operator of its own"):
        encoder.write(tmp_path / "out.onnx", "onnx-operator")
    assert not (tmp_path / "out.onnx").exists()


def test_the_lines_of_the_page_that_prepare_a_picture_give_the_vectors_of_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    encoder = tiny(tmp_path)
    encoder.write(tmp_path / "encoder.onnx", "onnx")
    for seed, name in enumerate(("cat.jpg", "dog.jpg")):
        Path(name).write_bytes(encode_jpeg(make_picture(seed, (300, 200)), 90))
    page = (REPOSITORY / "docs/export.md").read_text(encoding="utf-8")
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "prepare" in block)
    import_onnxruntime()  # else the import on the page is the first one, which reports itself
    names: dict[str, np.ndarray] = {}
    exec(compile(block, "docs/export.md", "exec"), names)
    np.testing.assert_allclose(names["vectors"], Encoder(encoder).encode(["cat.jpg", "dog.jpg"]), atol=1e-5)
