"""A zip file is read in place; members that climb out, link, lie about their size or repeat a name are refused."""

from __future__ import annotations

import stat
import struct
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lookalike.errors import (
    ArchiveDamagedError,
    ArchiveUnsafeError,
    EntryMissingError,
    EntryUnreadableError,
    ImageTooLargeError,
    KeyDuplicateError,
    KeyInvalidError,
    LookalikeError,
)
from lookalike.sources import archive
from lookalike.sources.archive import ZipSource
from lookalike.sources.base import Entry, RefusedEntry


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def split(path: Path) -> tuple[list[str], dict[str, type[LookalikeError]]]:
    source = ZipSource(path)
    found = list(source.entries())
    source.close()
    good = [entry.key for entry in found if isinstance(entry, Entry)]
    return good, {entry.key: type(entry.error) for entry in found if isinstance(entry, RefusedEntry)}


def test_members_are_offered_in_the_order_of_the_archive(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"b.jpg": b"1", "a/": b"", "a/c.jpg": b"22", "ü.png": b"3", "./d//e.jpg": b"4"})
    assert split(path) == (["b.jpg", "a/c.jpg", "ü.png", "d/e.jpg"], {})
    source = ZipSource(path)
    assert [source.read(e.location, 2) for e in source.entries() if isinstance(e, Entry)] == [b"1", b"22", b"3", b"4"]
    source.close()


def test_hidden_members_and_system_clutter_are_skipped(tmp_path: Path) -> None:
    members = {"__MACOSX/._a.jpg": b"x", ".git/a": b"x", "a/.DS_Store": b"x", "Thumbs.db": b"x", "a/ok.jpg": b"x"}
    assert split(packed(tmp_path / "a.zip", members)) == (["a/ok.jpg"], {})


@pytest.mark.parametrize(
    "name",
    ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "C:/x.jpg", "C:\\x.jpg", "..\\x.jpg", "a\\..\\..\\x.jpg", "\\\\h\\x"],
)
def test_a_member_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    good, bad = split(packed(tmp_path / "a.zip", {name: b"x", "ok.jpg": b"x"}))
    assert good == ["ok.jpg"]
    assert list(bad.values()) == [ArchiveUnsafeError]


def test_backslashes_that_stay_inside_are_folders(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"shoes\\red.jpg": b"red"})
    assert split(path) == (["shoes/red.jpg"], {})
    source = ZipSource(path)
    (entry,) = source.entries()
    assert isinstance(entry, Entry)
    assert source.read(entry.location, 10) == b"red"
    source.close()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("link.jpg")
    member.create_system = 3
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(member, "/etc/passwd")
    assert split(tmp_path / "a.zip") == ([], {"link.jpg": ArchiveUnsafeError})


