"""An encoder, a size or a fusion that there is not is refused at once: nothing is loaded, no process is started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike.encoder.int8.artifact import read_quantised
from lookalike.encoder.request_check import check_request
from lookalike.encoder.weights.file_format import read_recipe
from lookalike.encoder.weights.installed import Record, bundled_weights
from lookalike.errors import (
    EncoderNotInstalledError,
    EncoderOptionsError,
    EncoderUnknownError,
    WeightsInvalidError,
)
from lookalike.options import EncoderRequest
from tests.helpers.encoder_files import TINY, write_tiny

SIZE_OF_INT8 = read_quantised("bundled-int8", Path()).spec.input_size
BUNDLED = read_recipe(bundled_weights("bundled"))
assert BUNDLED is not None
SIZE = BUNDLED.input_size

HEAVY = ["timm", "torch", "torchvision"]
WATCH = f"""
import json, sys
started = []
sys.addaudithook(lambda event, arguments: started.append(event) if event == "subprocess.Popen" else None)
heavy = lambda: [name for name in {HEAVY} if name in sys.modules]
"""


def run(program: str) -> Any:
    """What a new Python prints as JSON at the end of ``program``, which may use ``started`` and ``heavy``."""
    ended = subprocess.run(
        [sys.executable, "-c", WATCH + program], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(ended.stdout.splitlines()[-1])


PUBLISHED = b"\x02\0\0\0\0\0\0\0{}"
"""A safetensors file that says nothing of its network, as publishers write them; it has no tensor."""


def install(folder: Path, name: str, model: str, input_size: int | None = None, *, fixed: bool = False) -> None:
    """Put an installed network into a folder of encoders: its record, and a file of weights that holds none."""
    (folder / name).mkdir(parents=True)
    Record(name, model, "", None, "0" * 64, "mit", "2026-01-01", input_size, fixed).write(folder / name)
    (folder / name / "weights.safetensors").write_bytes(PUBLISHED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of encoders with two networks of the table and two others, and a file in lookalike's own format."""
    folder = tmp_path_factory.mktemp("encoders")
    write_tiny(folder / "tiny.safetensors")
    (folder / "published.pth").write_bytes(b"nobody reads this")
    install(folder, "inception_v3", "inception_v3.tf_in1k")
    install(folder, "resnet50", "resnet50.a1_in1k")
    return folder


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"name": "nonsense"}, "encoder-unknown", "no encoder 'nonsense'"),
    ({"name": "resnet5O"}, "encoder-unknown", "alike are resnet50"),
    ({"name": "nonsense-int8"}, "encoder-unknown", "no encoder 'nonsense'"),
    ({"name": "test_resnet"}, "encoder-unknown", "no encoder 'test_resnet'"),
    ({"name": "vgg16"}, "encoder-not-installed", "encoders install vgg16"),
    ({"name": "vgg16-int8"}, "encoder-not-installed", "encoders quantise vgg16"),
    ({"name": "bundled", "input_size": 40}, "encoder-options-invalid", "from 32 to 512"),
    ({"name": "bundled", "input_size": 1024}, "encoder-options-invalid", "from 32 to 512"),
    ({"name": "bundled", "input_size": 16}, "encoder-options-invalid", f"choose {SIZE}, or"),
    ({"name": "bundled-int8", "input_size": 64}, "encoder-options-invalid", f"{SIZE_OF_INT8} pixels and no other"),
    ({"name": "bundled-resnet18", "input_size": 1024}, "encoder-options-invalid", "from 32 to 512"),
    ({"name": "bundled", "fusion": "median"}, "encoder-options-invalid", "no fusion 'median'"),
    ({"name": TINY + ":{folder}/tiny.safetensors", "input_size": 72}, "encoder-options-invalid", "choose 64, or"),
    ({"name": "alexnet:{folder}/published.pth", "input_size": 48}, "encoder-options-invalid", "from 64 to 512"),
]


