"""A processor whose eight-bit products overflow: the int8 encoder is then computed in float32, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.int8 import float_arithmetic
from lookalike.encoder.int8.artifact import Quantised, read_quantised
from lookalike.encoder.registry import BUNDLED_QUANTISED
from lookalike.encoder.runtimes import int8_build, runners
from lookalike.encoder.runtimes.benchmark import synthetic_pictures
from lookalike.encoder.runtimes.exported import NetworkRunner
from lookalike.encoder.runtimes.int8_selection import MIN_COSINE_INT8
from lookalike.encoder.runtimes.onnxruntime_runtime import OnnxRuntimeRunner
from lookalike.encoder.runtimes.runners import EXPORT_RUNTIMES, FLOAT32_VARIANTS
from lookalike.encoder.runtimes.selection import load_on_runtime
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest, RuntimeName
from tests.helpers.encoder_files import write_tiny

COSINE = 0.98
"""Of a vector to its own where products overflow: what such a processor gives, and too little."""
assert COSINE < MIN_COSINE_INT8


@pytest.fixture(scope="module", params=BUNDLED_QUANTISED)
def made(request: pytest.FixtureRequest) -> Quantised:
    return read_quantised(request.param, Path("none"))


@pytest.fixture
def int8_request(made: Quantised) -> EncoderRequest:
    return EncoderRequest(made.spec.name)


@pytest.fixture(scope="module")
def wrong(made: Quantised) -> str:
    """What is said of an runner whose products overflow."""
    return f"cosine {least_cosine(Overflowing(made).vectors, made):.5f} to the reference"


def least_cosine(vectors: Vectors, made: Quantised) -> float:
    return float((vectors * made.check).sum(axis=1).min())


class Overflowing:
    """Stands for an runner with eight-bit arithmetic on such a processor: each vector is off by the same angle."""

    version = "overflowing 1"

    def __init__(self, made: Quantised) -> None:
        across = np.roll(made.check, 1, axis=1)
        across -= (across * made.check).sum(axis=1, keepdims=True) * made.check
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        self.vectors: Vectors = COSINE * made.check + np.float32(np.sqrt(1 - COSINE**2)) * across

    def run(self, batch: RGB) -> Vectors:
        return self.vectors[: len(batch)]


@pytest.fixture
def opened(made: Quantised, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This machine has such a processor; what is opened on it. Only float32 arithmetic gives the right vectors."""
    open_runner = runners.open_runner
    names: list[str] = []

    def open_here(name: str, model: Path, cache: Path | None) -> NetworkRunner:
        names.append(str(name))
        return open_runner(name, model, cache) if name in FLOAT32_VARIANTS.values() else Overflowing(made)

    monkeypatch.setattr(runners, "open_runner", open_here)
    return names


@pytest.mark.parametrize("runner_name", FLOAT32_VARIANTS.values())
def test_the_int8_encoder_has_its_own_vectors_in_float32_arithmetic(
    runner_name: str, made: Quantised, tmp_path: Path
) -> None:
    pictures = synthetic_pictures(made.spec.input_size)
    in_memory = runners.open_runner(runner_name, made.model, None).run(pictures)
    assert least_cosine(in_memory, made) >= 0.999
    for _ in range(2):  # written, then found
        np.testing.assert_allclose(
            runners.open_runner(runner_name, made.model, tmp_path).run(pictures), in_memory, atol=1e-5
        )
    assert (tmp_path / float_arithmetic.FILE).stat().st_size > made.model.stat().st_size


def test_a_folder_that_cannot_be_written_costs_the_file_only(made: Quantised, tmp_path: Path) -> None:
    content = float_arithmetic.float_form(made.model, None)
    assert float_arithmetic.float_form(made.model, tmp_path / "is not there") == content
    assert float_arithmetic.float_form(made.model, tmp_path) == tmp_path / float_arithmetic.FILE
    assert (tmp_path / float_arithmetic.FILE).read_bytes() == content


def test_weights_and_bounds_are_those_of_the_whole_numbers() -> None:
    numbers = np.array([[-128, 0], [127, 5]], np.int8)
    scale, zero = np.array([0.5, 2.0], np.float32), np.array([0, 1], np.int8)
    assert float_arithmetic.dequantised(numbers, scale, zero, 0).tolist() == [[-64.0, 0.0], [252.0, 8.0]]
    assert float_arithmetic.dequantised(numbers, scale, zero, 1).tolist() == [[-64.0, -2.0], [63.5, 8.0]]
    least, most = float_arithmetic.clip_bounds(np.array(0.5, np.float32), np.array(64, np.uint8))
    assert (float(least), float(most)) == (-32.0, 95.5)


