"""A processor whose eight-bit products overflow: the int8 encoder is then computed in float32, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.int8.artifact import Quantised, read_quantised
from lookalike.encoder.registry import BUNDLED_INT8
from lookalike.encoder.runtimes import selection
from lookalike.encoder.runtimes.exported import Engine
from lookalike.encoder.runtimes.onnx_runtime import OnnxRuntimeEngine
from lookalike.encoder.runtimes.selection import FLOAT_ENGINE, SAME_INT8, Wanted, load_chosen, made_pictures
from lookalike.errors import EncoderOptionsError
from lookalike.options import RuntimeName

COSINE = 0.98
"""Of a vector to its own where products overflow: what such a processor gives, and too little."""
assert COSINE < SAME_INT8


@pytest.fixture(scope="module")
def made() -> Quantised:
    return read_quantised(BUNDLED_INT8, Path("none"))


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    return Wanted(BUNDLED_INT8, tmp_path)


@pytest.fixture(scope="module")
def wrong(made: Quantised) -> str:
    """What is said of an engine whose products overflow."""
    return f"cosine {least_cosine(Overflowing(made).vectors, made):.5f} to the reference"


def least_cosine(vectors: Vectors, made: Quantised) -> float:
    return float((vectors * made.check).sum(axis=1).min())


class Overflowing:
    """Stands for an engine with eight-bit arithmetic on such a processor: each vector is off by the same angle."""

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
    open_engine = selection.open_engine
    names: list[str] = []

    def open_here(name: str, model: Path, cache: Path | None) -> Engine:
        names.append(str(name))
        return open_engine(name, model, cache) if name == FLOAT_ENGINE else Overflowing(made)

    monkeypatch.setattr(selection, "open_engine", open_here)
    return names


def test_the_int8_encoder_has_its_own_vectors_in_float32_arithmetic(made: Quantised) -> None:
    engine = OnnxRuntimeEngine(made.model, eight_bit=False)
    assert least_cosine(engine.run(made_pictures(made.spec.input_size)), made) >= SAME_INT8
    assert engine.version.endswith(" in float32")


@pytest.mark.parametrize("runtime", [RuntimeName.AUTO, RuntimeName.ONNXRUNTIME])
def test_where_eight_bit_products_overflow_it_is_computed_in_float32_and_says_so(
    runtime: RuntimeName, wanted: Wanted, made: Quantised, opened: list[str]
) -> None:
    encoder = load_chosen(wanted, runtime)
    assert least_cosine(encoder.forward(made_pictures(made.spec.input_size)), made) >= SAME_INT8
    assert encoder.runtime.startswith("onnxruntime ")
    assert "in float32" in encoder.runtime
    assert encoder.spec.precision == "int8"
    assert opened[-1] == FLOAT_ENGINE


def test_the_measured_reason_names_what_the_others_gave_and_is_kept(
    wanted: Wanted, opened: list[str], wrong: str
) -> None:
    said = load_chosen(wanted, RuntimeName.AUTO).runtime
    assert f"(openvino not: {wrong}, onnxruntime not: {wrong})" in said
    opened.clear()
    assert load_chosen(wanted, RuntimeName.AUTO).runtime == said
    assert opened == [FLOAT_ENGINE]


def test_openvino_by_name_is_refused_with_the_cosine_where_its_products_overflow(
    wanted: Wanted, opened: list[str], wrong: str
) -> None:
    with pytest.raises(EncoderOptionsError) as refused:
        load_chosen(wanted, RuntimeName.OPENVINO)
    assert refused.value.message == f"openvino cannot run bundled-int8 here (openvino: {wrong})"
    assert refused.value.subject == "runtime"
    assert opened == ["openvino"]


@pytest.mark.parametrize("runtime", [RuntimeName.AUTO, RuntimeName.ONNXRUNTIME])
def test_float32_arithmetic_is_not_opened_where_eight_bit_products_are_right(
    runtime: RuntimeName, wanted: Wanted, made: Quantised, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    class Right(Overflowing):
        def run(self, batch: RGB) -> Vectors:
            return made.check[: len(batch)]

    def open_here(name: str, *_: object) -> Engine:
        names.append(name)
        return Right(made)

    monkeypatch.setattr(selection, "open_engine", open_here)
    assert "float32" not in load_chosen(wanted, runtime).runtime
    assert FLOAT_ENGINE not in names


def test_an_encoder_that_not_even_float32_arithmetic_gives_back_is_refused(
    wanted: Wanted, made: Quantised, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "open_engine", lambda *_: Overflowing(made))
    with pytest.raises(EncoderOptionsError, match=f"; onnxruntime-float32: {wrong}"):
        load_chosen(wanted, RuntimeName.AUTO)
