"""``index`` on sources as they are in the real world: what is left out, what is refused, what is read."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

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
            "has lost 6 of the 12 pictures of the collection 'all', all 6 of b/: is a disk or share not mounted?"
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
