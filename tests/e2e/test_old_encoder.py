"""After an update that brings another encoder under the same name: what goes on, and what is said about the rest."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lookalike.encoder.spec import EncoderSpec
from tests.e2e.conftest import Ended, Run, write_pictures
from tests.helpers.old_encoder import OLD_WEIGHTS, age_encoder

pytestmark = pytest.mark.slow


@pytest.fixture
def old(shop: Path, tmp_path: Path) -> EncoderSpec:
    """The encoder that made the collection ``shop``, which is not here any more."""
    assert shop.is_dir()
    return age_encoder(tmp_path / "data", "shop")


def command(tmp_path: Path) -> str:
    """What encodes the shop again."""
    return f"python -m indexer index {tmp_path}/shop --collection shop --data {tmp_path}/data --reencode"


def must_tell(ended: Ended, old: EncoderSpec, tmp_path: Path) -> None:
    """One sentence, which names both encoders and the command."""
    assert ended.code == 1
    assert f"'shop' was made by bundled-int8 of {old.dimension} numbers (weights {OLD_WEIGHTS[:8]})" in ended.err
    assert f"another encoder, bundled-int8 of {old.dimension} numbers" in ended.err
    assert f"`{command(tmp_path)}`" in ended.err
    assert "Traceback" not in ended.err


NEEDS_ENCODER = {
    "search": ("search", "shop/000.jpg", "-c", "shop"),
    "montage": ("montage", "shop/000.jpg", "-c", "shop"),
    "verify": ("verify", "-c", "shop"),
    "index": ("index", "shop", "-c", "shop"),
    "compare-encoders": ("encoders", "compare", "bundled-int8", "bundled", "-c", "shop"),
}


@pytest.mark.parametrize("verb", NEEDS_ENCODER)
def test_a_verb_that_encodes_says_what_to_type(run: Run, old: EncoderSpec, tmp_path: Path, verb: str) -> None:
    must_tell(run(*NEEDS_ENCODER[verb]), old, tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("collections",),
        ("duplicates", "-c", "shop"),
        ("plan", "--count", "1000", "-c", "shop"),
        ("compare", "shop/000.jpg", "shop/000.jpg"),
        ("doctor",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_verb_that_encodes_nothing_of_it_works(run: Run, old: EncoderSpec, arguments: tuple[str, ...]) -> None:
    assert old.weights_digest == OLD_WEIGHTS
    ended = run(*arguments)
    assert (ended.code, ended.err if ended.code else "") == (0, "")


def test_stored_vectors_are_evaluated(run: Run, tmp_path: Path) -> None:
    for label in ("cats", "dogs"):
        write_pictures(tmp_path / "labelled" / label, 3, start=len(label) * ord(label[0]))
    assert run("index", "labelled", "-c", "labelled").code == 0
    age_encoder(tmp_path / "data", "labelled")
    assert run("evaluate", "-c", "labelled").code == 0


def rows(data: Path) -> list[tuple[object, ...]]:
    """The items of the shop as the catalogue has them."""
    asked = "SELECT items.* FROM items JOIN collections ON collection_id = collections.id WHERE name = 'shop'"
    with closing(sqlite3.connect(data / "catalogue.db")) as catalogue:
        return catalogue.execute(asked).fetchall()


def files(data: Path) -> dict[str, bytes]:
    """What is published of the shop."""
    folder = data / "collections/shop"
    return {str(path): path.read_bytes() for path in [folder / "current.json", *folder.glob("snapshots/*/*")]}


def test_the_hourly_job_brings_the_others_up_to_date_and_leaves_this_one_as_it_is(
    run: Run, old: EncoderSpec, tmp_path: Path
) -> None:
    for name in ("another", "zoo"):
        write_pictures(tmp_path / name, 2)
        assert run("index", name, "-c", name).code == 0
        write_pictures(tmp_path / name, 1, start=10)
    write_pictures(tmp_path / "shop", 1, start=10)
    data = tmp_path / "data"
    before = files(data), rows(data)
    ended = run()
    must_tell(ended, old, tmp_path)
    assert "error: shop: " in ended.err
    assert "2 of 3 collections are up to date" in ended.out
    assert (files(data), rows(data)) == before
    assert len(rows(data)) == 8
    for name in ("another", "zoo"):
        assert run("verify", "-c", name, "--json").answer["checked"] == 3


def test_the_command_that_is_told_mends_it_and_rollback_leads_back(run: Run, old: EncoderSpec, tmp_path: Path) -> None:
    arguments = shlex.split(command(tmp_path))[3:]
    mended = run(*arguments, "--json")
    assert (mended.code, mended.answer["encoded"], mended.answer["snapshot"]) == (0, 8, 2)
    assert run("verify", "-c", "shop").code == 0
    assert run().code == 0, "the hourly job is content"
    assert run("rollback", "-c", "shop").code == 0
    must_tell(run("search", "shop/000.jpg", "-c", "shop"), old, tmp_path)
    assert run("duplicates", "-c", "shop").code == 0


def test_the_reason_is_there_for_programs(run: Run, old: EncoderSpec, tmp_path: Path) -> None:
    del old
    asked: list[Callable[[], Ended]] = [
        lambda: run("--json"),
        lambda: run("search", "shop/000.jpg", "-c", "shop", "--json"),
    ]
    for ask in asked:
        (error,) = [event for event in ask().events if event["event"] == "error"]
        assert error["code"] == "encoder-mismatch"
        assert command(tmp_path) in error["message"]
