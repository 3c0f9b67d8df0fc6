"""A small shop, indexed for real, and the real application over it."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.encoder import calibrations
from lookalike.encoder.base import RGB, Vectors
from lookalike.encoder.runtimes import torch_runtime
from lookalike.encoder.runtimes.torch_runtime import TorchEncoder
from lookalike.images import encode_jpeg, encode_png
from lookalike.options import EncoderRequest
from lookalike.testing import make_picture
from service.telemetry import logs
from tests.service.harness import Service, index, serving

HARD_KEYS = [
    "shoes/red one.jpg",
    "50% off?.png",
    "100%25.png",
    'schön & "gut".png',
    "it's a+b#c;d.png",
    "日本/靴 👟.png",
    "back\\slash.png",
    "a/image",
    "similar",
]
ROTATED_KEY = "turned.jpg"
PLAIN_KEYS = ["plain-0", "plain-1", "plain-2"]


@dataclass(frozen=True)
class Shop:
    """A data folder with one collection, ``shop``, and the files that it was made of, by key in their order."""

    data: Path
    source: Path
    files: dict[str, Path]

    @property
    def keys(self) -> list[str]:
        return list(self.files)

    def picture(self, key: str) -> bytes:
        return self.files[key].read_bytes()


def remember_vectors(forward: Callable[[RGB], Vectors]) -> Callable[[RGB], Vectors]:
    """The same function, which computes the vector of each picture once; no vector depends on others of its batch."""
    vectors: dict[bytes, Vectors] = {}

    def look_up(batch: RGB) -> Vectors:
        digests = [hashlib.sha1(picture.tobytes()).digest() for picture in batch]
        missing = [number for number, digest in enumerate(digests) if digest not in vectors]
        if missing:
            vectors.update(zip([digests[number] for number in missing], forward(batch[missing]), strict=True))
        return np.stack([vectors[digest] for digest in digests]) if digests else forward(batch)

    return look_up


@pytest.fixture(scope="session", autouse=True)
def one_network() -> Iterator[None]:
    """The network in the box is loaded once for all applications of these tests, and embeds each picture once.

    Loading takes seconds, a picture 30 ms, the network never changes, and the pictures are the same few in most tests.
    What a test wants of loading itself (other encoders, other sizes, damaged files) is loaded as ever.
    """
    load = torch_runtime.load_torch_encoder

    @cache
    def bundled() -> TorchEncoder:
        encoder = load(EncoderRequest("bundled"), Path())
        patch.setattr(encoder, "forward", remember_vectors(encoder.forward))
        return encoder

    def load_once(request: EncoderRequest, encoders_dir: Path) -> TorchEncoder:
        return bundled() if request == EncoderRequest("bundled") else load(request, encoders_dir)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_runtime, "load_torch_encoder", load_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_calibrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The calibrations in the box are hidden: these tests say what is calibrated, and answers without one are told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrations, "SHIPPED", tmp_path_factory.mktemp("no-calibrations"))
        yield


def turned_jpeg() -> bytes:
    """Stored 96 × 64 with its left half red and its right half blue, and to be shown turned: red above blue."""
    stored = np.zeros((64, 96, 3), np.uint8)
    stored[:, :48, 0] = stored[:, 48:, 2] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the first row is the scene's right side, the first column its top
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def write_shop(folder: Path) -> dict[str, Path]:
    """Pictures under plain names, and a manifest that gives them their keys."""
    (folder / "images").mkdir(parents=True)
    files, rows = {}, []
    for number, key in enumerate([*HARD_KEYS, *PLAIN_KEYS, ROTATED_KEY]):
        path = f"images/{number}"
        picture = make_picture(number)
        jpeg = key.endswith(".jpg")
        data = turned_jpeg() if key == ROTATED_KEY else encode_jpeg(picture, 90) if jpeg else encode_png(picture)
        files[key] = folder / path
        files[key].write_bytes(data)
        row: dict[str, object] = {"path": path, "key": key}
        if key == "shoes/red one.jpg":
            row |= {"title": "Red running shoe", "product_id": "p-1", "colour": "red", "price": 59.9, "sale": None}
        rows.append(row)
    (folder / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return files


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop; nothing in it may be changed."""
    root = tmp_path_factory.mktemp("shop")
    files = write_shop(root / "source")
    assert index(root / "data", "shop", root / "source/shop.jsonl") == 1
    return Shop(root / "data", root / "source", files)


@pytest.fixture(scope="session")
def service(shop: Shop) -> Iterator[Service]:
    """The application over the shop, without keys; what a test changes in it, it must put back."""
    with serving(shop.data) as running:
        yield running


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that gives what was logged since the test began, one object a line, as ``python -m service`` logs."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # else they would be closed
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)  # these tests' own client
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", out)
        logs.configure("info", as_json=True)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