def test_the_second_of_two_members_of_one_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a/b.jpg", b"1")
        file.writestr("a\\b.jpg", b"2")
    good, bad = split(tmp_path / "a.zip")
    assert (good, bad) == (["a/b.jpg"], {"a/b.jpg": KeyDuplicateError})


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    data = bytearray(packed(tmp_path / "a.zip", {"a.jpg": b"secret"}).read_bytes())
    data[data.find(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert split(tmp_path / "a.zip") == ([], {"a.jpg": EntryUnreadableError})


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_methods_that_cannot_be_stopped_are_refused(tmp_path: Path, method: int) -> None:
    assert split(packed(tmp_path / "a.zip", {"a.jpg": b"x"}, method)) == ([], {"a.jpg": ArchiveUnsafeError})


def test_names_that_cannot_be_keys_are_refused(tmp_path: Path) -> None:
    good, bad = split(packed(tmp_path / "a.zip", {"a\nb.jpg": b"x", "x" * 2000: b"x"}))
    assert good == []
    assert set(bad.values()) == {KeyInvalidError}
    assert "a\\nb.jpg" in bad


def bomb(path: Path, megabytes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("bomb.jpg", "w") as member:
        for _ in range(megabytes):
            member.write(bytes(1 << 20))
    return path


def test_a_zip_bomb_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    path = bomb(tmp_path / "a.zip", 200)
    assert path.stat().st_size < 1 << 20
    source = ZipSource(path)
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLargeError, match="limit of 1048576"):
            source.read("bomb.jpg", 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
        source.close()


@pytest.mark.parametrize("announced", [10, 1 << 30])
def test_the_announced_size_is_not_trusted(tmp_path: Path, announced: int) -> None:
    data = bytearray(bomb(tmp_path / "a.zip", 3).read_bytes())
    at = data.find(b"PK\1\2")
    struct.pack_into("<I", data, at + 24, announced)
    (tmp_path / "a.zip").write_bytes(data)
    source = ZipSource(tmp_path / "a.zip")
    with pytest.raises((ImageTooLargeError, ArchiveDamagedError)):
        source.read("bomb.jpg", 1 << 20)
    source.close()


def test_a_damaged_member_does_not_spoil_the_others(tmp_path: Path) -> None:
    data = bytearray(
        packed(tmp_path / "a.zip", {"a.jpg": b"A" * 50, "b.jpg": b"B" * 50}, zipfile.ZIP_STORED).read_bytes()
    )
    data[data.find(b"AAAA") + 3] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    source = ZipSource(tmp_path / "a.zip")
    with pytest.raises(ArchiveDamagedError, match=r"a\.jpg"):
        source.read("a.jpg", 100)
    assert source.read("b.jpg", 100) == b"B" * 50
    with pytest.raises(EntryMissingError, match=r"c\.jpg"):
        source.read("c.jpg", 100)
    source.close()


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "middle"])
def test_what_is_no_intact_zip_is_refused_on_opening(tmp_path: Path, damage: str) -> None:
    whole = packed(tmp_path / "a.zip", {f"{k}.jpg": bytes(200) for k in range(20)}).read_bytes()
    at = whole.find(b"PK\1\2")
    broken = {"cut": whole[:-30], "text": b"hello", "empty": b"", "middle": whole[:at] + b"XXXX" + whole[at + 4 :]}
    (tmp_path / "b.zip").write_bytes(broken[damage])
    with pytest.raises(ArchiveDamagedError, match=r"b\.zip"):
        ZipSource(tmp_path / "b.zip")


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "a.zip", {f"{k}.jpg": b"" for k in range(5)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rfind(b"PK\5\6") + 12, 0x7FFFFFFF)
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(ArchiveUnsafeError, match="members"):
        ZipSource(tmp_path / "b.zip")
    monkeypatch.setattr(archive, "MAX_ENTRIES", 4)
    with pytest.raises(ArchiveUnsafeError, match="more than 4 members"):
        ZipSource(path)


def test_an_archive_that_would_unpack_to_far_more_than_pictures_do_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bomb(tmp_path / "a.zip", 3)
    ZipSource(path).close()
    monkeypatch.setattr(archive, "FREE_BYTES", 0)
    with pytest.raises(ArchiveUnsafeError, match="over 100 times as many"):
        ZipSource(path)


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    data = bytearray(packed(tmp_path / "a.zip", {"a.jpg": b"A" * 900, "b.jpg": b"B" * 900}).read_bytes())
    second = data.rfind(b"PK\1\2")
    struct.pack_into("<I", data, second + 42, 1)  # where its header is said to begin: within the first member
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(ArchiveUnsafeError, match=r"b\.jpg .*shares its bytes"):
        ZipSource(tmp_path / "b.zip")


def hide_directory(data: bytes, announced: int) -> bytes:
    """The archive with a second table of contents, by which `zipfile` goes, behind a modest first one."""
    end = data.rfind(b"PK\5\6")
    size, start = struct.unpack_from("<II", data, end + 12)
    zip64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, announced, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1)
    return data[:end] + zip64 + locator + data[end:]


def test_a_hidden_table_of_contents_cannot_take_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed(tmp_path / "a.zip", {f"{k}.jpg": b"" for k in range(2000)}).read_bytes()
    path = tmp_path / "b.zip"
    path.write_bytes(hide_directory(whole, struct.unpack_from("<I", whole, whole.rfind(b"PK\5\6") + 12)[0]))
    ZipSource(path).close()
    monkeypatch.setattr(archive, "MAX_ENTRIES", 1999)
    with pytest.raises(ArchiveUnsafeError, match="more than 1999 members"):
        ZipSource(path)
    monkeypatch.setattr(archive, "MAX_ENTRIES", 10_000)
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 100)
    struct_end = bytearray(path.read_bytes())
    struct.pack_into("<HI", struct_end, struct_end.rfind(b"PK\5\6") + 10, 1, 50)  # what a naive reader believes
    path.write_bytes(struct_end)
    with pytest.raises(ArchiveUnsafeError, match="members"):
        ZipSource(path)


def test_members_are_read_from_many_threads(tmp_path: Path) -> None:
    members = {f"{k}.bin": bytes([k]) * (50_000 + k) for k in range(30)}
    source = ZipSource(packed(tmp_path / "a.zip", members))
    with ThreadPoolExecutor(8) as pool:
        names = list(members) * 4
        for name, data in zip(names, pool.map(lambda one: source.read(one, 1 << 20), names), strict=True):
            assert data == members[name]
    source.close()
