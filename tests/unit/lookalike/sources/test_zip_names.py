"""Members of a zip have readable names, also those that do not say how they are encoded."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from lookalike.errors import KeyInvalidError
from lookalike.options import SourceOptions
from lookalike.sources.archive import ZipSource
from lookalike.sources.base import Entry, RefusedEntry


def packed(path: Path, names: dict[str, str], *, unicode_path: bool = False) -> Path:
    """A zip whose members have these names in these encodings, without the flag that says UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, encoding) in enumerate(names.items()):
            raw = name.encode(encoding)
            info = zipfile.ZipInfo(
                chr(ord("A") + number) * len(raw)
            )  # its place is taken by the name, which is as long
            if unicode_path:
                field = struct.pack("<BI", 1, zlib.crc32(raw)) + name.encode()
                info.extra = struct.pack("<HH", 0x7075, len(field)) + field
            archive.writestr(info, raw)
    data = path.read_bytes()
    for number, (name, encoding) in enumerate(names.items()):
        raw = name.encode(encoding)
        data = data.replace(bytes([ord("A") + number]) * len(raw), raw)
    path.write_bytes(data)
    return path


def keys(source: ZipSource) -> list[str]:
    entries = list(source.entries())
    for entry in entries:
        if isinstance(entry, Entry):
            assert source.read(entry.location, 1000), "it is read by its location whatever its key is"
    return [entry.key for entry in entries]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("cp932", "写真/表一.jpg"), ("gbk", "照片一.jpg"), ("cp866", "фото.jpg"), ("cp850", "São.jpg")],
)
def test_a_named_encoding_gives_readable_keys(encoding: str, name: str, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {name: encoding, "plain.jpg": "ascii"})
    source = ZipSource(path, SourceOptions(encoding=encoding))
    assert keys(source) == [name, "plain.jpg"]
    assert source.remarks == []


def test_names_that_look_like_another_encoding_are_remarked_on_and_kept(tmp_path: Path) -> None:
    source = ZipSource(packed(tmp_path / "a.zip", {"写真一.jpg": "cp932", "plain.jpg": "ascii"}))
    assert keys(source) == ["Ä╩É^êΩ.jpg", "plain.jpg"]
    (remark,) = source.remarks
    assert "a.zip: 1 names, such as 'Ä╩É^êΩ.jpg', do not say their encoding" in remark
    assert "--source-encoding" in remark


def test_utf8_without_its_flag_is_read_as_such_if_all_of_it_is(tmp_path: Path) -> None:
    source = ZipSource(packed(tmp_path / "a.zip", {"Käse.jpg": "utf-8", "写真.jpg": "utf-8"}))
    assert (keys(source), source.remarks) == (["Käse.jpg", "写真.jpg"], [])
    mixed = ZipSource(packed(tmp_path / "b.zip", {"Käse.jpg": "utf-8", "Tür.jpg": "cp437"}))
    assert keys(mixed) == ["K├ñse.jpg", "Tür.jpg"]
    assert len(mixed.remarks) == 1


def test_letters_of_western_europe_are_as_they_were(tmp_path: Path) -> None:
    source = ZipSource(packed(tmp_path / "a.zip", {"Größe/Tür.jpg": "cp437", "niño.jpg": "cp437"}))
    assert (keys(source), source.remarks) == (["Größe/Tür.jpg", "niño.jpg"], [])


def test_a_name_that_is_stored_twice_is_taken_from_its_utf8_form(tmp_path: Path) -> None:
    source = ZipSource(packed(tmp_path / "a.zip", {"写真一.jpg": "cp932"}, unicode_path=True))
    assert (keys(source), source.remarks) == (["写真一.jpg"], [])


def test_bytes_that_are_none_in_the_named_encoding_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"фото.jpg": "cp1251", "a.jpg": "ascii"})
    refused, good = ZipSource(path, SourceOptions(encoding="utf-8")).entries()
    assert isinstance(refused, RefusedEntry)
    assert isinstance(refused.error, KeyInvalidError)
    assert good.key == "a.jpg"
