"""The script that moves copies: quiet until told, careful with every file name, and it never overwrites or deletes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from indexer.duplicates.move_script import move_script
from lookalike.catalogue.records import ItemDraft, SourceRecord
from lookalike.duplicates.report import Action, DuplicateGroup, GroupKind, Member
from lookalike.duplicates.subjects import Subject, subjects_of
from lookalike.tiers import Tier

ODD_NAMES = (
    "it's.jpg",
    'say "hi".jpg',
    "$(touch boom).jpg",
    "`touch boom`.jpg",
    "-rf.jpg",
    "a; touch boom #.jpg",
    "äöü 图片 ☃.jpg",
    " leading and trailing ",
    "back\\slash.jpg",
    "*.jpg",
    "sub folder/deep er/x.jpg",
)


def _subject(folder: Path, name: str, location: str | None = None) -> Subject:
    item = ItemDraft(name, location or name, hashlib.sha256(b"four").hexdigest(), 4, 10, 10, "JPEG")
    return subjects_of([item], SourceRecord("folder", str(folder)).path_of, lambda *_: b"", owner="own")[0]


def _group(folder: Path, keep: str, *copies: str) -> DuplicateGroup:
    members = [Member(_subject(folder, keep), Action.KEEP, None, "")]
    members += [Member(_subject(folder, name), Action.DROP, Tier.NEAR_DUPLICATE, "") for name in copies]
    return DuplicateGroup(GroupKind.COPIES, tuple(members))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my pictures"
    for name in ("keep.jpg", *ODD_NAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("four")
    return folder


@pytest.fixture
def script(tmp_path: Path, folder: Path) -> Path:
    path = tmp_path / "move copies.sh"
    path.write_text(move_script([_group(folder, "keep.jpg", *ODD_NAMES)], tmp_path / "the copies", path.name))
    return path


def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", script, *arguments], capture_output=True, text=True, cwd=script.parent, check=False, timeout=60
    )


def _tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_without_being_told_to_move_it_says_what_it_would_do(script: Path, folder: Path) -> None:
    before = _tree(folder)
    ended = _run(script)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("would move: ") == len(ODD_NAMES)
    assert _tree(folder) == before
    assert not (script.parent / "the copies").exists()


def test_every_odd_name_is_moved_and_nothing_else_happens(script: Path, folder: Path) -> None:
    ended = _run(script, "--move")
    assert ended.returncode == 0, ended.stderr
    assert _tree(folder) == {"keep.jpg"}
    assert _tree(script.parent / "the copies") == set(ODD_NAMES)
    assert not list(script.parent.rglob("boom"))
    assert f"{len(ODD_NAMES)} moved, 0 left" in ended.stdout


def test_no_file_is_overwritten(script: Path, folder: Path) -> None:
    taken = script.parent / "the copies/it's.jpg"
    taken.parent.mkdir()
    taken.write_text("mine")
    ended = _run(script, "--move")
    assert ended.returncode == 1
    assert "is there already" in ended.stderr
    assert (folder / "it's.jpg").exists()
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("change", ["gone", "changed", "changed to as many bytes"])
def test_nothing_is_moved_if_the_picture_to_keep_is_not_as_it_was(script: Path, folder: Path, change: str) -> None:
    if change == "gone":
        (folder / "keep.jpg").unlink()
    else:
        (folder / "keep.jpg").write_text("other content" if change == "changed" else "FOUR")
    ended = _run(script, "--move")
    assert ended.returncode == 1
    assert _tree(folder) >= set(ODD_NAMES)
    assert "is not there as it was" in ended.stderr


def test_a_changed_copy_and_a_link_to_the_kept_file_stay(script: Path, folder: Path) -> None:
    (folder / "*.jpg").write_text("edited meanwhile")
    (folder / "it's.jpg").write_text("4our")
    (folder / "-rf.jpg").unlink()
    (folder / "-rf.jpg").symlink_to("keep.jpg")
    assert _run(script, "--move").returncode == 1
    assert _tree(folder) == {"keep.jpg", "*.jpg", "it's.jpg", "-rf.jpg"}


def test_it_can_be_run_twice(script: Path, folder: Path) -> None:
    _run(script, "--move")
    again = _run(script, "--move")
    assert again.returncode == 1
    assert "0 moved" in again.stdout
    assert _tree(folder) == {"keep.jpg"}


def test_an_unknown_argument_is_refused(script: Path) -> None:
    assert _run(script, "--delete").returncode == 2


def test_what_is_in_an_archive_is_named_and_left(tmp_path: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    text = move_script([_group(folder, "keep.jpg", "a.jpg")], tmp_path / "copies", "m.sh")
    assert "# not a file, left where it is: " in text
    assert "\nmove " not in text


def test_a_name_with_a_line_break_runs_nothing(tmp_path: Path, folder: Path) -> None:
    """Of a picture that cannot be moved the script has a comment, which such a name must not end."""
    members = _group(folder, "keep.jpg", "gone\ntouch boom #.jpg", "a\r\ntouch boom").members
    sent = Member(_subject(folder, "sent\ntouch boom", "stored:" + "0" * 64), Action.DROP, Tier.SAME_BYTES, "")
    script = tmp_path / "m.sh"
    script.write_text(move_script([DuplicateGroup(GroupKind.COPIES, (*members, sent))], tmp_path / "copies", "m.sh"))
    ended = _run(script, "--move")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0 moved, 0 left\n", "")
    assert not list(tmp_path.rglob("boom*"))
    assert "# sent to the collection, where it can be deleted by its key: " in script.read_text()
