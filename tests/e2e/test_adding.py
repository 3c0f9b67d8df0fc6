"""``index --add``: pictures that are added to a collection, which keeps its source; and ``--background``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from indexer.ingest import add
from lookalike import Collection
from lookalike.catalogue.live_changes import ChangeOutcome, LiveChange
from lookalike.collection.layout import CollectionLayout
from lookalike.filters.declared_columns import NO_COLUMNS
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Ended, Run, write_pictures
from tests.e2e.processes import PATIENCE


def keys(tmp_path: Path) -> list[str]:
    with Collection.open(tmp_path / "data", "shop") as collection:
        return sorted(item.key for item in collection.items())


def test_pictures_are_added_and_stay_when_the_source_is_read_again(run: Run, shop: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 2, start=50)
    (tmp_path / "more" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "more" / "notes.txt").write_bytes(b"text")
    added = run("index", tmp_path / "more", "-c", "shop", "--add", "--json")
    assert (added.code, added.answer["items"], added.answer["rejected_codes"]) == (3, 10, {"unsupported-format": 1})
    assert {name: count for name, count in added.answer["verdicts"].items() if count} == {
        "indexed": 2,
        "ignored": 1,
        "rejected": 1,
    }
    everything = keys(tmp_path)
    assert everything[-2:] == ["050.jpg", "051.jpg"]
    (tmp_path / "more" / "050.jpg").unlink()
    assert run("index", tmp_path / "more", "-c", "shop", "--add", "--json").answer["verdicts"]["unchanged"] == 1
    assert run("reindex").code == 0
    assert keys(tmp_path) == everything, "neither the folder that was added nor the source has a say in it"
    assert run("index", shop, "-c", "shop", "--reencode", "--encoder", "bundled").code == 0
    assert keys(tmp_path) == everything, "the copies are encoded again"


def test_adding_makes_a_collection_with_the_encoder_that_is_named(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 2)
    assert run("index", tmp_path / "more", "-c", "shop", "--add", "--encoder", "bundled-int8").code == 0
    other = run("index", tmp_path / "more", "-c", "shop", "--add", "--encoder", "bundled")
    assert (other.code, "made by bundled-int8" in other.err) == (1, True)
    assert run("index", tmp_path / "more", "-c", "shop", "--add").code == 0, "without a name it is the collection's"


def test_adding_says_what_it_cannot_do(run: Run, shop: Path, tmp_path: Path) -> None:
    for flag in ("--dry-run", "--watch", "--reencode"):
        refused = run("index", shop, "-c", "shop", "--add", flag)
        assert (refused.code, "--add" in refused.err) == (2, True)
    for flag in ("--allow-empty", "--allow-removals"):
        refused = run("index", shop, "-c", "shop", "--add", flag)
        assert (refused.code, "nothing is removed" in refused.err) == (2, True)
    assert run("index", shop, "-c", "shop", "--allow-removals").code == 0
    (shop / "000.jpg").unlink()
    assert run("index", shop, "-c", "shop").code == 0
    assert run("rollback", "-c", "shop").code == 0
    pinned = run("index", shop, "-c", "shop", "--add")
    assert (pinned.code, "takes no changes until" in pinned.err) == (1, True)


def test_what_is_said_anew_is_changed_without_encoding_and_1_is_not_true(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 2)
    table = tmp_path / "more" / "table.jsonl"
    lines = ['{"path": "000.jpg", "sale": %s}', '{"path": "001.jpg", "sale": 1}']

    def add_table(sale: str) -> Ended:
        table.write_text("\n".join(lines) % sale)
        return run("index", table, "-c", "shop", "--add", "--json")

    assert add_table("1").answer["verdicts"]["indexed"] == 2
    with Collection.open(tmp_path / "data", "shop") as collection:
        vector = collection.vector("000.jpg")
    again = add_table("true")
    assert {name: count for name, count in again.answer["verdicts"].items() if count} == {"updated": 1, "unchanged": 1}
    with Collection.open(tmp_path / "data", "shop") as collection:
        assert collection.item("000.jpg").metadata == {"sale": True}
        assert collection.item("000.jpg").metadata["sale"] is True
        assert np.array_equal(collection.vector("000.jpg"), vector)


def test_values_that_are_not_of_the_declared_type_are_left_out_with_a_remark(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 2)
    table = tmp_path / "more" / "table.csv"
    table.write_text("path,price\n000.jpg,12.5\n001.jpg,on request\n")
    assert run("create", "-c", "shop", "--column", "price:number").code == 0
    added = run("index", table, "-c", "shop", "--add", "--json")
    assert (added.code, added.answer["verdicts"]["indexed"]) == (0, 2)
    assert sum(added.answer["remarks"].values()) == 1
    with Collection.open(tmp_path / "data", "shop") as collection:
        assert [collection.item(key).metadata for key in ("000.jpg", "001.jpg")] == [{"price": 12.5}, {}]


def test_what_the_collection_refuses_is_rejected_and_not_said_to_be_indexed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a column is declared while the table is being read."""
    monkeypatch.setattr(add, "declared_columns", lambda *_: NO_COLUMNS)
    write_pictures(tmp_path / "more", 2)
    table = tmp_path / "more" / "table.jsonl"
    table.write_text('{"path": "000.jpg", "price": 12.5}\n{"path": "001.jpg", "price": "on request"}')
    assert run("create", "-c", "shop", "--column", "price:number").code == 0
    added = run("index", table, "-c", "shop", "--add", "--json")
    assert (added.code, added.answer["items"]) == (3, 1)
    assert added.answer["rejected_codes"] == {"metadata-invalid": 1}
    assert keys(tmp_path) == ["000.jpg"]


def test_a_pin_in_the_middle_ends_the_addition_and_what_was_added_stays(
    run: Run, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "more", 3, start=50)
    layout = CollectionLayout.of(tmp_path / "data" / "collections", "shop")
    change_items = Collection.change_items

    def change_and_pin(collection: Collection, changes: Sequence[LiveChange]) -> list[ChangeOutcome]:
        outcomes = change_items(collection, changes)
        layout.point_to(layout.current(), pinned=True)
        return outcomes

    monkeypatch.setattr(Collection, "change_items", change_and_pin)
    pinned = run("index", tmp_path / "more", "-c", "shop", "--add", "--batch", "1")
    assert (pinned.code, "takes no changes until" in pinned.err) == (1, True)
    assert run("unpin", "-c", "shop").code == 0
    assert len(keys(tmp_path)) == len(list(shop.iterdir())) + 1


def test_a_command_in_the_background_gives_way_and_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, time, indexer.background as background; background.run_in_background();"
        "print(os.nice(0), flush=True); time.sleep(600)"
    )
    environment = dict(os.environ) | {"PYTHONPATH": str(REPOSITORY)}
    started = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    assert started.stdout is not None
    assert started.stdin is not None
    assert int(started.stdout.readline()) == os.nice(0) + 10
    assert started.poll() is None
    started.stdin.close()
    assert started.wait(PATIENCE) == -15
    started.stdout.close()


def test_a_verb_may_be_left_out_behind_it_too(run: Run, shop: Path) -> None:
    from indexer.__main__ import with_verb

    verbs = frozenset({"index", "reindex"})
    assert with_verb(["--background"], verbs) == ["--background", "reindex"]
    assert with_verb(["--background", "--runtime", "torch", str(shop), "-c", "a"], verbs) == [
        *("--background", "--runtime", "torch", "index", str(shop), "-c", "a")
    ]
