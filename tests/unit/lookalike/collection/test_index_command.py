"""The command that encodes a collection again does what the collection remembers, whatever that is."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.cli import all_commands
from indexer.commands.options import encoder_request, image_limits, memory_budget, source_options
from lookalike.catalogue.records import CollectionSettings, SourceRecord
from lookalike.collection.index_command import reencode_command
from lookalike.index.planner import DEFAULT_RECALL
from lookalike.options import EncoderRequest, ImageLimits, SourceOptions
from tests.conftest import running_on

LIMITS = ImageLimits()
USUAL = CollectionSettings("auto", 3, LIMITS.max_bytes, LIMITS.max_pixels, DEFAULT_RECALL, memory_budget(None))
INT8 = EncoderRequest("bundled-int8")


def parsed(line: str) -> dict[str, Any]:
    """What ``python -m indexer`` makes of a line."""
    program = shlex.split(line)
    assert program[:4] == ["python", "-m", "indexer", "index"]
    params: dict[str, Any] = all_commands()["index"].make_context("index", program[4:]).params
    return params


def test_a_collection_with_nothing_of_its_own_has_a_short_command() -> None:
    command = reencode_command("shop", SourceRecord("folder", "/srv/pictures"), INT8, USUAL)
    assert command == "python -m indexer index /srv/pictures --collection shop --reencode"


@pytest.mark.parametrize(
    ("request_", "settings"),
    [
        (INT8, USUAL),
        (EncoderRequest("bundled", "moments", 160), USUAL),
        (INT8, replace(USUAL, source_options=SourceOptions(("raw files/", "#a"), (".thumbs/",), "cp932"))),
        (EncoderRequest("resnet50"), CollectionSettings("faiss-hnsw", 7, 8 << 20, 12_000_000, 0.95, 3_500_000_000)),
    ],
)
def test_whoever_types_the_command_changes_nothing_but_the_vectors(
    request_: EncoderRequest, settings: CollectionSettings
) -> None:
    source = SourceRecord("manifest", "/srv/my pictures/it's a list.csv", "/mnt/images")
    params = parsed(reencode_command("shop", source, request_, settings, Path("/var/lib/lookalike")))
    limits = image_limits(params["max_megabytes"], params["max_megapixels"])
    assert (str(params["source"]), str(params["images_root"])) == (source.location, source.root)
    assert (params["collection"], params["data"], params["reencode"]) == ("shop", Path("/var/lib/lookalike"), True)
    with running_on():  # PyTorch runs no int8 encoder
        assert encoder_request(params["encoder"], params["fusion"], params["input_size"]) == request_
    budget = memory_budget(params["memory"])
    assert settings == CollectionSettings(
        params["engine"].value,
        params["keep"] or 3,  # without the flag a run keeps what the collection keeps
        limits.max_bytes,
        limits.max_pixels,
        params["recall"],
        budget,
        source_options(params["exclude"], params["include"], params["source_encoding"]),
    )
