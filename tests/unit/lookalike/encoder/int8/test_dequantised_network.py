"""An int8 encoder without a float32 form: what explains its scores is made of its own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.encoder.int8.artifact import read_quantised
from lookalike.encoder.int8.dequantised_network import load_dequantised
from lookalike.encoder.registry import BUNDLED_FAST, BUNDLED_INT8, BUNDLED_QUANTISED
from lookalike.encoder.runtimes.benchmark import synthetic_pictures
from lookalike.encoder.runtimes.selection import load_on_runtime
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder
from lookalike.errors import WeightsInvalidError
from lookalike.options import EncoderRequest, RuntimeName
from lookalike.testing import make_picture


@pytest.mark.parametrize("name", BUNDLED_QUANTISED)
def test_the_network_of_an_int8_file_gives_its_vectors(name: str) -> None:
    made = read_quantised(name, Path("none"))
    encoder = TorchEncoder(load_dequantised(made.model, made.spec), made.spec)
    vectors = encoder.forward(synthetic_pictures(made.spec.input_size))
    assert (vectors * made.check).sum(axis=1).min() >= 0.998


def test_a_file_of_another_network_is_refused() -> None:
    made, other = (read_quantised(name, Path("none")) for name in (BUNDLED_FAST, BUNDLED_INT8))
    with pytest.raises(WeightsInvalidError, match=r"bundled-fast\.onnx"):
        load_dequantised(made.model, other.spec)


def test_it_explains_a_score_though_its_float32_form_is_nowhere(encoders_folder: Path) -> None:
    encoder = load_on_runtime(EncoderRequest(BUNDLED_FAST), encoders_folder, RuntimeName.ONNXRUNTIME)
    first, second = (encoder.prepare(make_picture(seed, (200, 160))) for seed in (1, 2))
    vectors = encoder.forward(np.stack([first, second]))
    evidence = encoder.explain(first, second)
    assert evidence.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)
    for side in (0, 1):
        shares = sum(part.shares[side] for part in evidence.parts)
        assert shares + evidence.rests[side] == pytest.approx(evidence.score, abs=1e-4)
    assert [part.name for part in evidence.parts][-1] == "colour"
    assert max(np.abs(heat).max() for part in evidence.parts for heat in part.heats) > 0
