"""A folder is read whole and in order; what cannot be offered is refused by name, and nothing hangs or escapes."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.errors import (
    EntryMissingError,
    EntryOutsideError,
    EntryUnreadableError,
    ImageTooLargeError,
    KeyInvalidError,
    LookalikeError,
)
from lookalike.sources.base import MAX_KEY_LENGTH, Entry, RefusedEntry, key_error, printable
from lookalike.sources.folder import FolderSource


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def offered(root: Path) -> list[str]:
    return [entry.key for entry in FolderSource(root).entries() if isinstance(entry, Entry)]


def refused(root: Path) -> dict[str, type[LookalikeError]]:
    return {entry.key: type(entry.error) for entry in FolderSource(root).entries() if isinstance(entry, RefusedEntry)}


def test_every_file_is_offered_in_the_order_of_its_key(tmp_path: Path) -> None:
    names = ["a.jpg", "a/z.jpg", "a-b.txt", "b/c/d.png", "A.jpg", "no extension", "é.jpg", "b/c.png", "a/b/c"]
    write(tmp_path, *names)
    assert offered(tmp_path) == sorted(names)
    assert offered(tmp_path) == offered(tmp_path)
    assert refused(tmp_path) == {}


def test_hidden_files_and_system_clutter_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, ".hidden", ".git/x.jpg", "Thumbs.db", "thumbs.DB", "a/.DS_Store", "__MACOSX/a.jpg", "a/desktop.ini")
    write(tmp_path, "a/kept.jpg", "MACOSX/kept.jpg")
    assert offered(tmp_path) == ["MACOSX/kept.jpg", "a/kept.jpg"]
    assert refused(tmp_path) == {}


def test_a_file_that_grows_while_it_is_opened_is_read_to_its_end_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.fstat

    def look_and_write_on(descriptor: int) -> os.stat_result:
        found = look(descriptor)
        with (tmp_path / "a.jpg").open("ab") as file:
            file.write(b"12345")
        return found

    write(tmp_path, "a.jpg")
    monkeypatch.setattr("lookalike.sources.files.os.fstat", look_and_write_on)
    assert FolderSource(tmp_path).read("a.jpg", 10) == b"a.jpg12345"
    with pytest.raises(ImageTooLargeError, match="limit of 14"):
        FolderSource(tmp_path).read("a.jpg", 14)


def test_an_entry_can_be_read_again_by_its_location(tmp_path: Path) -> None:
    write(tmp_path, "a/b.jpg")
    source = FolderSource(tmp_path)
    (entry,) = source.entries()
    assert isinstance(entry, Entry)
    assert source.read(entry.location, 7) == b"a/b.jpg"
    with pytest.raises(ImageTooLargeError, match="limit of 6"):
        source.read(entry.location, 6)
    (tmp_path / "a/b.jpg").unlink()
    with pytest.raises(EntryMissingError, match=r"a/b\.jpg"):
        source.read(entry.location, 7)
    source.close()


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret"])
def test_a_stored_location_cannot_lead_outside(tmp_path: Path, location: str) -> None:
    write(tmp_path, "secret", "in/a/x.jpg")
    with pytest.raises(EntryOutsideError):
        FolderSource(tmp_path / "in").read(location, 1000)


def test_links_to_files_are_followed_only_inside(tmp_path: Path) -> None:
    write(tmp_path, "outside.jpg", "in/a.jpg")
    (tmp_path / "in/link.jpg").symlink_to("a.jpg")
    (tmp_path / "in/out.jpg").symlink_to(tmp_path / "outside.jpg")
    (tmp_path / "in/gone.jpg").symlink_to("nothing.jpg")
    assert offered(tmp_path / "in") == ["a.jpg", "link.jpg"]
    assert refused(tmp_path / "in") == {"gone.jpg": EntryMissingError, "out.jpg": EntryOutsideError}
    assert FolderSource(tmp_path / "in").read("link.jpg", 100) == b"in/a.jpg"


def test_links_to_folders_are_never_followed_so_loops_end(tmp_path: Path) -> None:
    write(tmp_path, "in/a/b/c.jpg", "other/d.jpg")
    (tmp_path / "in/a/b/up").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in/a/self").symlink_to(".", target_is_directory=True)
    (tmp_path / "in/round").symlink_to("round")
    (tmp_path / "in/other").symlink_to(tmp_path / "other", target_is_directory=True)
    assert offered(tmp_path / "in") == ["a/b/c.jpg"]
    assert refused(tmp_path / "in") == {"other": EntryOutsideError, "round": EntryUnreadableError}


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, "real/a.jpg")
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    source = FolderSource(tmp_path / "link")
    assert [entry.key for entry in source.entries()] == ["a.jpg"]
    assert source.location == str(tmp_path / "real")


def test_a_name_that_is_not_utf8_is_refused_and_shown_escaped(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))).write_bytes(b"x")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xff"))
    folder.mkdir()
    (folder / "x.jpg").write_bytes(b"x")
    (tmp_path / "new\nline.jpg").write_bytes(b"x")
    assert refused(tmp_path) == {
        "caf\\xe9.jpg": KeyInvalidError,
        "d\\xff/x.jpg": KeyInvalidError,
        "new\\nline.jpg": KeyInvalidError,
    }
    for entry in FolderSource(tmp_path).entries():
        assert isinstance(entry, RefusedEntry)
        entry.key.encode("utf-8")
        entry.error.message.encode("utf-8")


def test_pipes_and_sockets_are_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        previous = Path.cwd()
        os.chdir(tmp_path)
        try:
            listener.bind("socket.jpg")
        finally:
            os.chdir(previous)
        assert refused(tmp_path) == {"pipe.jpg": EntryUnreadableError, "socket.jpg": EntryUnreadableError}
        with pytest.raises(EntryUnreadableError):
            FolderSource(tmp_path).read("pipe.jpg", 100)


def test_a_folder_that_cannot_be_listed_is_refused_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.jpg", "locked/b.jpg", "z.jpg")
    real = os.scandir

    def scandir(path: Path) -> Iterator[os.DirEntry[str]]:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    assert offered(tmp_path) == ["a.jpg", "z.jpg"]
    assert refused(tmp_path) == {"locked/": EntryUnreadableError}


def test_a_folder_deeper_than_pythons_stack_is_walked(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=descriptor)
        deeper = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(os.open("x.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    assert list(refused(tmp_path).values()) == [KeyInvalidError]
    # Python's own clean-up recurses and would not manage this depth.
    subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)


@pytest.mark.parametrize("key", ["", "a\0b", "a\tb", "\x7f", "x" * (MAX_KEY_LENGTH + 1), "\udcff"])
def test_what_cannot_be_stored_is_no_key(key: str) -> None:
    assert isinstance(key_error(key), KeyInvalidError)
    printable(key).encode("utf-8")


@pytest.mark.parametrize("key", ["a", "ü/日本/😀.jpg", "x" * MAX_KEY_LENGTH])
def test_any_other_text_is_a_key(key: str) -> None:
    assert key_error(key) is None
