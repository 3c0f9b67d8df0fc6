"""OpenVINO runs an export with the operator as a node: with the compiled extension, or with standard operations."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lookalike.encoder import openvino_extension
from lookalike.encoder.base import Vectors
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder, load_torch_encoder
from lookalike.encoder.telemetry import import_openvino
from lookalike.errors import OperatorError
from lookalike.options import EncoderRequest
from tests.conftest import REPOSITORY
from tests.helpers.encoder_files import TINY, TINY_SIZE, write_tiny

WAYS = [openvino_extension.path, openvino_extension.conversions]


def opened(model: Path | bytes, extension: Any) -> tuple[Callable[[Any], Vectors], list[str]]:
    """What runs a model in OpenVINO, and the kinds of its operations."""
    openvino = import_openvino()
    core = openvino.Core()
    core.add_extension(extension)
    network = core.read_model(model)
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kinds = [operation.get_type_name() for operation in network.get_ops()]
    return lambda given: np.array(compiled(given)[0], np.float32), kinds


def node_model(operator: str, widths: tuple[int, ...], length: int, **attributes: int) -> bytes:
    """A file of one node over maps of so many channels, of any number of images and pixels."""
    names = [f"map{stage}" for stage in range(len(widths))]
    node = onnx.helper.make_node(operator, names, ["vectors"], domain="lookalike", **attributes)
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [f"n{name}", width, None, None])
        for name, width in zip(names, widths, strict=True)
    ]
    answer = onnx.helper.make_tensor_value_info("vectors", onnx.TensorProto.FLOAT, ["n", length])
    graph = onnx.helper.make_graph([node], "one", inputs, [answer])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("lookalike", 1)]
    content: bytes = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def maps(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.fixture(scope="module", params=["moments", "weighted moments", "mean"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TorchEncoder]:
    """A file with the operator as a node, and the encoder that it was made of."""
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    weights = folder / "tiny.safetensors"
    if request.param == "mean":
        write_tiny(weights, fusion="mean", projection=None)
    else:
        write_tiny(weights, fusion="moments", colour_bins=4, weighted=request.param == "weighted moments")
    encoder = load_torch_encoder(EncoderRequest(f"{TINY}:{weights}"), folder)
    encoder.write(folder / "out.onnx", "onnx-operator")
    return folder / "out.onnx", encoder


@pytest.mark.parametrize("way", WAYS)
def test_an_exported_encoder_gives_the_vectors_of_pytorch(
    exported: tuple[Path, TorchEncoder], way: Callable[[], Any]
) -> None:
    path, encoder = exported
    run, kinds = opened(path, way())
    ours = {"moments": "MultiScaleMoments", "mean": "MultiScaleFuse"}[encoder.spec.fusion]
    assert (ours in kinds) == (way is openvino_extension.path)
    for count in (1, 5):
        batch = np.random.default_rng(count).integers(0, 256, (count, TINY_SIZE, TINY_SIZE, 3), dtype=np.uint8)
        found, expected = run(batch), encoder.forward(batch)
        assert float((found * expected).sum(axis=1).min()) >= 0.9999
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_lines_that_the_page_about_it_gives_run(
    exported: tuple[Path, TorchEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, encoder = exported
    shutil.copyfile(path, tmp_path / "encoder.onnx")
    monkeypatch.chdir(tmp_path)
    page = (REPOSITORY / "docs/export.md").read_text(encoding="utf-8")
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "openvino" in block)
    import_openvino()  # else the import on the page is the first one, which reports itself
    names: dict[str, Any] = {}
    exec(compile(block, "docs/export.md", "exec"), names)
    # It may use bfloat16, in which the deviations of a picture of one colour are nothing but rounding.
    batch = np.random.default_rng(1).integers(0, 256, (1, TINY_SIZE, TINY_SIZE, 3), dtype=np.uint8)
    np.testing.assert_allclose(names["network"](batch)[0], encoder.forward(batch), atol=1e-2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("normalize", [0, 1])
def test_stages_whose_widths_do_not_divide_each_other_are_spread_as_the_formula_says(
    way: Callable[[], Any], normalize: int
) -> None:
    run, _ = opened(node_model("MultiScaleFuse", (3, 5), 7, dimension=7, normalize=normalize), way())
    first, second = maps((2, 3, 6, 5), (2, 5, 1, 1))
    places = np.arange(7)
    mean = (first.mean(axis=(2, 3))[:, places * 3 // 7] + second.mean(axis=(2, 3))[:, places * 5 // 7]) / 2
    length = np.linalg.norm(mean, axis=1, keepdims=True) if normalize else 1
    np.testing.assert_allclose(run([first, second]), mean / length, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_a_deviation_that_is_small_beside_its_mean_is_not_lost(way: Callable[[], Any]) -> None:
    run, _ = opened(node_model("MultiScaleMoments", (2,), 4), way())
    (noise,) = maps((1, 2, 40, 40))
    far = 1000 + 0.1 * noise
    exact = far.astype(np.float64)
    expected = np.concatenate([exact.mean(axis=(2, 3)), np.sqrt(exact.var(axis=(2, 3)) + 1e-6)], axis=1)
    np.testing.assert_allclose(run(far), expected, rtol=1e-3)


def weighted_moments(given: list[np.ndarray]) -> np.ndarray:
    """Weighted means, then deviations, stage after stage, in float64."""
    energies = np.square(given[-1].astype(np.float64)).sum(axis=1)
    blocks = []
    for stage in given:
        rows, columns = (
            np.arange(size) * deepest // size for size, deepest in zip(stage.shape[2:], energies.shape[1:], strict=True)
        )
        weights = energies[:, rows][:, :, columns][:, None]
        weights = weights / weights.sum(axis=(2, 3), keepdims=True)
        means = (stage * weights).sum(axis=(2, 3))
        variances = ((stage - means[:, :, None, None]) ** 2 * weights).sum(axis=(2, 3))
        blocks += [means, np.sqrt(variances + 1e-6)]
    return np.concatenate(blocks, axis=1)


@pytest.mark.parametrize("way", WAYS)
def test_weighted_moments_fit_maps_of_any_sizes(way: Callable[[], Any]) -> None:
    run, kinds = opened(node_model("MultiScaleMoments", (3, 5, 4), 24, weighted=1), way())
    assert ("MultiScaleMoments" in kinds) == (way is openvino_extension.path)
    for sizes in (((9, 7), (5, 3), (2, 3)), ((3, 2), (8, 8), (5, 4)), ((1, 1), (40, 30), (7, 7))):
        given = maps(*((2, width, *size) for width, size in zip((3, 5, 4), sizes, strict=True)))
        np.testing.assert_allclose(run(given), weighted_moments(given), atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_places_count_alike_where_the_deepest_map_is_zero_or_huge_and_where_no_weights_were_asked_for(
    way: Callable[[], Any],
) -> None:
    shallow, deepest = maps((2, 3, 9, 7), (2, 4, 3, 3))
    plain, _ = opened(node_model("MultiScaleMoments", (3, 4), 14, weighted=0), way())
    without_attribute, _ = opened(node_model("MultiScaleMoments", (3, 4), 14), way())
    np.testing.assert_array_equal(plain([shallow, deepest]), without_attribute([shallow, deepest]))
    weighted, _ = opened(node_model("MultiScaleMoments", (3, 4), 14, weighted=1), way())
    assert np.abs(weighted([shallow, deepest]) - plain([shallow, deepest])).max() > 1e-2
    nothing = [shallow, np.zeros_like(deepest)]
    np.testing.assert_allclose(weighted(nothing), plain(nothing), atol=1e-6)
    huge = [shallow, deepest * np.float32(1e20)]  # whose squares are beyond float32
    np.testing.assert_allclose(weighted(huge)[:, :6], plain(huge)[:, :6], atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_weighted_moments_saved_in_openvinos_own_format_stay_weighted(tmp_path: Path, way: Callable[[], Any]) -> None:
    openvino = import_openvino()
    core = openvino.Core()
    core.add_extension(way())
    model = core.read_model(node_model("MultiScaleMoments", (3, 4), 14, weighted=1))
    openvino.save_model(model, tmp_path / "out.xml", compress_to_fp16=False)
    run, _ = opened(tmp_path / "out.xml", way())
    given = maps((2, 3, 9, 7), (2, 4, 3, 3))
    np.testing.assert_allclose(run(given), weighted_moments(given), atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_a_model_saved_in_openvinos_own_format_is_read_again(tmp_path: Path, way: Callable[[], Any]) -> None:
    openvino = import_openvino()
    core = openvino.Core()
    core.add_extension(way())
    model = core.read_model(node_model("MultiScaleFuse", (2, 4), 6, dimension=6, normalize=0))
    openvino.save_model(model, tmp_path / "out.xml", compress_to_fp16=False)
    run, _ = opened(tmp_path / "out.xml", way())
    given = maps((3, 2, 4, 4), (3, 4, 2, 2))
    means = [stage.mean(axis=(2, 3)) for stage in given]
    expected = (means[0][:, [0, 0, 0, 1, 1, 1]] + means[1][:, [0, 0, 1, 2, 2, 3]]) / 2
    np.testing.assert_allclose(run(given), expected, atol=1e-6)


def test_maps_that_do_not_belong_together_are_refused_by_stage() -> None:
    run, _ = opened(node_model("MultiScaleMoments", (2, 4), 12), openvino_extension.path())
    with pytest.raises(RuntimeError, match="stage 2: expected 3 images as in the stages before"):
        run(maps((3, 2, 4, 4), (2, 4, 2, 2)))


def test_more_channels_than_the_dimension_are_refused_when_the_file_is_read() -> None:
    with pytest.raises(RuntimeError, match=r"stage 2: expected 1\.\.3 channels"):
        opened(node_model("MultiScaleFuse", (2, 4), 3, dimension=3, normalize=1), openvino_extension.path())


def test_a_library_that_was_not_compiled_is_missed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_extension, "_LIBRARY", tmp_path / "_openvino.abi3.so")
    with pytest.raises(OperatorError, match=r"_openvino\.abi3\.so is not there.*make install.*conversions\(\)"):
        openvino_extension.path()


def test_a_damaged_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_openvino.abi3.so").write_bytes(b"no library")
    monkeypatch.setattr(openvino_extension, "_LIBRARY", tmp_path / "_openvino.abi3.so")
    with pytest.raises(OperatorError, match="cannot be used with OpenVINO"):
        openvino_extension.path()


def test_a_library_for_another_openvino_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_openvino(), "get_version", lambda: "2031.2.0-1234-releases/2031/2")
    with pytest.raises(OperatorError, match=r"is for OpenVINO 20\d\d\.\d\.\d, and 2031\.2\.0 is installed"):
        openvino_extension.path()
