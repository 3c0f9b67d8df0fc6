"""Every encoder that the help of ``export`` names can be written to a file, or the refusal says what to ask for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lookalike import Encoder
from lookalike.encoder.int8.artifact import in_the_box
from lookalike.encoder.telemetry import import_onnxruntime
from lookalike.testing import make_picture
from tests.e2e.conftest import Run, run

__all__ = ["run"]


def test_the_int8_encoder_is_exported_as_the_network_that_it_is(run: Run, tmp_path: Path) -> None:
    ended = run("export", "out.onnx", "--encoder", "bundled-int8", "--json")
    assert ended.code == 0, ended.err
    said = json.loads((tmp_path / "out.onnx.json").read_text(encoding="utf-8"))
    encoder = Encoder.load("bundled-int8")
    assert ended.answer["digest"] == said["digest"] == encoder.spec.digest
    assert (said["format"], said["spec"]["name"], said["spec"]["precision"]) == ("onnx", "bundled-int8", "int8")

    pictures = [make_picture(seed, (80, 60)) for seed in range(3)]
    squares = np.stack([encoder.prepare(picture) for picture in pictures])
    options = import_onnxruntime().SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = import_onnxruntime().InferenceSession(
        str(tmp_path / "out.onnx"), options, providers=["CPUExecutionProvider"]
    )
    (vectors,) = session.run([said["output"]["name"]], {said["input"]["name"]: squares})
    assert (vectors * encoder.encode(pictures)).sum(axis=1).min() > 0.99


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (["--format", "torchscript"], "choose onnx, or name bundled"),
        (["--format", "onnx-operator"], "choose onnx, or name bundled"),
        (["--fusion", "mean"], "leave both out, or name bundled"),
        (["--input-size", "96"], "leave both out, or name bundled"),
    ],
)
def test_a_form_that_the_int8_encoder_has_not_is_refused_with_what_to_ask_for(
    run: Run, tmp_path: Path, flags: list[str], advice: str
) -> None:
    ended = run("export", "out.onnx", "--encoder", "bundled-int8", *flags)
    assert (ended.code, advice in ended.err) == (1, True), ended.err
    assert not list(tmp_path.glob("out.onnx*"))


def test_the_help_names_every_encoder_in_the_box(run: Run) -> None:
    words = run("export", "--help").out.replace(",", " ").split()
    assert set(in_the_box()) <= set(words)
