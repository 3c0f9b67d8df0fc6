"""``index`` on sources as they are in the real world: what is left out, what is refused, what is read."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lookalike import Collection
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.e2e.conftest import Ended, Run, write_pictures


def verdicts(ended: Ended) -> dict[str, int]:
    """The verdicts that were given at all, from a run with --json."""
    counts: dict[str, int] = ended.answer["verdicts"]
    return {verdict: count for verdict, count in counts.items() if count}


def test_clutter_is_counted_and_said_and_the_hourly_job_leaves_out_the_same(run: Run, tmp_path: Path) -> None:
    share = tmp_path / "share"
    write_pictures(share, 2)
    for number, name in enumerate(
        ("@eaDir/000.jpg/SYNOPHOTO_THUMB_XL.jpg", "#recycle/x.jpg", "._000.jpg", "old/y.jpg")
    ):
        (share / name).parent.mkdir(parents=True, exist_ok=True)
        (share / name).write_bytes(encode_jpeg(make_picture(50 + number), 80))
    ended = run("index", share, "-c", "share", "--exclude", "old/")
    assert ended.code == 0
    assert "  4 excluded: #recycle 1, ._* 1, @eaDir 1, old 1\n" in ended.out
    hourly = run("--json")
    first = next(event for event in hourly.events if event["event"] == "answer")
    assert (first["items"], first["excluded"]) == (2, {"@eaDir": 1, "#recycle": 1, "._*": 1, "old": 1})
    shutil.rmtree(share / "@eaDir")
    (share / ".lookalikeignore").write_text("001.*\n")
    again = run("index", share, "-c", "share", "--include", "#recycle/", "--json")
    assert verdicts(again) == {"indexed": 2, "unchanged": 1, "removed": 1}
    assert again.answer["excluded"] == {"._*": 1, "001.*": 1}


def test_pictures_that_were_changed_live_are_lost_as_well_as_others(run: Run, tmp_path: Path) -> None:
    """New prices for all at night, and half a source in the morning, before any change was folded in."""
    root = tmp_path / "root"
    paths = write_pictures(root, 12)
    assert run("index", root, "-c", "all").code == 0
    with Collection.open(tmp_path / "data", "all") as collection:
        for path in paths:
            collection.upsert(path.name, metadata={"price": 5})
            collection.upsert(path.name, metadata={"price": 6})
        collection.upsert("sent.jpg", paths[0].read_bytes()[:-2] + b"\0\0")
        collection.delete(paths[-1].name)
    for path in paths[:6]:
        path.unlink()
    refused = run("index", root, "-c", "all", "--json")
    assert (refused.code, refused.events[-1]["code"]) == (5, "source-shrunk")
    assert "has lost 6 of the 11 pictures" in refused.events[-1]["message"]
    with Collection.open(tmp_path / "data", "all") as collection:
        assert len(collection) == 12
        assert collection.item(paths[0].name).metadata == {"price": 6}
    dry = run("index", root, "-c", "all", "--dry-run", "--json")
    assert dry.code == 5
    assert run("index", root, "-c", "all", "--allow-removals").code == 0
    with Collection.open(tmp_path / "data", "all") as collection:
        assert {item.key for item in collection.items()} == {"sent.jpg", *(path.name for path in paths[6:-1])}
        assert collection.item(paths[7].name).metadata == {"price": 6}


def test_a_pattern_that_is_none_is_an_error_of_its_own(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "share", 1)
    ended = run("index", tmp_path / "share", "-c", "share", "--exclude", "[z-a]", "--json")
    assert (ended.code, ended.events[-1]["code"]) == (1, "pattern-invalid")
    assert run("index", tmp_path / "share", "-c", "share", "--source-encoding", "base64").code == 2


def test_a_share_that_is_not_mounted_removes_nothing_until_that_is_agreed_to(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_pictures(root / "a", 6)
    write_pictures(root / "b", 6, start=20)
    write_pictures(tmp_path / "other", 2, start=40)
    assert run("index", root, "-c", "all", "--exclude", "*.tmp").code == 0
    assert run("index", tmp_path / "other", "-c", "other").code == 0
    (root / "b").rename(tmp_path / "unmounted")
    write_pictures(root / "a", 1, start=10)
    write_pictures(tmp_path / "other", 1, start=50)
    for _ in range(3):  # hourly, and three snapshots are kept
        hourly = run("--json")
        assert hourly.code == 5
        error = next(event for event in hourly.events if event["event"] == "error")
        assert (error["collection"], error["code"]) == ("all", "source-shrunk")
        assert (
            "has lost 6 of the 12 pictures (all 6 of b/) of the collection 'all': is a disk or share not mounted?"
            in (error["message"])
        )
    assert [run("verify", "-c", name, "--json").answer["items"] for name in ("all", "other")] == [12, 3]
    again = run("index", root, "-c", "all", "--exclude", "*.tmp", "--json")
    assert (again.code, again.events[-1]["code"]) == (5, "source-shrunk")
    (command,) = re.findall("`python -m indexer (.*)`", again.events[-1]["message"])
    assert "--exclude '*.tmp'" in command
    agreed = run(*shlex.split(command), "--json")
    assert agreed.code == 0
    assert verdicts(agreed) == {"unchanged": 6, "resumed": 1, "removed": 6}
    (tmp_path / "unmounted").rename(root / "b")
    assert verdicts(run("index", root, "-c", "all", "--json")) == {"unchanged": 7, "indexed": 6}


def test_few_pictures_and_moved_folders_go_without_asking(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_pictures(root / "2023", 6)
    write_pictures(root / "2024", 10, start=20)
    assert run("index", root, "-c", "all").code == 0
    (root / "2023").rename(root / "archive")
    (root / "2024" / "020.jpg").unlink()
    assert verdicts(run("index", root, "-c", "all", "--json")) == {"unchanged": 9, "indexed": 6, "removed": 7}
    excluded = run("index", root, "-c", "all", "--exclude", "archive/", "--json")
    assert (excluded.code, verdicts(excluded)) == (0, {"unchanged": 9, "removed": 6}), (
        "who excludes a folder has agreed"
    )


def test_a_table_as_a_spreadsheet_saves_it_is_indexed_with_its_types(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "img", 1)
    (tmp_path / "img" / "000.jpg").rename(tmp_path / "img" / "cafe\u0301.jpg")
    text = "sep=;\r\nPath;EAN;Preis;neu;Farbe\r\nimg\\caf\u00e9.jpg;0012345;59,90;wahr;grün\r\n;;;;\r\n"
    (tmp_path / "list.csv").write_bytes(text.encode("cp1252"))
    ended = run("index", tmp_path / "list.csv", "-c", "list", "--json")
    assert (ended.code, verdicts(ended)) == (0, {"indexed": 1})
    found = run("search", tmp_path / "img" / "cafe\u0301.jpg", "-c", "list", "--json").answer["results"][0]
    assert found["key"] == "img/caf\u00e9.jpg"
    assert found["metadata"] == {"EAN": "0012345", "Preis": 59.9, "neu": True, "Farbe": "grün"}


def test_a_line_that_cannot_be_read_removes_nothing(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "img", 4)
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,key,x\n" + "".join(f"img/00{number}.jpg,{number},x\n" for number in range(4)))
    assert run("index", manifest, "-c", "list").code == 0
    # The line of the second picture shows its key; the third is away, and meant to be.
    manifest.write_text("path,key,x\nimg/000.jpg,0,x\nimg/001.jpg,1\nimg/003.jpg,3,x\n")
    identified = run("index", manifest, "-c", "list", "--json")
    assert (identified.code, verdicts(identified)) == (3, {"unchanged": 2, "kept": 1, "rejected": 1, "removed": 1})
    manifest.write_text('path,key,x\nimg/000.jpg,0,x\n"img/001.jpg"1,x,\nimg/003.jpg,3,x\n')
    unknown = run("index", manifest, "-c", "list", "--json")
    assert (unknown.code, verdicts(unknown)) == (3, {"unchanged": 2, "rejected": 1})
    assert unknown.answer["items"] == 3
    assert (
        "warning: list: nothing is removed in this run, because what cannot be read may be about any picture: mend "
        in (unknown.err)
    )
    assert "list.csv, line 3" in unknown.err
    manifest.write_text("path,key,x\nimg/000.jpg,0,x\nimg/003.jpg,3,x\n")
    assert verdicts(run("index", manifest, "-c", "list", "--json")) == {"unchanged": 2, "removed": 1}


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a data folder, without the log that SQLite has beside a database that is open."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_dry_run_says_what_the_run_then_does_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_pictures(root / "a", 6)
    write_pictures(root / "b", 6, start=20)
    (root / "notes.txt").write_text("no picture")
    first = run("index", root, "-c", "all", "--dry-run", "--json")
    assert not (tmp_path / "data").exists()
    assert verdicts(first) == {"indexed": 12, "ignored": 1}
    assert first.answer["to_encode"] == first.answer["measured"] == 12
    assert first.answer["rate"] > 0
    assert first.answer["seconds"] == pytest.approx(12 / first.answer["rate"], abs=0.1)
    assert verdicts(run("index", root, "-c", "all", "--json")) == verdicts(first)

    (root / "a" / "000.jpg").write_bytes(encode_jpeg(make_picture(99), 90))
    (root / "a" / "001.jpg").rename(root / "a" / "renamed.jpg")
    (root / "a" / "002.jpg").unlink()
    (root / "a" / "._x.jpg").write_bytes(b"x")
    write_pictures(root / "a", 1, start=10)
    before = contents(tmp_path / "data")
    dry = run("index", root, "-c", "all", "--dry-run", "--json")
    assert dry.answer["to_encode"] == 2
    assert dry.answer["excluded"] == {"._*": 1}
    assert contents(tmp_path / "data") == before
    assert verdicts(run("index", root, "-c", "all", "--json")) == verdicts(dry)

    (root / "b").rename(tmp_path / "unmounted")
    text = run("index", root, "-c", "all", "--dry-run")
    assert text.code == 5
    assert (
        "would be refused without --allow-removals: the source has lost 6 of the 12 pictures (all 6 of b/)" in text.out
    )
    assert "nothing would have to be encoded" in text.out
    assert run("index", root, "-c", "all", "--dry-run", "--allow-removals").code == 0


def test_a_dry_run_knows_what_was_changed_live(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_pictures(root, 12)
    assert run("index", root, "-c", "all").code == 0
    with Collection.open(tmp_path / "data", "all") as collection:
        collection.upsert("sent.jpg", make_picture(500))
        collection.delete("001.jpg")
        collection.delete("002.jpg")
        collection.upsert("003.jpg", title="Live")
        collection.upsert("004.jpg", title="Live")
        collection.upsert("005.jpg", title="Live")
    (root / "002.jpg").write_bytes(encode_jpeg(make_picture(600), 90))
    (root / "004.jpg").write_bytes(encode_jpeg(make_picture(601), 90))
    (root / "005.jpg").unlink()
    (root / "006.jpg").unlink()
    dry = run("index", root, "-c", "all", "--dry-run", "--json")
    assert verdicts(dry) == {"ignored": 1, "indexed": 2, "removed": 2, "unchanged": 7}
    assert verdicts(run("index", root, "-c", "all", "--json")) == verdicts(dry)
    assert verdicts(run("index", root, "-c", "all", "--dry-run", "--json")) == {"ignored": 1, "unchanged": 9}


def test_a_watched_folder_is_indexed_when_it_changes_until_it_is_ended(run: Run, tmp_path: Path) -> None:
    del run  # sets the environment that the process has
    root = tmp_path / "root"
    write_pictures(root, 2)
    snapshots = tmp_path / "data" / "collections" / "all" / "snapshots"
    command = [sys.executable, "-m", "indexer", "index", str(root), "-c", "all", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        try:
            wait_for_snapshot(snapshots, 1, watching)
            write_pictures(root, 1, start=10)
            wait_for_snapshot(snapshots, 2, watching)
            time.sleep(1)
        finally:
            watching.send_signal(signal.SIGTERM)
        out, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["items"] for event in events if event["event"] == "answer"] == [2, 3]


def wait_for_snapshot(snapshots: Path, generation: int, indexer: subprocess.Popen[str]) -> None:
    """Wait until a snapshot is published; fails if the indexer ends before, or takes a minute."""
    deadline = time.monotonic() + 60
    while not (snapshots / f"{generation:08d}" / "manifest.json").exists():
        assert indexer.poll() is None, "the indexer has ended"
        assert time.monotonic() < deadline, f"snapshot {generation} was not published"
        time.sleep(0.05)
