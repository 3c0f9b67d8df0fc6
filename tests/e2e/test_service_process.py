"""``python -m service`` as a process: how it starts, how it refuses to, and how it stops."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from lookalike.options import EncoderRequest
from lookalike.wiring import load_encoder
from tests.conftest import running_on
from tests.e2e.conftest import Stock
from tests.e2e.processes import Program, Served, eventually
from tests.e2e.wire import Wire, form
from tests.helpers.encoder_files import TINY, write_tiny
from tests.service.harness import index

READ, WRITE = "a-key-that-may-only-read", "a-key-that-may-also-write"
NOWHERE = Path("/proc/nowhere")
"""A folder that nobody can make, not even root; nor can anything be written beside it."""


def sentence(program: Program, *arguments: str | Path, **environment: str) -> tuple[int, str]:
    """Exit code and stderr, without the end of the line, of a service that does not start; it has to be one line."""
    ended = program.run("-m", "service", *arguments, **environment)
    (line,) = ended.stderr.splitlines()
    return ended.returncode, line


# Refusing to start


def test_a_port_in_use_is_said_in_a_sentence(program: Program, stock: Stock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, line = sentence(program, "--data", stock.data, "--port", str(port))
    assert code == 2
    assert line.startswith(f"error: cannot listen on 127.0.0.1 port {port}: Address already in use")


def test_it_does_not_serve_other_machines_without_a_key(program: Program, stock: Stock) -> None:
    code, line = sentence(program, "--data", stock.data, "--host", "0.0.0.0", "--port", "0")
    assert code == 2
    assert line.startswith("error: 0.0.0.0 can be reached from other machines, and there is no API key")
    assert "LOOKALIKE_API_KEYS" in line


def test_a_file_in_place_of_the_data_folder_is_said(program: Program, stock: Stock) -> None:
    file = stock.folder / "000.jpg"
    code, line = sentence(program, "--data", file, "--port", "0")
    assert (code, line) == (2, f"error: the data folder {file} cannot be read: Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_data_folder_that_may_not_be_read_is_said(program: Program, tmp_path: Path) -> None:
    tmp_path.chmod(0)
    code, line = sentence(program, "--data", tmp_path, "--port", "0")
    tmp_path.chmod(0o700)
    assert (code, line) == (2, f"error: the data folder {tmp_path} cannot be read: Permission denied")


# As in a container: told by its environment alone, nothing to write but the data folder, no home


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True)
class Contained:
    """A service that started on a collection whose pointer was damaged, and what it said until that was mended."""

    served: Served
    while_broken: dict[str, httpx.Response]


@pytest.fixture(scope="module")
def contained(program: Program, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contained]:
    tmp = tmp_path_factory.mktemp("contained")
    data = shutil.copytree(stock.data, tmp / "data")
    pointer = data / "collections" / "shop" / "current.json"
    pointer.write_text("{")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = program.serve(
        tmp / "log",
        cwd=NOWHERE.parent,
        HOME=str(NOWHERE),
        LOOKALIKE_RUNTIME="auto",
        LOOKALIKE_DATA=str(data),
        LOOKALIKE_HOST="0.0.0.0",
        PORT=str(port),
        LOOKALIKE_API_KEYS=f"read:{READ},write:{WRITE}",
        LOOKALIKE_MAX_IN_FLIGHT="7",
        LOOKALIKE_LOG_LEVEL="info",
    )
    try:
        assert served.port == port
        served.wait_until_ready()
        while_broken = {
            "search": served.post("/search", bearer(READ), image=stock.picture),
            "compare": served.post("/compare", bearer(READ), image_a=stock.picture, image_b=stock.picture),
            "health": served.get("/health"),
        }
        shutil.copy(stock.data / "collections" / "shop" / "current.json", pointer)
        assert served.post("/collections/shop/refresh", bearer(WRITE)).status_code == 200
        yield Contained(served, while_broken)
    finally:
        served.stop()


def test_a_broken_collection_is_said_and_the_rest_works(contained: Contained) -> None:
    refused = contained.while_broken["search"]
    assert (refused.status_code, refused.json()["code"]) == (503, "snapshot-damaged")
    assert contained.while_broken["compare"].status_code == 200
    health = contained.while_broken["health"].json()
    assert (health["status"], health["problems"]) == ("degraded", ["a collection: snapshot-damaged"])
    line = contained.served.events("snapshot refused")[0]
    assert (line["level"], line["collection"], line["code"]) == ("error", "shop", "snapshot-damaged")
    assert "rollback" in line["why"], "it says what to run"


def test_once_it_is_mended_it_is_served(contained: Contained, stock: Stock) -> None:
    found = contained.served.post("/search", bearer(READ), image=stock.picture)
    assert found.json()["results"][0]["key"] == "000.jpg"
    assert contained.served.get("/health").json()["status"] == "ok"


def test_in_a_container_it_answers_whoever_has_a_key(contained: Contained, stock: Stock) -> None:
    served = contained.served

    def status(path: str, key: str | None, **pictures: bytes) -> int:
        return served.post(path, None if key is None else bearer(key), **pictures).status_code

    keys = (None, "a-key-that-is-not-known", READ)
    assert [status("/search", key, image=stock.picture) for key in keys] == [401, 401, 200]
    assert [status("/collections/shop/refresh", key) for key in (READ, WRITE)] == [403, 200]
    assert served.get("/").status_code == 200
    assert served.get("/encoders", bearer(READ)).json()["encoders"][0]["name"] == "bundled"
    assert served.get("/health").json()["capacity"] == 7


def test_in_a_container_a_search_works_under_any_name_and_address(contained: Contained, stock: Stock) -> None:
    found = httpx.post(
        f"http://127.0.0.2:{contained.served.port}/search",
        headers={**bearer(READ), "Host": "pictures.example"},
        files={"image": ("query.jpg", stock.picture)},
    )
    assert found.json()["results"][0]["key"] == "000.jpg"


def test_what_a_service_runs_with_is_that_of_the_wheel(contained: Contained, program: Program) -> None:
    mapped = {line.split()[-1] for line in Path(f"/proc/{contained.served.pid}/maps").read_text().splitlines()}
    (resizer,) = [Path(path) for path in mapped if "_resize" in path]
    assert resizer.is_relative_to(program.python.parents[1])


def test_a_service_that_is_told_nothing_runs_without_pytorch(contained: Contained) -> None:
    mapped = Path(f"/proc/{contained.served.pid}/maps").read_text()
    assert "libtorch" not in mapped
    health = contained.served.get("/health").json()
    assert health["runtime"].split()[0] in {"openvino", "onnxruntime"}
    assert health["operator"] is None


def test_no_log_line_has_a_key(contained: Contained) -> None:
    assert contained.served.events("request")
    assert not [line for line in contained.served.log if READ in str(line) or WRITE in str(line)]


# Collections that were made elsewhere


@pytest.fixture(scope="module")
def moved(program: Program, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on ONNX Runtime that starts on collections of the stock, each called after the runtime that made it."""
    tmp = tmp_path_factory.mktemp("moved")
    data, tiny = tmp / "data", f"{TINY}:{tmp / 'tiny.safetensors'}"
    write_tiny(tmp / "tiny.safetensors")
    for runtime, encoder in {"openvino": "bundled-int8", "torch": tiny}.items():
        with running_on(runtime):
            index(data, runtime, stock.folder, encoder)
    load_encoder(EncoderRequest(tiny), data / "encoders")  # exports it, which is quickest here
    served = program.serve(tmp / "log", "--data", data, "--encoders-dir", data / "encoders", "--port", "0")
    try:
        served.wait_until_ready()
        yield served
    finally:
        served.stop()


