"""What systems leave behind is left out and counted; patterns leave out more, or take back in; zips as folders."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.errors import PatternInvalidError
from lookalike.options import SourceOptions
from lookalike.sources.archive import ZipSource
from lookalike.sources.base import RefusedEntry, Source
from lookalike.sources.exclusions import DEFAULT_PATTERNS, Exclusions, describe_excluded
from lookalike.sources.folder import FolderSource
from lookalike.sources.manifest import ManifestSource

CLUTTER = {
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg": "@eaDir",
    "2024/@eaDir/b.jpg/SYNOPHOTO_THUMB_M.jpg": "@eaDir",
    "#recycle/x.jpg": "#recycle",
    "$RECYCLE.BIN/y.jpg": "$RECYCLE.BIN",
    ".thumbnails/z.jpg": ".thumbnails",
    "._a.jpg": "._*",
    "2024/._b.jpg": "._*",
    ".Trash-1000/files/a.jpg": ".Trash*",
    ".Trashes/501/a.jpg": ".Trash*",
    "lost+found/1234": "lost+found",
    ".stversions/a~20240101.jpg": ".stversions",
    "2024/.DS_Store": ".DS_Store",
    "thumbs.DB": "Thumbs.db",
    "desktop.ini": "desktop.ini",
    ".AppleDouble/a.jpg": ".AppleDouble",
    "__MACOSX/._a.jpg": "._*",
    "__MACOSX/a.jpg": "__MACOSX",
    "System Volume Information/IndexerVolumeGuid": "System Volume Information",
    ".git/objects/ab/cdef": ".git",
    "a.jpg@SynoEAStream": "*@SynoEAStream",
    ".@__thumb/default.jpg": ".@__thumb",
    "Icon\r": "Icon",
    ".hidden.jpg": ".*",
}
PICTURES = ["2024/b.jpg", "@home.jpg", "MACOSX/c.jpg", "Recycler.jpg", "a.jpg", "desktop.ini.jpg", "icon.jpg", "#1.jpg"]


def folder_of(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def zip_of(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def keys(source: Source) -> list[str]:
    entries = list(source.entries())
    assert [entry for entry in entries if isinstance(entry, RefusedEntry)] == []
    return sorted(entry.key for entry in entries)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_systems_leave_behind_is_left_out_and_counted(kind: str, tmp_path: Path) -> None:
    names = [*CLUTTER, *PICTURES]
    source: Source = (
        FolderSource(folder_of(tmp_path, *names)) if kind == "folder" else ZipSource(zip_of(tmp_path / "a.zip", *names))
    )
    for _ in range(2):  # each pass counts anew
        assert keys(source) == sorted(PICTURES)
        assert source.excluded == {pattern: list(CLUTTER.values()).count(pattern) for pattern in CLUTTER.values()}


@pytest.mark.parametrize(("name", "pattern"), CLUTTER.items())
def test_each_is_counted_under_the_name_it_is_known_by(name: str, pattern: str) -> None:
    assert Exclusions(SourceOptions()).pattern_of(name) == pattern


NAMES = st.sampled_from([name.strip("/*").replace("[\r]", "\r") for name in DEFAULT_PATTERNS]) | st.text(
    "aX.@#_ ", max_size=4
)
PARTS = st.builds(
    lambda before, name, change: before + change(name),
    st.sampled_from(["", "a", "."]),
    NAMES,
    st.sampled_from([str.upper, str.lower, str]),
)


QUICK = Exclusions(SourceOptions())
WITH_OWN = Exclusions(SourceOptions(exclude=("/no such file",)))


@settings(deadline=None)
@given(st.lists(PARTS.filter(bool), min_size=1, max_size=3).map("/".join))
def test_the_quick_look_misses_nothing_that_the_patterns_would_match(path: str) -> None:
    thorough = QUICK._spec.check_file(path)
    assert (QUICK.pattern_of(path) is None) == (not thorough.include)
    assert WITH_OWN.pattern_of(path) == QUICK.pattern_of(path)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_patterns_leave_out_more_and_take_back_in(kind: str, tmp_path: Path) -> None:
    names = [
        "raw/a.jpg",
        "b/raw/c.jpg",
        "b/d.jpg",
        "b/d.tmp.jpg",
        ".thumbnails/z.jpg",
        ".thumbnails/._z.jpg",
        "#new/e.jpg",
    ]
    options = SourceOptions(exclude=("raw/", "*.tmp.jpg", "#new"), include=(".thumbnails/", "!b/raw/c.jpg", ""))
    source: Source = (
        FolderSource(folder_of(tmp_path, *names), options)
        if kind == "folder"
        else ZipSource(zip_of(tmp_path / "a.zip", *names), options)
    )
    assert keys(source) == [".thumbnails/z.jpg", "b/d.jpg", "b/raw/c.jpg"]
    assert source.excluded == {"raw": 1, "*.tmp.jpg": 1, "._*": 1, "\\#new": 1}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_an_ignore_file_at_the_top_is_obeyed_and_flags_override_it(kind: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", "a.jpg", "old/b.jpg", "old/c.jpg", "sub/d.jpg", "sub/.lookalikeignore")
    lines = "\ufeff# what is old\r\nold/\r\n\r\n!old/c.jpg\r\n/d.jpg\r\n"
    (folder / ".lookalikeignore").write_text(lines, encoding="utf-8")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())

    def opened(**patterns: tuple[str, ...]) -> Source:
        options = SourceOptions(**patterns)  # type: ignore[arg-type]
        return FolderSource(folder, options) if kind == "folder" else ZipSource(path, options)

    source = opened()
    assert keys(source) == ["a.jpg", "old/c.jpg", "sub/d.jpg"]
    assert source.excluded == {"old": 1, ".*": 1}, "the ignore file itself is read, and no file that is left out"
    assert keys(opened(include=("old/",), exclude=("sub/",))) == ["a.jpg", "old/b.jpg", "old/c.jpg"]


def test_names_match_whichever_way_their_accents_are_written(tmp_path: Path) -> None:
    composed, combining = "caf\u00e9.jpg", "cafe\u0301.jpg"
    for pattern, name in ((composed, combining), (combining, composed)):
        assert Exclusions(SourceOptions(exclude=(pattern,))).pattern_of(f"a/{name}") == composed


@pytest.mark.parametrize("pattern", ["!", "a\\", "[z-a]"])
def test_a_pattern_that_is_none_is_named(pattern: str, tmp_path: Path) -> None:
    (tmp_path / ".lookalikeignore").write_text(pattern)
    with pytest.raises(PatternInvalidError, match=r"no pattern as in a \.gitignore file"):
        list(FolderSource(tmp_path).entries())


def test_an_ignore_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / ".lookalikeignore").write_bytes("größe/".encode("cp1252"))
    with pytest.raises(PatternInvalidError, match=r"\.lookalikeignore is not UTF-8"):
        list(FolderSource(tmp_path).entries())


def test_reading_by_location_needs_no_ignore_file(tmp_path: Path) -> None:
    folder_of(tmp_path, "a.jpg")
    (tmp_path / ".lookalikeignore").write_text("!")
    assert FolderSource(tmp_path).read("a.jpg", 100) == b"a.jpg"


def test_an_excluded_folder_that_cannot_be_listed_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def scan(path: Path) -> object:
        if path.name in ("lost+found", "locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    folder_of(tmp_path, "lost+found/a", "locked/b.jpg", "a.jpg")
    monkeypatch.setattr("lookalike.sources.folder.os.scandir", scan)
    entries = list(FolderSource(tmp_path).entries())
    assert [(entry.key, isinstance(entry, RefusedEntry)) for entry in entries] == [("a.jpg", False), ("locked/", True)]


def test_pipes_and_links_in_excluded_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "@eaDir").mkdir()
    os.mkfifo(tmp_path / "@eaDir" / "pipe")
    (tmp_path / "@eaDir" / "out").symlink_to("/etc")
    source = FolderSource(tmp_path)
    assert keys(source) == []
    assert source.excluded == {"@eaDir": 2}


def test_a_manifests_files_were_named_by_somebody(tmp_path: Path) -> None:
    folder_of(tmp_path, ".thumbs/a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "list.csv").write_text("path,key\n.thumbs/a.jpg,1\nb.jpg,2\nc.jpg,3\n")
    source = ManifestSource(tmp_path / "list.csv", options=SourceOptions(exclude=("c.*",)))
    assert keys(source) == ["1", "2"]
    assert source.excluded == {"c.*": 1}


def test_the_most_frequent_pattern_is_said_first() -> None:
    assert describe_excluded({"._*": 1, "@eaDir": 3}) == "4 excluded: @eaDir 3, ._* 1"
