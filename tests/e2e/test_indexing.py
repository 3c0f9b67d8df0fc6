"""``index``: every file's verdict, what a second run does, and that nothing is lost when it is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from lookalike.images import encode_jpeg, encode_png
from lookalike.testing import make_picture
from tests.e2e.conftest import Ended, Run, write_pictures


def verdicts(ended: Ended) -> dict[str, int]:
    """The verdicts that were given at all, from a run with --json."""
    counts: dict[str, int] = ended.answer["verdicts"]
    return {verdict: count for verdict, count in counts.items() if count}


def report(ended: Ended) -> dict[str, tuple[str, str | None]]:
    lines = [json.loads(line) for line in Path(ended.answer["report"]).read_text().splitlines()]
    return {line["key"]: (line["verdict"], line.get("code")) for line in lines}


def test_every_file_of_a_folder_gets_its_verdict(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    good = write_pictures(folder / "deep" / "er", 2)
    jpeg = good[0].read_bytes()
    for name, content in {
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "empty.png": b"",
        "words.jpg": b"these are words, not pixels",
        "labels.csv": b"path,label\n1.jpg,cat\n",
        "picture.txt": encode_png(make_picture(77)),
        ".hidden.jpg": jpeg,
        "huge.png": _png_header(50_000, 50_000),
    }.items():
        (folder / name).write_bytes(content)
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(jpeg)
    ended = run("index", folder, "-c", "mixed", "--json")
    assert ended.code == 3
    assert report(ended) == {
        "deep/er/000.jpg": ("indexed", None),
        "deep/er/001.jpg": ("indexed", None),
        "picture.txt": ("indexed", None),
        "labels.csv": ("ignored", "unsupported-format"),
        "words.jpg": ("rejected", "unsupported-format"),
        "truncated.jpg": ("rejected", "image-truncated"),
        "empty.png": ("rejected", "image-empty"),
        "huge.png": ("rejected", "too-many-pixels"),
        r"caf\xe9.jpg": ("rejected", "key-invalid"),
    }
    assert ended.answer["items"] == 3


def _png_header(width: int, height: int) -> bytes:
    """A PNG that announces so many pixels and has none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_large_photograph_finds_itself_exactly(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = make_picture(number, (1500 - 200 * number, 1100))
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(pixels, 85))
    assert run("index", folder, "-c", "photos").code == 0
    answers = run("search", *sorted(folder.iterdir()), "-c", "photos", "-k", "1", "--json").events
    assert [answer["results"][0]["key"] for answer in answers] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [answer["results"][0]["score"] for answer in answers] == pytest.approx([1.0] * 3, abs=1e-4)
    assert run("verify", "-c", "photos").code == 0


def test_no_stage_counts_beyond_its_total(run: Run, shop: Path) -> None:
    commands = (("sample", "drawn", "--products", "3"), ("verify", "-c", "shop"), ("duplicates", "-c", "shop"))
    for command in commands:
        stages = [event for event in run(*command, "--json").events if event["event"] == "progress"]
        assert stages, command
        assert all(event["done"] <= event["total"] for event in stages)
        assert {event["done"] for event in stages if event["done"] == event["total"]} - {0}, command


def test_a_run_that_finds_nothing_new_says_so_plainly(run: Run, shop: Path) -> None:
    again = run("index", shop, "-c", "shop")
    assert "8 unchanged\n  nothing had to be encoded; the run took " in again.out


def test_a_second_run_encodes_only_what_is_new_or_changed(run: Run, shop: Path) -> None:
    again = run("index", shop, "-c", "shop", "--json")
    assert (again.code, again.answer["encoded"], again.answer["snapshot"]) == (0, 0, 1)
    assert verdicts(again) == {"unchanged": 8}
    (shop / "000.jpg").unlink()
    (shop / "001.jpg").rename(shop / "renamed.jpg")
    (shop / "002.jpg").write_bytes(encode_jpeg(make_picture(500), 90))
    write_pictures(shop, 1, start=100)
    changed = run("index", shop, "-c", "shop", "--json")
    assert verdicts(changed) == {"indexed": 3, "unchanged": 5, "removed": 2}
    assert changed.answer["encoded"] == 2, "a renamed file has its vector already"
    assert (changed.answer["snapshot"], changed.answer["items"]) == (2, 8)