@pytest.mark.slow
@pytest.mark.parametrize("maker", ["openvino", "torch"])
def test_a_collection_that_another_runtime_made_finds_its_own_pictures(moved: Served, stock: Stock, maker: str) -> None:
    assert moved.get("/health").json()["runtime"].split()[0] == "onnxruntime"
    for path in sorted(stock.folder.iterdir()):
        picture = {"image": ("query.jpg", path.read_bytes())}
        answered = httpx.post(f"{moved.url}/search", data={"collection": maker}, files=picture)
        assert answered.status_code == 200, answered.text
        best = answered.json()["results"][0]
        assert best["key"] == path.name
        assert best["score"] >= 0.99


# Stopping


def test_asked_to_stop_it_finishes_what_is_in_flight_and_takes_nothing_new(
    program: Program, stock: Stock, tmp_path: Path
) -> None:
    served = program.serve(tmp_path / "log", "--data", stock.data, "--port", "0")
    body = form(stock.picture)
    half = len(body) // 2
    try:
        served.wait_until_ready()
        with Wire(served.port) as wire, httpx.Client(base_url=served.url) as idle:
            assert idle.get("/version").status_code == 200
            wire.begin("/search", f"Content-Length: {len(body)}")
            wire.send(body[:half])
            served.until(lambda: served.uploading() == len(body), "the request is being read")
            served.tell(signal.SIGTERM)
            eventually(lambda: served.events("Shutting down"), "it stops")
            eventually(lambda: _refuses(served.port), "it listens no more")
            wire.send(body[half:])
            assert wire.answer().json()["results"][0]["key"] == "000.jpg"
            assert served.ended() == 0
    finally:
        served.stop()


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False