def test_what_there_is_not_is_refused_without_pytorch_and_without_a_process(folder: Path) -> None:
    requests = [{**request, "name": request["name"].format(folder=folder)} for request, _, _ in REFUSED]
    program = f"""
from pathlib import Path
from lookalike.options import EncoderRequest
from lookalike.errors import LookalikeError
from lookalike.wiring import load_encoder
outcomes = []
for request in {requests!r}:
    for runtime in ("auto", "torch"):
        try:
            load_encoder(EncoderRequest(**request), Path({str(folder)!r}), runtime)
            outcomes.append(["", "loaded"])
        except LookalikeError as error:
            outcomes.append([error.code, error.message])
print(json.dumps([outcomes, started, heavy()]))
"""
    outcomes, started, heavy = run(program)
    expected = [(code, words) for _, code, words in REFUSED for _ in ("auto", "torch")]
    for (code, message), (expected_code, words) in zip(outcomes, expected, strict=True):
        assert code == expected_code, message
        assert words in message
    assert started == []
    assert heavy == []


def test_a_service_refuses_what_there_is_not_without_loading_pytorch(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from lookalike.wiring import prefer_runtime
from tests.service.harness import serving
prefer_runtime("onnxruntime")
folder = Path({str(tmp_path)!r})
picture = encode_png(make_picture(1))
files = {{"image_a": ("a.png", picture), "image_b": ("b.png", picture)}}
asked = [{{"encoder": "nonsense"}}, {{"input_size": "40"}}, {{"input_size": "1024"}}]
with serving(folder / "data", places=Places(folder / "data", encoders=folder)) as service:
    before = len(started)
    answers = [service.post("/compare", files=files, data=fields) for fields in asked]
    print(json.dumps([[[a.status_code, a.json()["code"], a.text] for a in answers], started[before:], heavy()]))
"""
    (unknown, small, large), started, heavy = run(program)
    assert unknown[:2] == [404, "encoder-unknown"]
    assert small[:2] == [422, "encoder-options-invalid"]
    assert "from 32 to 512" in small[2]
    assert large[0] == 422
    assert "512" in large[2]
    assert started == []
    assert heavy == []


def test_the_smallest_size_is_that_of_the_network(folder: Path) -> None:
    check_request(EncoderRequest("inception_v3", input_size=80), folder)
    with pytest.raises(EncoderOptionsError, match="choose 299, or a multiple of 16 from 80 to 512"):
        check_request(EncoderRequest("inception_v3", input_size=64), folder)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("inception_v3", 299),
        ("resnet50", 512),
        ("resnet50", 32),
        ("bundled", SIZE),
        ("bundled-resnet18", 64),
        (TINY, 64),
    ],
)
def test_a_size_that_a_network_can_have_is_let_through(folder: Path, name: str, size: int) -> None:
    check_request(
        EncoderRequest(f"{name}:{folder / 'tiny.safetensors'}" if name == TINY else name, input_size=size), folder
    )


def test_what_only_the_network_can_say_is_left_to_it(tmp_path: Path) -> None:
    """A file of a network that is not in the table, in its publisher's format: only timm knows its size."""
    (tmp_path / "net.pth").write_bytes(b"nobody reads this")
    check_request(EncoderRequest(f"test_vit:{tmp_path / 'net.pth'}", input_size=96), tmp_path)


def test_an_installed_network_that_is_bound_to_its_size_takes_no_other(tmp_path: Path) -> None:
    install(tmp_path, "test_vit", "test_vit.r160_in1k", 160, fixed=True)
    check_request(EncoderRequest("test_vit", input_size=160), tmp_path)
    with pytest.raises(EncoderOptionsError, match="160 pixels only"):
        check_request(EncoderRequest("test_vit", input_size=96), tmp_path)


def test_weights_of_another_model_than_the_name_stands_for_are_not_taken_for_it(tmp_path: Path) -> None:
    install(tmp_path, "efficientnet_lite0", "efficientnet_lite0.ra_in1k", 224)
    with pytest.raises(WeightsInvalidError, match=r"of efficientnet_lite0\.ra_in1k, .* install efficientnet_lite0"):
        check_request(EncoderRequest("efficientnet_lite0"), tmp_path)


def test_without_a_size_only_the_name_is_checked(tmp_path: Path) -> None:
    install(tmp_path, "resnet50", "resnet50.a1_in1k")
    check_request(EncoderRequest("resnet50"), tmp_path)
    with pytest.raises(EncoderNotInstalledError):
        check_request(EncoderRequest("resnet18"), tmp_path)
    with pytest.raises(EncoderUnknownError):
        check_request(EncoderRequest("resnet_eighteen_or_so"), tmp_path)
