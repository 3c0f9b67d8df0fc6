"""What runs a network: the fastest that gives the reference's vectors, measured once; else PyTorch."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.export.cache import export_folder
from lookalike.encoder.runtimes import benchmark, runners, selection
from lookalike.encoder.runtimes.benchmark import describe_choice
from lookalike.encoder.runtimes.exported import split_batch
from lookalike.encoder.runtimes.selection import load_on_runtime
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder, load_torch_encoder
from lookalike.errors import EncoderOptionsError
from lookalike.options import EncoderRequest, RuntimeName
from lookalike.wiring import prefer_runtime
from tests.helpers.encoder_files import TINY, write_tiny


class Runs:
    """Stands for OpenVINO or ONNX Runtime: gives what the reference gives, turned by an angle, and counts calls."""

    def __init__(self, reference: TorchEncoder, angle: float) -> None:
        self.reference = reference
        self.angle = angle
        self.calls = 0

    @property
    def version(self) -> str:
        return "fast 1"

    def run(self, batch: RGB) -> Vectors:
        self.calls += 1
        vectors = self.reference.forward(batch)
        cosine, sine = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        turned: Vectors = cosine * vectors + sine * _across(vectors)
        return turned


def _across(vectors: Vectors) -> Vectors:
    """Unit vectors at right angles to these."""
    other = np.zeros_like(vectors)
    other[:, 0], other[:, 1] = -vectors[:, 1], vectors[:, 0]
    across: Vectors = other / np.linalg.norm(other, axis=1, keepdims=True)
    return across


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EncoderRequest:
    """A tiny network whose export is a few bytes, made in this process, where runners can be stood in for."""
    write_tiny(tmp_path / "tiny.safetensors")
    monkeypatch.setattr(TorchEncoder, "export_onnx", lambda _: b"network")
    monkeypatch.setattr(selection, "run_in_subprocess", lambda work, *arguments: work(*arguments))
    return EncoderRequest(f"{TINY}:{tmp_path / 'tiny.safetensors'}")


def stand_in_runners(monkeypatch: pytest.MonkeyPatch, reference: TorchEncoder, angles: dict[str, float]) -> list[str]:
    """Runners whose vectors are off by these angles; one that is not named cannot be opened. Returns what is opened."""
    opened: list[str] = []

    def open_runner(name: str, *_: Any) -> Runs:
        opened.append(name)
        if name not in angles:
            raise ImportError(f"No module named {str(name)!r}")
        return Runs(reference, angles[name])

    monkeypatch.setattr(runners, "open_runner", open_runner)
    return opened


def costing(monkeypatch: pytest.MonkeyPatch, **milliseconds: float) -> None:
    monkeypatch.setattr(benchmark, "measure_costs", lambda runs, _: {name: milliseconds[name] for name in runs})


def test_the_fastest_is_chosen_and_the_reason_has_the_figures() -> None:
    choice = describe_choice({"torch": 20.0, "openvino": 4.0, "onnxruntime": 6.5}, {})
    assert choice["runtime"] == "openvino"
    assert choice["reason"] == (
        "the fastest here by measurement: 4.0 ms of CPU a picture (torch 20.0, onnxruntime 6.5)"
    )


def test_a_runtime_with_other_vectors_is_never_chosen_however_fast(
    tiny: EncoderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # cos(0.02) = 0.9998 is too little, cos(0.01) = 0.99995 is enough
    stand_in_runners(monkeypatch, load_torch_encoder(tiny, tmp_path), {"openvino": 0.02, "onnxruntime": 0.01})
    costing(monkeypatch, torch=9.0, openvino=1.0, onnxruntime=2.0)
    encoder = load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert "onnxruntime" not in encoder.runtime.split(",")[0]  # the stand-in's own words
    assert "2.0 ms of CPU a picture (torch 9.0, openvino rejected: cosine 0.99980 to the reference)" in encoder.runtime


def test_pytorch_serves_when_it_is_the_fastest_and_says_so(
    tiny: EncoderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_runners(monkeypatch, load_torch_encoder(tiny, tmp_path), {"openvino": 0.0})
    costing(monkeypatch, torch=3.0, openvino=5.0)
    encoder = load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert isinstance(encoder, TorchEncoder)
    assert (
        "3.0 ms of CPU a picture (openvino 5.0, onnxruntime rejected: No module named 'onnxruntime')" in encoder.runtime
    )


def test_it_is_measured_once_and_again_when_the_machine_or_a_version_changes(
    tiny: EncoderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = stand_in_runners(monkeypatch, load_torch_encoder(tiny, tmp_path), {"openvino": 0.0, "onnxruntime": 0.0})
    costing(monkeypatch, torch=9.0, openvino=1.0, onnxruntime=2.0)
    load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert sorted(opened) == ["onnxruntime", "openvino", "openvino"]
    opened.clear()
    load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert opened == ["openvino"]
    compiled = export_folder(tiny, tmp_path) / "123.blob"
    compiled.write_bytes(b"compiled by openvino")
    load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert compiled.exists()
    monkeypatch.setattr(benchmark, "_processor", lambda: "another one")
    costing(monkeypatch, torch=9.0, openvino=3.0, onnxruntime=2.0)
    opened.clear()
    load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert sorted(opened) == ["onnxruntime", "onnxruntime", "openvino"]
    assert not compiled.exists()


def test_a_folder_that_cannot_be_written_leaves_pytorch_and_says_so(tiny: EncoderRequest, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("in the way")
    encoder = load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert isinstance(encoder, TorchEncoder)
    assert "cannot be exported" in encoder.runtime
    assert "exports" in encoder.runtime


def test_a_runtime_that_was_asked_for_is_not_replaced_by_another(
    tiny: EncoderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_runners(monkeypatch, load_torch_encoder(tiny, tmp_path), {"onnxruntime": 0.0})
    with pytest.raises(EncoderOptionsError, match=r"^openvino cannot run test_resnet:.* No module named 'openvino'"):
        load_on_runtime(tiny, tmp_path, RuntimeName.OPENVINO)
    assert load_on_runtime(tiny, tmp_path, RuntimeName.ONNXRUNTIME).runtime == "fast 1, as requested"


def test_each_runtime_that_can_be_named_has_a_module() -> None:
    for name in runners.EXPORT_RUNTIMES:
        assert callable(import_module(f"lookalike.encoder.runtimes.{name}_runtime").open_runner)


def test_a_runtime_that_there_is_not_is_refused() -> None:
    with pytest.raises(
        EncoderOptionsError, match="no runtime 'tensorrt'; there are: auto, torch, openvino, onnxruntime"
    ):
        prefer_runtime("tensorrt")


def test_an_export_that_fails_leaves_pytorch_or_is_refused_in_its_words(
    tiny: EncoderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_in_subprocess(*_: object) -> None:
        raise RuntimeError("there is no such layer in ONNX")

    monkeypatch.setattr(selection, "run_in_subprocess", run_in_subprocess)
    encoder = load_on_runtime(tiny, tmp_path, RuntimeName.AUTO)
    assert isinstance(encoder, TorchEncoder)
    assert encoder.runtime.endswith("it cannot be exported (there is no such layer in ONNX)")
    with pytest.raises(
        EncoderOptionsError, match=r"^openvino cannot run test_resnet:.*: there is no such layer in ONNX$"
    ):
        load_on_runtime(tiny, tmp_path, RuntimeName.OPENVINO)


def test_a_size_that_a_network_cannot_have_is_refused_as_it_is_with_pytorch(tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny.safetensors")
    odd_size = EncoderRequest(f"{TINY}:{tmp_path / 'tiny.safetensors'}", None, 100)
    words = []
    for runtime in (RuntimeName.TORCH, RuntimeName.AUTO):
        with pytest.raises(EncoderOptionsError) as caught:
            load_on_runtime(odd_size, tmp_path, runtime)
        words.append((caught.value.message, caught.value.subject))
    assert words[0] == words[1]
    assert words[0][0].startswith("input_size 100 is not possible: choose 64, or a multiple of 16")


@pytest.mark.parametrize(
    ("pictures", "cores", "sizes"),
    [(1, 4, [1]), (3, 2, [2, 1]), (16, 2, [8, 8]), (17, 2, [6, 6, 5]), (32, 16, [2] * 16), (8, 1, [8])],
)
def test_a_batch_is_shared_out_evenly_and_at_most_eight_at_a_time(pictures: int, cores: int, sizes: list[int]) -> None:
    batch = np.arange(pictures, dtype=np.uint8)[:, None, None, None]
    parts = split_batch(batch, cores)
    assert [len(part) for part in parts] == sizes
    np.testing.assert_array_equal(np.concatenate(parts), batch)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of encoders whose first export a service made when it was asked for it, and what that service says."""
    folder = tmp_path_factory.mktemp("asked")
    program = f"""
import sys
from pathlib import Path
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from lookalike.wiring import prefer_runtime
from tests.service.harness import serving
prefer_runtime("onnxruntime")
folder = Path({str(folder)!r})
places = Places(folder / "data", encoders=folder)
with serving(folder / "data", places=places, request_timeout=110.0) as service:
    fields = {{"encoder": "bundled", "input_size": "64"}}
    answer = service.post("/embed", files={{"image": ("a.png", encode_png(make_picture(1)))}}, data=fields).json()
print(answer["encoder"], answer["input_size"], len(answer["vector"]), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return folder, done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_service_does_not_load_pytorch_for_a_size_that_nobody_asked_for_before(asked: tuple[Path, str]) -> None:
    assert export_folder(EncoderRequest("bundled", None, 64), asked[0]).is_dir()
    assert asked[1] == "bundled 64 608 False"


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_kept_export_serves_without_pytorch(runtime: str, asked: tuple[Path, str]) -> None:
    program = f"""
import sys
from pathlib import Path
import numpy as np
import service.app
from lookalike.options import EncoderRequest
from lookalike.wiring import load_encoder
encoder = load_encoder(EncoderRequest("bundled", None, 64), Path({str(asked[0])!r}), {runtime!r})
vectors = encoder.forward(np.full((3, 64, 64, 3), 7, np.uint8))
print(vectors.shape, encoder.runtime.split()[0], "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == f"(3, 608) {runtime} False"