def test_changed_words_of_a_manifest_are_taken_over_without_encoding(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "img", 3)
    manifest = tmp_path / "list.csv"
    rows = "path,key,title,price\nimg/000.jpg,a,Red shoe,10\nimg/001.jpg,b,Blue shoe,20\n"
    manifest.write_text(f"{rows}img/gone.jpg,c,x,1\n")
    first = run("index", manifest, "-c", "list", "--json")
    assert (first.code, report(first)["c"]) == (3, ("rejected", "entry-missing"))
    manifest.write_text(rows.replace("Red", "Crimson"))
    second = run("index", manifest, "-c", "list", "--json")
    assert (verdicts(second), second.answer["encoded"]) == ({"updated": 1, "unchanged": 1}, 0)
    found = run("search", tmp_path / "img/000.jpg", "-c", "list", "-k", "1", "--json").answer["results"][0]
    assert (found["key"], found["title"], found["metadata"]) == ("a", "Crimson shoe", {"price": 10})
    assert found["score"] == pytest.approx(1.0, abs=1e-4)


def test_a_zip_is_indexed_as_it_is(run: Run, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "img", 3)
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        for path in pictures:
            archive.write(path, f"inside/{path.name}")
        archive.writestr("../escape.jpg", pictures[0].read_bytes())
    ended = run("index", tmp_path / "corpus.zip", "-c", "zipped", "--json")
    assert (ended.code, report(ended)["../escape.jpg"]) == (3, ("rejected", "archive-unsafe"))
    assert run("verify", "-c", "zipped").code == 0


def test_with_no_verb_every_collection_is_brought_up_to_date(run: Run, shop: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 2, start=50)
    run("index", tmp_path / "more", "-c", "more")
    write_pictures(shop, 1, start=60)
    ended = run("--json")
    assert ended.code == 0
    runs = {event["collection"]: event["items"] for event in ended.events if "items" in event}
    assert runs == {"more": 2, "shop": 9}


def test_what_undoes_a_rollback_says_so(run: Run, shop: Path) -> None:
    (shop / "000.jpg").unlink()
    assert "rollback" not in run("index", shop, "-c", "shop").err
    rolled_back = run("rollback", "-c", "shop")
    assert rolled_back.out == (
        "shop: snapshot 1 is current until `unpin`, or an index of this collection, which goes on from snapshot 2\n"
    )
    for _ in range(2):
        ended = run("reindex")
        assert (ended.code, ended.out) == (0, "0 of 1 collections are up to date\n")
        assert "shop: left at snapshot 1, to which it was rolled back" in ended.err
        assert "snapshot 1 of" in run("collections").out
    ended = run("index", shop, "-c", "shop")
    assert "shop: the rollback to snapshot 1 ends with this run, which goes on from snapshot 2" in ended.err
    assert "7 pictures in snapshot 2" in ended.out
    assert "rolled back" not in run("reindex").err
    assert run("rollback", "-c", "shop").code == 0
    assert run("unpin", "-c", "shop").out == "shop: snapshot 2 is current\n"
    assert run("reindex").out.endswith("1 of 1 collections are up to date\n")


def test_one_collection_without_its_source_does_not_keep_the_others_back(run: Run, shop: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 2, start=50)
    run("index", tmp_path / "more", "-c", "more")
    shutil.rmtree(tmp_path / "more")
    write_pictures(shop, 1, start=60)
    ended = run("--json")
    assert ended.code == 1
    assert [event["code"] for event in ended.events if event["event"] == "error"] == ["source-not-found"]
    assert [event["items"] for event in ended.events if "items" in event] == [9]
    assert run("search", shop / "000.jpg", "-c", "more", "-k", "1").code == 0, "what was published stays"


