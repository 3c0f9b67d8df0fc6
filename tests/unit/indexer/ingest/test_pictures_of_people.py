"""A folder as people have it: photos of phones and cameras, slightly damaged files, files of other programs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from indexer.console.reporter import JsonReporter
from indexer.ingest import run
from indexer.ingest.pipeline import PipelineOptions
from lookalike.catalogue.records import CollectionSettings
from lookalike.collection.builder import BuildOptions
from lookalike.images import encode_jpeg
from lookalike.images.isolation import end_idle_processes
from lookalike.options import EncoderRequest, ImageLimits, Places
from lookalike.testing import TinyEncoder, make_picture
from lookalike.wiring import open_catalogue
from tests.helpers import heic_files
from tests.helpers.raw_files import dng


def index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> run.RunSummary:
    monkeypatch.setattr(run, "load_encoder", lambda _request, _folder: TinyEncoder())
    places, limits = Places(folder / "data"), ImageLimits()
    settings = CollectionSettings("exact", 3, limits.max_bytes, limits.max_pixels)
    catalogue = open_catalogue(places)
    try:
        return run.index_collection(
            places,
            run.IndexRequest("album", str(folder / "pictures"), None, EncoderRequest("tiny")),
            catalogue=catalogue,
            options=run.RunOptions(PipelineOptions(), BuildOptions(settings)),
            reporter=JsonReporter(out=io.StringIO()),
        )
    finally:
        catalogue.close()
        end_idle_processes()


def test_every_file_is_indexed_or_said_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = encode_jpeg(make_picture(1), 90)
    pixels = np.kron(make_picture(2), np.ones((4, 4, 1), np.uint8))
    expected = {
        "IMG_0001.HEIC": (heic_files.UPRIGHT, "indexed", None),
        "DSC_0002.DNG": (dng(pixels), "indexed", None),
        "MVIMG_0003.jpg": (photo + b"\0\0\0\x18ftypmp42" + bytes(5000), "indexed", None),
        "cut.jpg": (encode_jpeg(make_picture(3), 90)[:-2], "indexed", None),
        "half.jpg": (encode_jpeg(make_picture(4), 90)[:1500], "rejected", "image-truncated"),
        "DSC_0004.DNG": (dng(pixels, previews=[]), "rejected", "raw-without-preview"),
        "named-otherwise.bin": (dng(pixels, previews=[(160, 120)]), "rejected", "raw-without-preview"),
        "DSCF0005.RAF": (b"FUJIFILMCCD-RAW 0201" + bytes(3000), "rejected", "raw-without-preview"),
        "DSC0006.ARW": (b"nothing that LibRaw knows" * 40, "rejected", "unsupported-format"),
        "scan.dcm": (bytes(128) + b"DICM" + bytes(500), "rejected", "unsupported-format"),
        "logo.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "rejected", "unsupported-format"),
        "notes.txt": (b"no picture", "ignored", "unsupported-format"),
    }
    (tmp_path / "pictures").mkdir()
    for name, (content, _, _) in expected.items():
        (tmp_path / "pictures" / name).write_bytes(content)
    summary = index(tmp_path, monkeypatch)
    lines = [json.loads(line) for line in summary.report.path.read_text(encoding="utf-8").splitlines()]
    verdicts = {line["key"]: (line["verdict"], line.get("code")) for line in lines}
    assert verdicts == {name: (verdict, code) for name, (_, verdict, code) in expected.items()}
    remarks = {line["key"]: line["remark"] for line in lines if "remark" in line}
    assert remarks == {"cut.jpg": "the end marker of this JPEG is missing, all of its pixels are there"}
    assert summary.fields()["remarks"] == {remarks["cut.jpg"]: 1}
    assert f"1 indexed with a remark: {remarks['cut.jpg']}" in summary.text()
