"""``export-items``: what it says, and that a table that it wrote is indexed again as what it was."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from indexer.cli import app
from indexer.commands.session import EXIT_REJECTED
from lookalike import Collection
from lookalike.errors import OutputExistsError
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.helpers.encoder_files import TINY, write_tiny

ROWS: list[dict[str, Any]] = [
    {
        "path": "a/1.jpg",
        "key": "one",
        "title": 'Red, "big"',
        "price": 12,
        "new": True,
        "size": "0012",
        "tags": ["x", "z"],
    },
    {
        "path": "a/2.jpg",
        "key": "two",
        "product_id": "p-2",
        "price": 5,
        "new": False,
        "size": "0034",
        "tags": ["y", "z"],
    },
    {"path": "3.jpg", "key": "größe/3", "weight": 0.5, "released": "2024-05-31", "note": "two\nlines"},
    {"path": "4.jpg", "key": "four", "weight": 12.25, "released": "2023-01-01T12:00:00+02:00"},
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for number, row in enumerate(ROWS):
        path = tmp_path / "pictures" / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_jpeg(make_picture(number), 90))
    write_tiny(tmp_path / "tiny.safetensors")
    manifest = tmp_path / "pictures" / "items.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    run(tmp_path, "index", manifest, "--encoder", f"{TINY}:{tmp_path / 'tiny.safetensors'}", "-c", "shop")
    return manifest


def run(folder: Path, *arguments: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [*map(str, arguments), "--data", str(folder / "data")])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def items(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """By key the title, product and metadata of each item, without empty columns."""
    with Collection.open(folder / "data", name) as collection:
        return {
            item.key: {"title": item.title, "product": item.product_id, "location": item.location}
            | {column: value for column, value in item.metadata.items() if value is not None}
            for item in collection.items()
        }


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("flags", [(), ("--vectors", "--absolute-paths")])
def test_an_exported_table_is_indexed_again_as_the_same_items(
    tmp_path: Path, ending: str, flags: tuple[str, ...]
) -> None:
    out = tmp_path / f"exported.{ending}"
    run(tmp_path, "export-items", "-c", "shop", out, *flags)
    root = Path("/") if flags else tmp_path / "pictures"
    encoder = f"{TINY}:{tmp_path / 'tiny.safetensors'}"
    run(tmp_path, "index", out, "--images-root", root, "--encoder", encoder, "-c", "again")
    first, second = items(tmp_path, "shop"), items(tmp_path, "again")
    if flags:
        for item in second.values():
            item["location"] = str(Path("/", item["location"]).relative_to(tmp_path / "pictures"))
    assert second == first
    assert first["größe/3"]["note"] == "two\nlines"
    assert [type(value) for value in second["one"].values()] == [type(value) for value in first["one"].values()]


@pytest.mark.usefixtures("source")
def test_it_says_what_was_written_and_which_pictures_could_not_be(tmp_path: Path) -> None:
    result = run(
        tmp_path, "export-items", "-c", "shop", tmp_path / "red.csv", "--where", "price > 10", "--fields", "price"
    )
    assert f"1 items of shop are in {tmp_path / 'red.csv'}" in result.output
    with (tmp_path / "red.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"key": "one", "price": "12"}]
    (tmp_path / "pictures/3.jpg").unlink()
    arguments = ("export-items", "-c", "shop", tmp_path / "hf", "--format", "imagefolder", "--json")
    output = run(tmp_path, *arguments, code=EXIT_REJECTED).stdout
    answer = next(event for event in map(json.loads, output.splitlines()) if event["event"] == "answer")
    assert (answer["items"], answer["left_out"], answer["left_out_keys"]) == (3, 1, ["größe/3"])
    with pytest.raises(OutputExistsError):
        run(tmp_path, *arguments)
