"""``index`` on sources as they are in the real world: what is left out, what is refused, what is read."""

from __future__ import annotations

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
