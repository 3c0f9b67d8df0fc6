"""The pictures that the page is tried on, the service over them, and asking that service directly."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from indexer.__main__ import main
from lookalike.images import encode_jpeg, encode_png
from lookalike.testing import make_picture
from tests.conftest import USERS_RUNTIME

SIZE = (160, 120)
PLAIN = [f"plain-{number:02d}" for number in range(12)]
HARD = [
    "shoes/red one.jpg",
    '"quoted" & <b>bold</b>',
    "#hash?query=1",
    "=SUM(A1:A9)",
    "100%25 üñí 靴",
    "it's; a, list",
]
"""Keys that a careless page breaks on."""

TITLES = {PLAIN[0]: "A first <i>title</i>", PLAIN[1]: "Second title"}
METADATA = {"colour": "=1+1", "note": "<script>document.title='broken'</script>", "price": 9.5}
OTHERS = ["other-1", "other-2", "other-3"]
READY_SECONDS = 90


@dataclass(frozen=True)
class Shop:
    """A data folder with the collections ``shop`` and ``other``; pictures by key as they were indexed."""

    data: Path
    pictures: dict[str, bytes]

    @property
    def keys(self) -> list[str]:
        return list(self.pictures)


def seed_of(key: str) -> int:
    """The number of the made picture that stands behind a key of ``shop``."""
    return (PLAIN + HARD).index(key)


def make_shop(folder: Path) -> Shop:
    """Draw and index both collections."""
    pictures = {key: encode_jpeg(make_picture(seed_of(key), SIZE), 92) for key in PLAIN + HARD}
    others = {key: encode_jpeg(make_picture(90 + number, SIZE), 92) for number, key in enumerate(OTHERS)}
    for name, files in (("shop", pictures), ("other", others)):
        manifest = _write(folder / name, files)
        run_indexer("index", str(manifest), "-c", name, "--data", str(folder / "data"))
    return Shop(folder / "data", pictures)


def run_indexer(*arguments: str) -> None:
    """``python -m indexer``, in this process: the network takes seconds to load."""
    with patch.object(sys, "argv", ["indexer", *arguments]), pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in {None, 0}


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    lines = []
    for number, (key, data) in enumerate(files.items()):
        (folder / f"{number}.jpg").write_bytes(data)
        row = {"path": f"{number}.jpg", "key": key, "title": TITLES.get(key), **METADATA}
        lines.append(json.dumps({name: value for name, value in row.items() if value is not None}))
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(lines), encoding="utf-8")
    return manifest


def side_by_side(left: int, right: int) -> bytes:
    """A PNG with one made picture in its left half and another in its right half."""
    return encode_png(np.concatenate([make_picture(left, SIZE), make_picture(right, SIZE)], axis=1))


def as_tiff(seed: int) -> bytes:
    """A made picture in a format that browsers do not draw."""
    buffer = io.BytesIO()
    Image.fromarray(make_picture(seed, SIZE)).save(buffer, "TIFF")
    return buffer.getvalue()


@dataclass(frozen=True)
class Started:
    """A service that was started; ``ready`` waits for it and gives the address of its page."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def ready(self) -> str:
        """Wait until it answers."""
        for _ in range(READY_SECONDS * 10):
            try:
                with urllib.request.urlopen(f"{self.address}ready", timeout=5):
                    return self.address
            except urllib.error.HTTPError as error:
                error.close()
            except OSError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.1)
        raise AssertionError(f"the service did not start: {self.log.read_text(encoding='utf-8')[-2000:]}")


@contextmanager
def starting(data: Path, encoders: Path, **settings: str) -> Iterator[Started]:
    """The service as a user starts it, on a free port, without waiting for it; stopped in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "service", "--data", str(data), "--port", str(port)]
    told = {"LOOKALIKE_ENCODERS_DIR": str(encoders), "LOOKALIKE_RUNTIME": USERS_RUNTIME}
    environment = {**os.environ, **told, **settings}
    log = data.parent / f"service-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, stdout=output, env=environment)
        try:
            yield Started(process, f"http://127.0.0.1:{port}/", log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def threshold_words(address: str, collection: str) -> str:
    """How the page words where a collection's threshold comes from, if only its encoder may be calibrated."""
    source: str = ask(address, f"/collections/{collection}")["threshold"]["source"]
    if source == "default, not calibrated for this encoder":
        return "default, not calibrated"
    rule = source.removeprefix("calibrated for encoder bundled-int8 (").removesuffix(")")
    assert rule != source
    return f"calibrated for the encoder bundled-int8, {rule}"


def ask(address: str, path: str, fields: dict[str, str] | None = None) -> Any:
    """The service's own answer, to hold against what the page shows; with ``fields`` it is a POST."""
    data = None if fields is None else urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(address.rstrip("/") + path, data=data, timeout=30) as answer:
        return json.load(answer)
