"""Installing published weights from a hub: verified, whole or not at all, and honest about what went wrong.

The hub is a real HTTP server on this machine that answers as the hub's resolve endpoint does.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lookalike.encoder.load import load_network
from lookalike.encoder.telemetry import import_huggingface_hub
from lookalike.encoder.weights import install as installation
from lookalike.encoder.weights.installed import installed_names, read_record
from lookalike.encoder.weights.publishers import PublishedWeights, find_network, find_published
from lookalike.errors import (
    DataPathError,
    DiskFullError,
    DownloadError,
    EncoderNotInstalledError,
    EncoderUnknownError,
    LookalikeError,
    WeightsInvalidError,
)
from lookalike.options import EncoderRequest
from tests.helpers.encoder_files import classifier, write_published

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What the server holds, how it misbehaves, and what was asked of it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etag: str | None = None
        self.stop_after: int | None = None
        self.nonsense = False
        self.in_pieces = False
        self.asked: list[tuple[str, str]] = []
        self.address = ""


class Handler(BaseHTTPRequestHandler):
    held: Hub

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        self.held.asked.append((self.command, self.path))
        if self.held.nonsense:
            self.wfile.write(b"this is no status line\r\n\r\n")
            return
        parts = self.path.strip("/").split("/")
        name = "/".join(parts[:2] + parts[4:]) if "resolve" in parts else "/".join(parts)
        content = self.held.files.get(name)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{self.held.etag or hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        if self.held.in_pieces:  # has the client fetch it with its downloader in Rust, from a server that is not here
            self.send_header("X-Xet-Hash", hashlib.sha256(content).hexdigest())
            self.send_header("X-Xet-Refresh-Route", f"{self.held.address}/refresh")
        self.end_headers()
        if with_body:
            self.wfile.write(content[: self.held.stop_after])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at ``asked``."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(import_huggingface_hub("constants"), "HF_HUB_OFFLINE", False)
    held = Hub()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"held": held}))
    held.address = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
    thread.start()
    yield held
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def weights(server: Hub, tmp_path: Path) -> bytes:
    """A tiny network's published weights, put on the hub."""
    path = tmp_path / "published.safetensors"
    write_published(path, classifier("test_resnet"))
    server.files["timm/test_resnet.r160_in1k/model.safetensors"] = path.read_bytes()
    return path.read_bytes()


def install(server: Hub, folder: Path, name: str = "test_resnet") -> Path:
    return installation.install(name, folder, endpoint=server.address)


