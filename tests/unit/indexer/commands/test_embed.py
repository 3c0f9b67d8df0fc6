"""``embed``: vectors as indexing makes them, in files of each kind, and what is said of what has none."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from indexer.cli import app
from indexer.commands.session import EXIT_REJECTED
from lookalike import Collection
from lookalike.errors import ExportInvalidError, OutputExistsError, SourceNotFoundError
from lookalike.images import encode_jpeg, encode_png
from lookalike.testing import make_picture
from tests.helpers.encoder_files import TINY, write_tiny


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_tiny(tmp_path / "tiny.safetensors")
    folder = tmp_path / "pictures"
    (folder / "b").mkdir(parents=True)
    for number, name in enumerate(["b/2.jpg", "b/1.jpg", "a.png", "c.png"]):
        picture = make_picture(number, size=(90 + number, 70))
        (folder / name).write_bytes(encode_png(picture) if name.endswith("png") else encode_jpeg(picture, 90))
    return folder


def run(*arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def embed(pictures: Path, *arguments: str | Path, code: int = 0) -> Result:
    return run("embed", *arguments, "--encoder", f"{TINY}:{pictures.parent / 'tiny.safetensors'}", code=code)


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_vectors_are_those_of_an_index_in_its_order(pictures: Path) -> None:
    printed = rows(embed(pictures, pictures, "--batch", "3").stdout)
    data, encoder = pictures.parent / "data", f"{TINY}:{pictures.parent / 'tiny.safetensors'}"
    run("index", pictures, "-c", "shop", "--data", data, "--encoder", encoder)
    with Collection.open(data, "shop") as shop:
        items = list(shop.items())
        assert (
            [row["key"] for row in printed] == [item.key for item in items] == ["a.png", "b/1.jpg", "b/2.jpg", "c.png"]
        )
        for row, item in zip(printed, items, strict=True):
            # The same arithmetic in another batch: a hair apart at most.
            assert np.array(row["_vector"], np.float32) == pytest.approx(shop.vector(item), abs=1e-6)
            draft = item.draft
            measured = (draft.width, draft.height, draft.format, draft.byte_size, draft.content_digest, draft.location)
            names = ("_width", "_height", "_format", "_byte_size", "_content_digest", "path")
            assert tuple(row[name] for name in names) == measured


def test_each_kind_of_file_has_the_same_vectors(pictures: Path, tmp_path: Path) -> None:
    expected = rows(embed(pictures, pictures).stdout)
    vectors, keys = np.array([row["_vector"] for row in expected], np.float32), [row["key"] for row in expected]
    for suffix in ("npy", "jsonl", "parquet", "csv"):
        result = embed(pictures, pictures, "--out", tmp_path / f"vectors.{suffix}")
        assert f"4 vectors of 24 numbers by {TINY}" in result.stdout
    array = np.load(tmp_path / "vectors.npy", allow_pickle=False)
    assert (array.dtype, array.shape) == (np.float32, (4, 24))
    assert np.array_equal(array, vectors)
    assert np.linalg.norm(array, axis=1) == pytest.approx(1, abs=1e-5)
    assert rows((tmp_path / "vectors.keys.jsonl").read_text()) == keys
    assert rows((tmp_path / "vectors.jsonl").read_text()) == expected
    table = pq.read_table(tmp_path / "vectors.parquet").to_pydict()
    assert table["key"] == keys
    assert np.array_equal(np.array(table["_vector"], np.float32), vectors)
    with (tmp_path / "vectors.csv").open(newline="") as file:
        assert np.array_equal(
            np.array([json.loads(row["_vector"]) for row in csv.DictReader(file)], np.float32), vectors
        )


def test_keys_of_several_paths_begin_with_the_path(pictures: Path) -> None:
    single = pictures / "a.png"
    printed = rows(embed(pictures, single, pictures / "b").stdout)
    assert [row["key"] for row in printed] == [str(single), f"{pictures}/b/1.jpg", f"{pictures}/b/2.jpg"]


def test_what_cannot_be_used_is_named_and_the_others_have_vectors(pictures: Path) -> None:
    (pictures / "broken.jpg").write_bytes(b"no picture")
    (pictures / "notes.txt").write_text("text")
    result = embed(pictures, pictures, "--json", code=EXIT_REJECTED)
    assert "rejected: broken.jpg: " in result.stderr
    assert "notes.txt" not in result.stderr
    events = rows(result.stdout)
    assert [event["key"] for event in events if event["event"] == "answer"] == ["a.png", "b/1.jpg", "b/2.jpg", "c.png"]
    assert events[-1] == {"event": "summary", "vectors": 4, "rejected": 1, "ignored": 1}
    none = embed(pictures, pictures / "broken.jpg", "--out", pictures.parent / "none.npy", code=EXIT_REJECTED)
    assert "0 vectors" in none.stdout
    assert np.load(pictures.parent / "none.npy", allow_pickle=False).shape == (0, 24)


def test_nothing_is_replaced_unasked(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "vectors.keys.jsonl").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"vectors\.keys\.jsonl is there already"):
        embed(pictures, pictures, "--out", tmp_path / "vectors.npy")
    embed(pictures, pictures, "--out", tmp_path / "vectors.npy", "--force")
    assert np.load(tmp_path / "vectors.npy", allow_pickle=False).shape == (4, 24)
    with pytest.raises(ExportInvalidError, match="ends in none of"):
        embed(pictures, pictures, "--out", tmp_path / "vectors.txt")
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        embed(pictures, pictures / "none.jpg")