def test_a_source_that_has_lost_everything_is_not_believed(run: Run, shop: Path) -> None:
    for path in shop.iterdir():
        path.unlink()
    ended = run("index", shop, "-c", "shop", "--json")
    assert (ended.code, ended.events[-1]["code"]) == (1, "source-empty")
    agreed = run("index", shop, "-c", "shop", "--allow-empty", "--json")
    assert (agreed.code, agreed.answer["items"]) == (0, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_at_present_stays_in_the_collection(run: Run, shop: Path) -> None:
    (shop / "000.jpg").chmod(0)
    ended = run("index", shop, "-c", "shop", "--json")
    assert verdicts(ended) == {"unchanged": 7, "kept": 1}
    assert ended.answer["items"] == 8


def test_a_wrong_folder_without_pictures_does_not_empty_the_collection(run: Run, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "README").write_text("nothing is mounted here")
    ended = run("index", tmp_path / "mount", "-c", "shop", "--json")
    assert (ended.code, ended.events[-1]["code"]) == (1, "source-empty")
    assert run("index", shop, "-c", "shop", "--json").answer["verdicts"]["unchanged"] == 8
    agreed = run("index", tmp_path / "mount", "-c", "shop", "--allow-empty", "--json")
    assert (agreed.code, agreed.answer["items"]) == (0, 0)


def test_a_picture_that_went_bad_is_dropped_and_said(run: Run, shop: Path) -> None:
    (shop / "003.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    ended = run("index", shop, "-c", "shop", "--json")
    assert (ended.code, ended.answer["items"]) == (3, 7)
    assert report(ended)["003.jpg"][0] == "rejected"


def test_killed_in_the_middle_it_loses_nothing_and_goes_on(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    write_pictures(folder, 4)
    assert run("index", folder, "-c", "many").code == 0
    write_pictures(folder, 200, start=4)
    command = [sys.executable, "-m", "indexer", "index", str(folder), "-c", "many", "--batch", "8", "--json"]
    environment = {**os.environ, "LOOKALIKE_DATA": str(tmp_path / "data")}
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, cwd=root) as process:
        _wait_for_rows(tmp_path / "data" / "catalogue.db", 60)
        process.send_signal(signal.SIGKILL)
    found = run("search", folder / "002.jpg", "-c", "many", "-k", "9", "--json").answer["results"]
    assert len(found) == 4, "the published snapshot is as it was"
    ended = run("index", folder, "-c", "many", "--json")
    counts = verdicts(ended)
    assert (ended.code, ended.answer["items"]) == (0, 204)
    assert counts["unchanged"] == 4
    assert counts["resumed"] >= 60
    assert counts["resumed"] + counts["indexed"] == 200
    assert ended.answer["encoded"] == counts["indexed"]
    assert run("verify", "-c", "many", "--sample", "30").code == 0


def _wait_for_rows(database: Path, rows: int) -> None:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM pending_vectors").fetchone()
        connection.close()
        if count >= rows:
            return
        time.sleep(0.05)
    raise AssertionError("the indexer did not get that far")


def test_a_full_disk_is_said_and_what_was_published_stays(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here, so there is no disk to fill")
    try:
        monkeypatch.setenv("LOOKALIKE_DATA", str(disk / "data"))
        folder = tmp_path / "pictures"
        write_pictures(folder, 5)
        assert run("index", folder, "-c", "shop").code == 0
        write_pictures(folder, 300, start=5)
        ended = run("index", folder, "-c", "shop", "--json")
        assert (ended.code, ended.events[-1]["code"]) == (1, "disk-full")
        assert "Traceback" not in ended.err
        found = run("search", folder / "001.jpg", "-c", "shop", "-k", "9", "--json").answer["results"]
        assert (len(found), found[0]["key"]) == (5, "001.jpg")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_the_batch_job_keeps_to_the_limits_of_the_run_by_hand(run: Run, shop: Path) -> None:
    (shop / "large.png").write_bytes(encode_png(make_picture(9, size=(1200, 900))))
    refused = run("index", shop, "-c", "shop", "--max-megapixels", "1", "--json")
    assert report(refused)["large.png"] == ("rejected", "too-many-pixels")
    assert run("--json").code == 3, "as in the run by hand"
    run("index", shop, "-c", "shop", "--json")
    assert run("--json").code == 0
