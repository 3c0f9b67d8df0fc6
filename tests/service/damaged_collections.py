"""What can happen to a service's files after indexing: a data folder with collections that are damaged in many ways."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from lookalike.calibration import Calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.collection.snapshot_manifest import Manifest
from lookalike.encoder.weights.file_format import serialize_tensors
from lookalike.encoder.weights.installed import Record
from tests.e2e.conftest import write_pictures
from tests.helpers.encoder_files import TINY, write_tiny
from tests.service.harness import index


def write_damaged_collections(root: Path) -> Path:
    """The data folder; each collection in it was indexed without error and then damaged, as its name says."""
    data, pictures = root / "data", root / "pictures"
    write_pictures(pictures, 2)
    for name in (
        "not-ready",
        "damaged",
        "index",
        "gone",
        "engine",
        "mismatch",
        "calibration",
        "calibration-of-another",
    ):
        index(data, name, pictures)
    _damage_snapshots(data)
    _damage_calibrations(data)
    _damage_sources(root, data)
    _damage_encoders(data / "encoders")
    return data


def snapshot(data: Path, name: str) -> Path:
    """A collection's first snapshot."""
    return data / "collections" / name / "snapshots/00000001"


def _damage_snapshots(data: Path) -> None:
    (data / "collections/not-ready/current.json").unlink()
    vectors = snapshot(data, "damaged") / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-4])
    shutil.rmtree(snapshot(data, "gone"))
    _edit_manifest(data, "engine", lambda manifest: manifest.update(engine="of-tomorrow"))
    _edit_manifest(data, "mismatch", lambda manifest: manifest["encoder"].update(weights_digest="0" * 64))
    rubbish = b"well kept rubbish"
    (snapshot(data, "index") / "index.bin").write_bytes(rubbish)
    stamp = {"sha256": hashlib.sha256(rubbish).hexdigest(), "bytes": len(rubbish)}
    _edit_manifest(data, "index", lambda manifest: manifest["files"].update({"index.bin": stamp}))


def _damage_calibrations(data: Path) -> None:
    for name, digest, brier in (("calibration", "", 7.0), ("calibration-of-another", "0" * 64, 0.1)):
        spec = Manifest.from_json((snapshot(data, name) / "manifest.json").read_text()).encoder
        calibration = Calibration(
            encoder="another",
            encoder_digest=digest,
            collection=name,
            threshold=0.8,
            rule="best F1",
            precision=0.9,
            recall=0.9,
            scores=(0.0, 1.0),
            probabilities=(0.1, 0.9),
            method="isotonic",
            brier=brier,
            calibration_error=0.1,
            positives=100,
            negatives=100,
            created_at="2026-01-01T00:00:00+00:00",
        )
        path = CollectionLayout.of(data / "collections", name).calibration(spec.digest)
        path.parent.mkdir()
        path.write_text(calibration.to_json())


def _edit_manifest(data: Path, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
    path = snapshot(data, name) / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def _damage_sources(root: Path, data: Path) -> None:
    entries = root / "entries"
    missing, outside, unreadable, _, changed = write_pictures(entries, 5)
    for name in ("no-source", "other-source"):
        write_pictures(root / name, 1)
    (root / "list.csv").write_text("path\nentries/000.jpg\n")
    for name in ("unsafe", "torn"):
        with zipfile.ZipFile(root / f"{name}.zip", "w") as archive:
            archive.write(missing, "000.jpg")
    sources = {"entries": entries, "list": root / "list.csv"}
    sources |= {name: root / name for name in ("no-source", "other-source")}
    sources |= {name: root / f"{name}.zip" for name in ("unsafe", "torn")}
    for name, source in sources.items():
        index(data, name, source)
    missing_once = missing.read_bytes()
    missing.unlink()
    outside.unlink()
    (root / "secret.jpg").write_bytes(b"not for all")
    outside.symlink_to(root / "secret.jpg")
    unreadable.unlink()
    unreadable.mkdir()
    changed.write_bytes(missing_once)
    shutil.rmtree(root / "no-source")
    shutil.rmtree(root / "other-source")
    (root / "other-source").write_text("no folder any more")
    (root / "list.csv").write_text("no,such,columns\n")
    (root / "torn.zip").write_bytes(b"PK\3\4 and then the line broke")
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0x7FFFFFFF, 0, 0)
    (root / "unsafe.zip").write_bytes(end)  # a table of contents of 2 GB


def _damage_encoders(folder: Path) -> None:
    for name in ("resnet50", TINY):
        (folder / name).mkdir(parents=True)
    (folder / "resnet50/weights.safetensors").write_bytes(b"half of what was")
    _record("resnet50", "0" * 64).write(folder / "resnet50")
    weights = folder / TINY / "weights.safetensors"
    write_tiny(weights)
    with safe_open(weights, "pt") as file:
        metadata = file.metadata()
        huge = {key: torch.full_like(file.get_tensor(key), 60000.0) for key in file.keys()}  # noqa: SIM118
    weights.write_bytes(serialize_tensors(huge, metadata))  # finite numbers, whose products are not
    _record(TINY, hashlib.sha256(weights.read_bytes()).hexdigest()).write(folder / TINY)


def _record(name: str, digest: str) -> Record:
    return Record(name, name, "https://example.org", None, digest, "mit", "2026-01-01")
