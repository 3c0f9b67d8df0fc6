"""What a clumsy or a hostile user does to a data folder, a source or a terminal, and that the answers stay right."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.errors import CatalogueUnavailableError
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.e2e.conftest import Ended, Run, write_pictures
from tests.helpers.databases import new_postgres_database

ROOT = Path(__file__).parents[2]


def verdicts(ended: Ended) -> dict[str, str]:
    """Verdict by key, from the report of a run with --json."""
    lines = [json.loads(line) for line in Path(ended.answer["report"]).read_text().splitlines()]
    return {line["key"]: line["verdict"] for line in lines}


def keys(run: Run, picture: Path) -> set[str]:
    """Everything that is served."""
    return {hit["key"] for hit in run("search", picture, "-c", "shop", "-k", "1000", "--json").answer["results"]}


def forget_catalogue(tmp_path: Path) -> None:
    for path in tmp_path.glob("data/catalogue.db*"):
        path.unlink()


def keep_catalogue(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "data/catalogue.db") as live, sqlite3.connect(tmp_path / "copy.db") as copy:
        live.backup(copy)
    live.close()
    copy.close()


def restore_catalogue(tmp_path: Path) -> None:
    forget_catalogue(tmp_path)
    shutil.copy(tmp_path / "copy.db", tmp_path / "data/catalogue.db")


# A data folder whose parts no longer belong together


def test_after_the_catalogue_was_lost_no_picture_is_given_the_vector_of_another(
    run: Run, shop: Path, tmp_path: Path
) -> None:
    forget_catalogue(tmp_path)
    (shop / "000-first.jpg").write_bytes(encode_jpeg(make_picture(800), 90))  # so that every picture has another id
    assert run("index", shop, "-c", "shop", "--json").answer["encoded"] == 9
    assert run("verify", "-c", "shop").code == 0
    assert run("rollback", "-c", "shop", "--json").events[-1]["code"] == "snapshot-damaged"
    assert len(keys(run, shop / "001.jpg")) == 9


def test_after_an_older_catalogue_was_restored_no_picture_is_given_the_vector_of_another(
    run: Run, shop: Path, tmp_path: Path
) -> None:
    keep_catalogue(tmp_path)
    write_pictures(shop, 3, start=20)
    run("index", shop, "-c", "shop")
    restore_catalogue(tmp_path)
    for path in write_pictures(shop, 3, start=20):
        path.unlink()
    write_pictures(shop, 3, start=40)
    refused = run("search", shop / "001.jpg", "-c", "shop", "--json")
    assert refused.events[-1]["code"] == "snapshot-damaged"
    assert "index the collection again" in refused.err
    assert run("index", shop, "-c", "shop").code == 0
    assert run("verify", "-c", "shop", "--json").answer["items"] == 11


def test_after_an_older_catalogue_was_restored_an_index_run_without_changes_mends_it(
    run: Run, shop: Path, tmp_path: Path
) -> None:
    keep_catalogue(tmp_path)
    (extra,) = write_pictures(shop, 1, start=20)
    run("index", shop, "-c", "shop")
    restore_catalogue(tmp_path)
    extra.unlink()
    assert run("index", shop, "-c", "shop", "--json").answer["encoded"] == 0
    assert run("verify", "-c", "shop", "--json").answer["checked"] == 8


def test_after_all_snapshots_were_lost_nothing_is_missing_from_the_next(run: Run, shop: Path, tmp_path: Path) -> None:
    for start in (20, 30):
        write_pictures(shop, 1, start=start)
        run("index", shop, "-c", "shop")
    shutil.rmtree(tmp_path / "data/collections")
    assert run("rollback", "-c", "shop", "--json").events[-1]["code"] == "collection-not-ready"
    assert run("index", shop, "-c", "shop").code == 0
    assert run("verify", "-c", "shop", "--json").answer["checked"] == 10


def test_what_a_person_leaves_among_the_snapshots_is_left_alone(run: Run, shop: Path, tmp_path: Path) -> None:
    snapshots = tmp_path / "data/collections/shop/snapshots"
    shutil.copytree(snapshots / "00000001", snapshots / "00000001.bak")
    (snapshots / "note.txt").write_text("do not delete")
    (snapshots / "thoughts").mkdir()
    write_pictures(shop, 1, start=20)
    assert run("index", shop, "-c", "shop").code == 0
    assert run("collections", "--json").answer["snapshots"] == [1, 2]
    names = {path.name for path in snapshots.iterdir()}
    assert names == {"00000001", "00000001.bak", "00000002", "note.txt", "thoughts"}


@pytest.mark.parametrize("content", ["", '{"generation": 1e999}'])
def test_a_damaged_pointer_is_said_and_mended_by_rollback(run: Run, shop: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "data/collections/shop/current.json").write_bytes(content.encode("latin-1"))
    for command in (["search", shop / "001.jpg", "-c", "shop"], ["collections"]):
        ended = run(*command, "--json")
        assert (ended.code, ended.events[-1]["code"]) == (1, "snapshot-damaged")
        assert "rollback" in ended.err
    assert run("rollback", "-c", "shop").code == 0
    assert len(keys(run, shop / "001.jpg")) == 8


def test_a_pointer_that_cannot_be_replaced_is_said(run: Run, shop: Path, tmp_path: Path) -> None:
    pointer = tmp_path / "data/collections/shop/current.json"
    pointer.unlink()
    pointer.mkdir()
    ended = run("rollback", "-c", "shop", "--json")
    assert (ended.code, ended.events[-1]["code"]) == (1, "data-path-invalid")


def test_what_a_killed_run_left_behind_goes_with_the_next(run: Run, shop: Path, tmp_path: Path) -> None:
    leftover = tmp_path / "data/collections/shop/.current.json.4711.tmp"
    leftover.write_text("{")
    run("index", shop, "-c", "shop")
    assert not leftover.exists()


# Sources


def test_an_empty_source_is_refused_before_the_collection_is_told_of_it(run: Run, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("shop", "new"):
        ended = run("index", tmp_path / "empty", "-c", name, "--json")
        assert (ended.code, ended.events[-1]["code"]) == (1, "source-empty")
    assert run("collections", "--json").answer["source"] == str(shop)
    assert run("--json").answer == {"event": "answer", "collections": 1, "failed": 0, "pinned": 0}


def test_pictures_in_a_folder_that_cannot_be_listed_stay(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "pictures"
    write_pictures(source / "locked", 2)
    write_pictures(source / "open", 1, start=5)
    run("index", source, "-c", "shop")
    listed = os.scandir

    def scandir(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    ended = run("index", source, "-c", "shop", "--json")
    assert ended.code == 3
    assert ended.answer["items"] == 3
    kept = {"locked/000.jpg": "kept", "locked/001.jpg": "kept"}
    assert verdicts(ended) == kept | {"locked/": "rejected", "open/005.jpg": "unchanged"}


def test_a_database_that_fails_in_the_middle_ends_the_run_and_drops_no_picture(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookalike.catalogue.repository import Catalogue

    def gone(*_: object) -> None:
        raise CatalogueUnavailableError("the server has gone away")

    write_pictures(shop, 1, start=20)
    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "live_by_content", gone)
        ended = run("index", shop, "-c", "shop", "--json")
    assert (ended.code, ended.events[-1]["code"]) == (1, "catalogue-unavailable")
    assert len(keys(run, shop / "001.jpg")) == 8
    assert run("index", shop, "-c", "shop", "--json").answer["items"] == 9


def test_a_large_file_that_is_no_picture_by_name_does_not_fail_the_run(run: Run, shop: Path) -> None:
    for name in ("movie.mp4", "large.jpg"):
        with (shop / name).open("wb") as file:
            file.truncate(2 << 20)
    ended = run("index", shop, "-c", "shop", "--max-megabytes", "1", "--json")
    given = verdicts(ended)
    assert (given["movie.mp4"], given["large.jpg"]) == ("ignored", "rejected")


@pytest.fixture
def hostile_words(tmp_path: Path) -> Path:
    """A manifest with words that a database, an index over keys, or a terminal may not like."""
    pictures = [f"img/{path.name}" for path in write_pictures(tmp_path / "img", 6)]
    wild = random.Random(0)
    cjk = "".join(chr(wild.randrange(0x4E00, 0x9FFF)) for _ in range(1000))
    rows: list[dict[str, object]] = [
        {"path": pictures[0], "key": "nul", "title": "a\0b"},
        {"path": pictures[1], "key": "nul too", "note": "a\0b"},
        {"path": pictures[2], "key": cjk},
        {"path": pictures[3], "key": cjk[:680]},
        {"path": pictures[4], "key": "long", "title": "t" * 100_000, "number": 10**300},
        {"path": pictures[5], "key": "lines", "title": "one\ntwo\x1b[31m"},
    ]
    manifest = tmp_path / "words.jsonl"
    manifest.write_text("\n".join(json.dumps(row) for row in rows))
    return manifest


def test_words_that_cannot_be_stored_are_refused_on_every_database(
    run: Run, hostile_words: Path, database_url: str
) -> None:
    first = run("index", hostile_words, "-c", "shop", "--database", database_url, "--json")
    assert first.code == 3
    assert sorted(verdicts(first).values()) == ["indexed"] * 3 + ["rejected"] * 3
    again = run("index", hostile_words, "-c", "shop", "--database", database_url, "--json")
    assert again.answer["verdicts"]["unchanged"] == 3
    assert run("verify", "-c", "shop", "--database", database_url).code == 0


def test_a_title_cannot_break_the_lines_of_the_table(run: Run, hostile_words: Path) -> None:
    run("index", hostile_words, "-c", "shop")
    ended = run("search", hostile_words.parent / "img/005.jpg", "-c", "shop", "-k", "1")
    assert ended.out.splitlines()[1].endswith(r"lines  one\ntwo\x1b[31m")


def test_an_archive_cannot_break_the_catalogue_by_the_length_of_a_name(run: Run, tmp_path: Path, postgres: str) -> None:
    picture = encode_jpeg(make_picture(1), 90)
    with zipfile.ZipFile(tmp_path / "long.zip", "w") as archive:
        archive.writestr("./" * 20_000 + "long.jpg", picture)
        archive.writestr("good.jpg", picture)
    database = new_postgres_database(postgres)
    ended = run("index", tmp_path / "long.zip", "-c", "shop", "--database", database, "--json")
    assert verdicts(ended) == {"good.jpg": "indexed", "long.jpg": "rejected"}


def test_a_source_that_could_not_be_found_again_is_refused(run: Run, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"s\xe9rc")
    write_pictures(odd, 1)
    ended = run("index", odd, "-c", "odd", "--json")
    assert (ended.code, ended.events[-1]["code"]) == (1, "source-unsupported")


# Output


def test_a_picture_whose_name_is_not_utf8_can_be_searched_with(run: Run, shop: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(shop / "002.jpg", odd)
    assert run("search", odd, "-c", "shop", "-k", "1").out.splitlines()[0].endswith(r"caf\udce9.jpg")
    assert run("search", odd, "-c", "shop", "-k", "1", "--json").answer["results"][0]["key"] == "002.jpg"


def test_words_between_colons_are_no_pictograms(run: Run, shop: Path) -> None:
    assert ":smile:.jpg" in run("search", ":smile:.jpg", "-c", "shop").err


def test_a_search_that_finds_nothing_gives_a_pipe_nothing(run: Run, shop: Path, tmp_path: Path) -> None:
    (other,) = write_pictures(tmp_path / "other", 1, start=900)
    ended = run("search", other, "-c", "shop", "--min-score", "0.99", "--format", "paths")
    assert (ended.code, ended.out.strip()) == (0, "")


def test_an_empty_collection_says_that_it_is_empty(run: Run, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/bad.jpg").write_bytes(b"no picture")
    assert run("index", tmp_path / "bad", "-c", "bad").code == 1
    assert run("index", tmp_path / "bad", "-c", "bad", "--allow-empty").code == 3
    assert run("search", shop / "000.jpg", "-c", "bad").out.strip().endswith("000.jpg: the collection has no pictures")


def test_json_asked_for_by_the_environment_holds_for_errors(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_JSON", "1")
    assert run("search", "nowhere.jpg", "-c", "shop").events[-1]["code"] == "entry-missing"


def test_a_reader_who_has_had_enough_is_told_nothing(shop: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "indexer", "collections", "--data", str(tmp_path / "data")]
    ended = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert ended.stderr == ""