@pytest.mark.parametrize("runtime", list(EXPORT_RUNTIMES))
def test_where_eight_bit_products_overflow_it_is_computed_in_float32_and_says_so(
    runtime: RuntimeName, int8_request: EncoderRequest, tmp_path: Path, made: Quantised, opened: list[str]
) -> None:
    encoder = load_on_runtime(int8_request, tmp_path, runtime)
    assert least_cosine(encoder.forward(synthetic_pictures(made.spec.input_size)), made) >= MIN_COSINE_INT8
    assert encoder.runtime.startswith(f"{runtime} ")
    assert "in float32" in encoder.runtime
    assert encoder.spec.precision == "int8"
    assert opened == [runtime, FLOAT32_VARIANTS[runtime], FLOAT32_VARIANTS[runtime]]
    opened.clear()
    assert load_on_runtime(int8_request, tmp_path, runtime).runtime == encoder.runtime
    assert opened == [FLOAT32_VARIANTS[runtime]], "what was found out is kept"


def test_the_measured_reason_names_what_the_others_gave_and_is_kept(
    int8_request: EncoderRequest, tmp_path: Path, opened: list[str], wrong: str
) -> None:
    said = load_on_runtime(int8_request, tmp_path, RuntimeName.AUTO).runtime
    assert f"openvino rejected: {wrong}, onnxruntime rejected: {wrong})" in said
    opened.clear()
    assert load_on_runtime(int8_request, tmp_path, RuntimeName.AUTO).runtime == said
    (runner,) = opened
    assert runner in FLOAT32_VARIANTS.values()


@pytest.mark.parametrize("runtime", [RuntimeName.AUTO, RuntimeName.ONNXRUNTIME])
def test_float32_arithmetic_is_not_opened_where_eight_bit_products_are_right(
    runtime: RuntimeName, int8_request: EncoderRequest, tmp_path: Path, made: Quantised, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    class Right(Overflowing):
        def run(self, batch: RGB) -> Vectors:
            return made.check[: len(batch)]

    def open_here(name: str, *_: object) -> NetworkRunner:
        names.append(name)
        return Right(made)

    monkeypatch.setattr(runners, "open_runner", open_here)
    assert "float32" not in load_on_runtime(int8_request, tmp_path, runtime).runtime
    assert not set(names) & set(FLOAT32_VARIANTS.values())


def test_an_encoder_that_not_even_float32_arithmetic_gives_back_is_refused(
    int8_request: EncoderRequest, tmp_path: Path, made: Quantised, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "open_runner", lambda *_: Overflowing(made))
    with pytest.raises(EncoderOptionsError, match=f"; onnxruntime-float32: {wrong}"):
        load_on_runtime(int8_request, tmp_path, RuntimeName.AUTO)


def test_exact_products_give_the_expected_vectors_on_every_processor(made: Quantised) -> None:
    runner = OnnxRuntimeRunner(made.model, exact_products=True)
    assert least_cosine(runner.run(synthetic_pictures(made.spec.input_size)), made) >= 0.999


@pytest.mark.slow
def test_an_int8_encoder_is_made_with_exact_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "tiny.safetensors", fusion="moments", colour_bins=4)
    request = EncoderRequest(f"test_resnet:{tmp_path / 'tiny.safetensors'}")
    exact: list[bool] = []

    class Recorded(OnnxRuntimeRunner):
        def __init__(self, model: Path | bytes, *, exact_products: bool = False) -> None:
            exact.append(exact_products)
            super().__init__(model, exact_products=exact_products)

    monkeypatch.setattr(int8_build, "OnnxRuntimeRunner", Recorded)
    size = int8_build.float_encoder(request, tmp_path).spec.input_size
    quantised, encoder = int8_build.quantise(request, tmp_path, [synthetic_pictures(size)], tmp_path / "tiny.onnx")
    assert exact == [True]
    np.testing.assert_array_equal(encoder.forward(synthetic_pictures(size)), quantised.check)