def test_installed_weights_are_loaded_and_remember_where_they_came_from(
    server: Hub, weights: bytes, tmp_path: Path
) -> None:
    folder = install(server, tmp_path / "new" / "encoders")
    assert folder == tmp_path / "new" / "encoders" / "test_resnet"
    assert sorted(path.name for path in folder.iterdir()) == ["encoder.json", "weights.safetensors"]
    assert (folder / "weights.safetensors").read_bytes() == weights
    digest = hashlib.sha256(weights).hexdigest()
    record = read_record("test_resnet", folder.parent)
    assert record.source == f"{server.address}/timm/test_resnet.r160_in1k/resolve/main/model.safetensors"
    assert (record.revision, record.digest, record.licence) == (COMMIT, digest, "apache-2.0")
    assert len(record.installed) == len("2026-01-31")
    network, spec = load_network(EncoderRequest("test_resnet"), folder.parent)
    assert spec.weights_digest == digest
    wanted = classifier("test_resnet").state_dict()["layer4.0.conv1.weight"]
    assert torch.equal(network.backbone.state_dict()["layer4.0.conv1.weight"], wanted)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_only_the_encoder_is_left_and_the_umask_says_who_may_read_it(
    umask: int, mode: int, server: Hub, weights: bytes, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        folder = install(server, tmp_path / "encoders")
    finally:
        os.umask(before)
    assert [path.name for path in (tmp_path / "encoders").iterdir()] == ["test_resnet"]
    assert installed_names(tmp_path / "encoders") == ["test_resnet"]
    for path in (folder / "weights.safetensors", folder / "encoder.json"):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_progress_ends_with_all_bytes(server: Hub, weights: bytes, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    installation.install(
        "test_resnet", tmp_path, endpoint=server.address, report=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (len(weights), len(weights))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_nothing_is_drawn_on_the_terminal(
    server: Hub, weights: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    install(server, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_installed_again_nothing_is_asked_of_the_hub(server: Hub, weights: bytes, tmp_path: Path) -> None:
    folder = install(server, tmp_path)
    server.asked.clear()
    assert install(server, tmp_path) == folder
    assert server.asked == []


def test_weights_of_another_model_than_the_name_stands_for_now_are_replaced(
    server: Hub, weights: bytes, tmp_path: Path
) -> None:
    folder = install(server, tmp_path)
    record = json.loads((folder / "encoder.json").read_text())
    (folder / "encoder.json").write_text(json.dumps({**record, "model": "test_resnet.of_an_earlier_release"}))
    server.asked.clear()
    install(server, tmp_path)
    assert server.asked
    assert read_record("test_resnet", tmp_path).model == "test_resnet.r160_in1k"


def test_damaged_weights_are_refused_and_mended_by_installing_again(
    server: Hub, weights: bytes, tmp_path: Path
) -> None:
    folder = install(server, tmp_path)
    damaged = bytearray(weights)
    damaged[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(damaged)
    with pytest.raises(WeightsInvalidError, match="not what was installed"):
        load_network(EncoderRequest("test_resnet"), tmp_path)
    install(server, tmp_path)
    load_network(EncoderRequest("test_resnet"), tmp_path)


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"name": 1}', "\x00"])
def test_a_damaged_record_is_refused_and_mended_by_installing_again(
    server: Hub, weights: bytes, tmp_path: Path, record: str
) -> None:
    folder = install(server, tmp_path)
    (folder / "encoder.json").write_text(record)
    with pytest.raises(WeightsInvalidError, match=r"encoder\.json"):
        load_network(EncoderRequest("test_resnet"), tmp_path)
    install(server, tmp_path)
    assert json.loads((folder / "encoder.json").read_text())["name"] == "test_resnet"


def test_the_folder_can_be_copied_to_a_machine_without_network(server: Hub, weights: bytes, tmp_path: Path) -> None:
    folder = install(server, tmp_path / "here")
    shutil.copytree(folder, tmp_path / "there" / "test_resnet")
    here = load_network(EncoderRequest("test_resnet"), tmp_path / "here")[1]
    there = load_network(EncoderRequest("test_resnet:hub"), tmp_path / "there")[1]
    by_path = load_network(EncoderRequest(f"test_resnet:{folder / 'weights.safetensors'}"), tmp_path)[1]
    assert here.digest == there.digest == by_path.digest


def assert_nothing_installed(folder: Path, name: str = "test_resnet") -> None:
    assert not folder.exists() or list(folder.iterdir()) == []
    with pytest.raises(EncoderUnknownError if name == "test_resnet" else EncoderNotInstalledError):
        load_network(EncoderRequest(name), folder)


def test_other_bytes_than_announced_are_refused(server: Hub, weights: bytes, tmp_path: Path) -> None:
    server.etag = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(DownloadError, match="arrived damaged"):
        install(server, tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders")


def test_a_hub_that_announces_no_digest_is_believed_only_if_the_weights_fit(
    server: Hub, weights: bytes, tmp_path: Path
) -> None:
    server.etag = "0123abc"
    install(server, tmp_path / "good")
    server.files["timm/test_resnet.r160_in1k/model.safetensors"] = weights[: len(weights) // 2]
    with pytest.raises(WeightsInvalidError, match="damaged"):
        install(server, tmp_path / "bad")
    assert_nothing_installed(tmp_path / "bad")


def test_weights_of_another_network_are_not_installed(server: Hub, weights: bytes, tmp_path: Path) -> None:
    write_published(tmp_path / "other.safetensors", classifier("test_convnext"))
    server.files["timm/test_resnet.r160_in1k/model.safetensors"] = (tmp_path / "other.safetensors").read_bytes()
    with pytest.raises(WeightsInvalidError, match="is no test_resnet"):
        install(server, tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders")


def test_an_unreachable_hub_is_named_with_ways_out(tmp_path: Path, server: Hub) -> None:
    closed = "http://127.0.0.1:9"
    with pytest.raises(DownloadError) as caught:
        installation.install("resnet50", tmp_path / "encoders", endpoint=closed)
    for part in (closed, "timm/resnet50.a1_in1k", "HF_ENDPOINT", "resnet50:/path/to/", "copy the folder resnet50"):
        assert part in caught.value.message
    assert caught.value.subject == "resnet50"
    assert_nothing_installed(tmp_path / "encoders")


def test_a_hub_without_the_repository_is_an_error(tmp_path: Path, server: Hub) -> None:
    with pytest.raises(DownloadError, match=r"timm/test_resnet.r160_in1k"):
        install(server, tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders")


def test_an_offline_client_says_so(tmp_path: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_huggingface_hub("constants"), "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=r"(?i)offline"):
        install(server, tmp_path / "encoders")
    assert server.asked == []


def test_the_clients_log_and_cache_are_not_left_in_the_home(
    server: Hub, weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    server.in_pieces = True
    server.files["refresh"] = b"{}"
    with pytest.raises(DownloadError):
        install(server, tmp_path / "encoders")
    assert ("GET", "/refresh") in server.asked
    assert not (tmp_path / "home").exists()
    assert list((tmp_path / "encoders").iterdir()) == []


def test_ctrl_c_leaves_nothing_behind(server: Hub, weights: bytes, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        installation.install("test_resnet", tmp_path / "encoders", endpoint=server.address, report=interrupt)
    assert_nothing_installed(tmp_path / "encoders")


def test_a_full_disk_leaves_nothing_behind(server: Hub, weights: bytes, tmp_path: Path) -> None:
    def fill(done: int, total: int | None) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFullError, match="no room"):
        installation.install("test_resnet", tmp_path / "encoders", endpoint=server.address, report=fill)
    assert_nothing_installed(tmp_path / "encoders")


SYSTEM_IN_RUST = "Error while serializing: I/O error: No space left on device (os error 28)"


@pytest.mark.parametrize(
    ("words", "expected"), [(SYSTEM_IN_RUST, DiskFullError), ("Data processing error: timed out", DownloadError)]
)
def test_the_downloader_in_rust_is_understood(
    server: Hub, weights: bytes, tmp_path: Path, words: str, expected: type[LookalikeError]
) -> None:
    def stop(done: int, total: int | None) -> None:
        raise RuntimeError(words)

    with pytest.raises(expected):
        installation.install("test_resnet", tmp_path / "encoders", endpoint=server.address, report=stop)
    assert_nothing_installed(tmp_path / "encoders")


@pytest.mark.parametrize(
    ("words", "expected"), [(SYSTEM_IN_RUST, DiskFullError), ("Error while serializing: I/O error", DataPathError)]
)
def test_a_disk_that_fills_while_a_plain_file_is_rewritten_leaves_nothing_behind(
    server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, expected: type[LookalikeError]
) -> None:
    write_published(tmp_path / "alexnet.pth", classifier("alexnet", 3))
    publish_elsewhere(server, monkeypatch, "alexnet", (tmp_path / "alexnet.pth").read_bytes(), "alexnet.pth")

    def fill(*_: object) -> None:
        raise SafetensorError(words)

    monkeypatch.setattr("safetensors.torch.save_file", fill)
    with pytest.raises(expected):
        installation.install("alexnet", tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders", "alexnet")


def test_what_a_killed_installation_left_is_removed_by_the_next(server: Hub, weights: bytes, tmp_path: Path) -> None:
    left = tmp_path / f".test_resnet-{'0a' * 16}"
    others = [tmp_path / f".test_resnet.r160_in1k-{'0a' * 16}", tmp_path / ".test_resnet-mine", tmp_path / "test"]
    for folder in (left, *others):
        (folder / "downloads").mkdir(parents=True)
    install(server, tmp_path)
    assert sorted(tmp_path.glob("*/downloads")) == sorted(folder / "downloads" for folder in others)
    assert not left.exists()


def test_an_installation_that_still_runs_is_left_alone_by_another(server: Hub, weights: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "encoders"
    began: list[Path] = []

    def install_meanwhile(done: int, total: int | None) -> None:
        if not began:
            began.extend(folder.glob(".test_resnet-*"))
            install(server, folder)
            assert began[0].exists()

    installation.install("test_resnet", folder, endpoint=server.address, report=install_meanwhile)
    assert len(began) == 1
    assert [path.name for path in folder.iterdir()] == ["test_resnet"]
    load_network(EncoderRequest("test_resnet"), folder)


def test_a_folder_that_cannot_be_made_is_named(server: Hub, weights: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataPathError, match="file"):
        install(server, tmp_path / "file")


def test_an_unknown_name_asks_nothing_of_the_hub(server: Hub, tmp_path: Path) -> None:
    with pytest.raises(EncoderUnknownError):
        install(server, tmp_path, "resnet_fifty")
    assert server.asked == []


def publish_elsewhere(server: Hub, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, file: str) -> None:
    """Let ``name`` be published as a plain file on the server, as alexnet and xception are."""
    server.files[file] = content
    said = find_published(find_network(name))
    elsewhere = PublishedWeights(
        hub=None,
        url=f"{server.address}/{file}",
        licence=said.licence,
        input_size=said.input_size,
        input_size_fixed=False,
        resize=said.resize,
        crop_fraction=said.crop_fraction,
        mean=said.mean,
        std=said.std,
    )
    monkeypatch.setattr(installation, "find_published", lambda _: elsewhere)


def test_a_plain_file_is_checked_by_the_digest_in_its_name(
    server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = classifier("alexnet", 3)
    write_published(tmp_path / "alexnet.pth", network)
    content = (tmp_path / "alexnet.pth").read_bytes()
    file = f"models/alexnet-owt-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    publish_elsewhere(server, monkeypatch, "alexnet", content, file)
    told: list[int] = []
    folder = installation.install("alexnet", tmp_path / "encoders", report=lambda done, _: told.append(done))
    assert told[-1] == len(content)
    record = read_record("alexnet", folder.parent)
    assert record.source == f"{server.address}/{file}"
    assert record.revision is None
    assert record.digest == hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    kept = load_file(folder / "weights.safetensors")
    np.testing.assert_array_equal(kept["features.0.weight"], network.state_dict()["features.0.weight"])
    load_network(EncoderRequest("alexnet"), folder.parent)

    publish_elsewhere(server, monkeypatch, "alexnet", content, "models/alexnet-owt-00000000.pth")
    with pytest.raises(DownloadError, match="arrived damaged"):
        installation.install("alexnet", tmp_path / "second")


def test_a_connection_that_breaks_is_an_error(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_elsewhere(server, monkeypatch, "alexnet", b"0" * 10_000, "alexnet.pth")
    server.stop_after = 5_000
    with pytest.raises(DownloadError, match="5000 of 10000"):
        installation.install("alexnet", tmp_path / "encoders")
    assert not list((tmp_path / "encoders").iterdir())


def test_an_answer_that_is_no_http_is_an_error(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_elsewhere(server, monkeypatch, "alexnet", b"", "alexnet.pth")
    server.nonsense = True
    with pytest.raises(DownloadError, match="this is no status line"):
        installation.install("alexnet", tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders", "alexnet")


def test_a_hub_that_speaks_no_http_is_an_error(server: Hub, weights: bytes, tmp_path: Path) -> None:
    server.nonsense = True
    with pytest.raises(DownloadError, match=r"timm/test_resnet.r160_in1k"):
        install(server, tmp_path / "encoders")
    assert_nothing_installed(tmp_path / "encoders")
