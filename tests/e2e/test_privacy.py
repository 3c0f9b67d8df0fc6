"""Nothing calls beyond this machine unasked, and nothing is left in a home but in lookalike's own folder.

Programs run under a guard that sees their children and compiled libraries too. Encoders run on OpenVINO, which would
report each of its imports.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from indexer.cli import all_commands
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.e2e.network_guard import OWN_FOLDER, VerbServer, WatchedProgram, serve_verbs, watch
from tests.e2e.processes import Program
from tests.helpers.encoder_files import TINY, write_tiny

VERBS = {
    "index": "index {pictures} -c other --data other",
    "reindex": "reindex",
    "plan": "plan {pictures}",
    "search": "search {picture} -c shop",
    "tags": "tags {picture}",
    "compare": "compare {picture} {picture}",
    "explain": "--runtime torch explain {picture} {picture} --encoder {tiny} --out explained.jpg",
    "montage": "montage {picture} -c shop --out montage.jpg",
    "duplicates": "duplicates -c shop",
    "cluster": "cluster -c shop --names-from-folders --csv clusters.csv",
    "outliers": "outliers -c shop --by quality",
    "mislabelled": "mislabelled -c shop --labels-from-folders",
    "map": "map -c shop",
    "evaluate": "evaluate {pictures} --out evaluated.html",
    "robustness": "robustness {pictures} --limit 4 --out robustness.html",
    "calibrate": "calibrate -c shop --labels-from-folders",
    "collections": "collections",
    "verify": "verify -c shop",
    "rollback": "rollback -c shop",
    "unpin": "unpin -c shop",
    "create": "create -c empty",
    "configure": "configure -c empty --column price:number --keep 4",
    "fold": "fold -c empty",
    "tag": "tag empty",
    "delete": "delete -c empty --confirm empty",
    "restore": "restore -c empty",
    "sample": "sample drawn --products 2",
    "fetch": "fetch imagenette fetched",
    "stats": "stats {pictures}",
    "doctor": "doctor",
    "embed": "embed {picture}",
    "export-items": "export-items -c shop items.parquet",
    "export": "export tiny.onnx --encoder {tiny}",
    "encoders": "encoders",
    "encoders install": "encoders install resnet50 --endpoint http://127.0.0.1:9",
    "encoders quantise": "--runtime torch encoders quantise {tiny} --pictures {pictures} --sample 50 --out int8.onnx",
    "encoders compare": "--runtime auto encoders compare bundled-int8 {tiny} -c shop",
}
"""A use of each verb; the last exports a network and measures what runs it, in a process of its own."""

ASKED_FOR = {"fetch": ["getaddrinfo s3.amazonaws.com"]}
"""Calls that a verb makes because it was asked to, all of them."""

UNREACHABLE = {"fetch": "s3.amazonaws.com", "encoders install": "127.0.0.1:9"}
"""Verbs that are asked to download, and what they say that they could not reach."""

LIBRARY = """
import numpy as np
from lookalike import Collection, Encoder
from lookalike.encoder import openvino_extension

picture = np.zeros((40, 40, 3), np.uint8)
Encoder.load().encode([picture])
openvino_extension.path(), openvino_extension.conversions()
with Collection.open("data", "shop") as collection:
    assert collection.search(picture, k=1)
"""


@dataclass(frozen=True)
class Shop:
    """A program, and what it is tried on; ``shop`` is a collection of two generations."""

    program: WatchedProgram
    pictures: Path
    tiny: Path
    first_traces: list[str]
    """Of the first use of an encoder in this home."""

    @property
    def picture(self) -> Path:
        return self.pictures / "0" / "0.jpg"

    def fill(self, command: str) -> list[str]:
        """The arguments of a command, with these files in it."""
        return command.format(pictures=self.pictures, picture=self.picture, tiny=f"{TINY}:{self.tiny}").split()


@pytest.fixture(scope="module")
def shop(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    watched = watch(program, tmp_path_factory.mktemp("watched"))
    write_tiny(folder / "tiny.safetensors")
    for number in range(32):
        path = folder / "pictures" / str(number % 4) / f"{number // 4}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_jpeg(make_picture(number % 4, size=(40 + number, 36)), 90))
        if number >= 30:
            ended = watched.run("-m", "indexer", "index", folder / "pictures", "-c", "shop", LOOKALIKE_RUNTIME="auto")
            assert ended.returncode == 0, ended.stderr
    return Shop(watched, folder / "pictures", folder / "tiny.safetensors", watched.take_traces())


@pytest.fixture(scope="module")
def verb_server(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VerbServer]:
    with serve_verbs(shop.program, tmp_path_factory.mktemp("verbs") / "log") as server:
        yield server


def test_the_first_use_of_an_encoder_calls_nobody(shop: Shop) -> None:
    assert shop.first_traces == []
    exports = shop.program.home / OWN_FOLDER / "encoders" / "exports"
    (choice,) = [json.loads(path.read_text(encoding="utf-8")) for path in exports.glob("*/choice.json")]
    # It was imported, and ran: in float32 arithmetic where this processor's eight-bit products overflow.
    assert any(name.startswith("openvino") for name in choice["ms"])


def test_no_module_calls_anybody_when_it_is_imported(shop: Shop, verb_server: VerbServer) -> None:
    assert verb_server.modules > 100
    assert shop.program.take_traces() == []


@pytest.mark.slow
@pytest.mark.parametrize("verb", all_commands())
def test_a_verb_calls_nobody_and_leaves_nothing_in_the_home(shop: Shop, verb_server: VerbServer, verb: str) -> None:
    assert verb in VERBS, f"say in VERBS how {verb} is used"
    code, printed = verb_server.run(shop.fill(VERBS[verb]))
    assert code == (1 if verb in UNREACHABLE else 0), printed
    assert UNREACHABLE.get(verb, "") in printed
    assert shop.program.take_traces() == ASKED_FOR.get(verb, [])


def test_a_service_calls_nobody_while_it_starts_serves_and_stops(shop: Shop, tmp_path: Path) -> None:
    served = shop.program.serve(tmp_path / "log", "--data", "data", "--port", "0")
    try:
        served.wait_until_ready()
        assert served.get("/health").json()["runtime"].startswith("openvino")
        assert served.post("/search", image=shop.picture).json()["results"][0]["key"] == "0/0.jpg"
        assert served.post("/compare", image_a=shop.picture, image_b=shop.picture).status_code == 200
        for path in ("/", "/docs", "/metrics", "/collections"):
            assert served.get(path).status_code == 200
    finally:
        served.stop()
    assert shop.program.take_traces() == []


def test_a_program_that_uses_the_library_calls_nobody(shop: Shop) -> None:
    ended = shop.program.run("-c", LIBRARY)
    assert ended.returncode == 0, ended.stderr
    assert shop.program.take_traces() == []


def test_the_guard_sees_what_a_child_process_does(shop: Shop) -> None:
    child = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))"
    parent = f"""
        import pathlib, socket, subprocess, sys
        (pathlib.Path.home() / "stray").write_text("")
        (pathlib.Path.home() / ".cache" / "lookalike" / "own").write_text("")
        subprocess.run([sys.executable, "-c", {child!r}], stderr=subprocess.DEVNULL)
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
        for address in ("lookalike.invalid", "192.0.2.2", "::ffff:192.0.2.3"):
            try:
                socket.create_connection((address, 9))
            except OSError:
                pass
    """
    assert shop.program.run("-c", dedent(parent)).returncode == 0
    calls = ["connect 192.0.2.2", "connect ::ffff:192.0.2.3", "getaddrinfo lookalike.invalid", "sendto 192.0.2.1"]
    assert shop.program.take_traces() == [*calls, "stray"]
