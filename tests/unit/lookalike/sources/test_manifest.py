"""A manifest's rows become entries; a bad row is refused with its line, and no path leaves the images' folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lookalike.errors import (
    ArchiveDamagedError,
    EntryMissingError,
    EntryOutsideError,
    EntryUnreadableError,
    KeyDuplicateError,
    KeyInvalidError,
    ManifestError,
    SourceNotFoundError,
    SourceUnsupportedError,
)
from lookalike.sources.base import Entry, RefusedEntry, Scalar
from lookalike.sources.manifest import ManifestSource
from lookalike.sources.open_source import open_source


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / "img" / name).write_bytes(name.encode())
    return tmp_path


def csv_found(corpus: Path, text: str | bytes, **options: Any) -> list[Entry | RefusedEntry]:
    path = corpus / "list.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(ManifestSource(path, **options).entries())


def json_found(corpus: Path, *lines: object) -> list[Entry | RefusedEntry]:
    path = corpus / "list.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return list(ManifestSource(path).entries())


def only_refused(found: list[Entry | RefusedEntry]) -> RefusedEntry:
    (refused,) = [entry for entry in found if isinstance(entry, RefusedEntry)]
    return refused


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_row_is_an_entry(corpus: Path, separator: str, mark: str) -> None:
    header = separator.join(["key", "path", "title", "product_id", "price", "colour"])
    row = separator.join(["k1", "img/a.jpg", "A shoe", "0042", "12.50", "röd"])
    assert csv_found(corpus, f"{mark}{header}\r\n{row}\r\n") == [
        Entry("k1", "img/a.jpg", "A shoe", "0042", {"price": 12.5, "colour": "röd"})
    ]


def test_the_key_is_the_path_as_written_by_default(corpus: Path) -> None:
    assert csv_found(corpus, "path\nimg/a.jpg\n\nimg\\b.jpg\n") == [
        Entry("img/a.jpg", "img/a.jpg"),
        Entry("img/b.jpg", "img/b.jpg"),
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12), ("-3", -3), ("0", 0), ("3.5", 3.5), ("-0.25", -0.25), ("007", "007"), ("1e5", "1e5"), ("+1", "+1"),
        ("1.", "1."), (".5", ".5"), ("-0", "-0"), ("1 000", "1 000"), ("12345678901234567890", "12345678901234567890"),
        ("true", True), ("NaN", "NaN"), ("٣", "٣"), ("00.5", "00.5"), ("", None),
    ],
)  # fmt: skip
def test_csv_numbers_are_numbers_and_codes_stay_text(corpus: Path, written: str, value: Scalar) -> None:
    (entry,) = csv_found(corpus, f"path,x\nimg/a.jpg,{written}\n")
    assert isinstance(entry, Entry)
    assert entry.metadata == {"x": value}
    assert type(entry.metadata["x"]) is type(value)


def test_a_csv_without_a_path_column_names_what_it_has(corpus: Path) -> None:
    with pytest.raises(ManifestError, match=r"list\.csv has no column 'path' .*file, title"):
        csv_found(corpus, "file,title\na.jpg,A\n")
    with pytest.raises(ManifestError, match="none"):
        csv_found(corpus, "")
    with pytest.raises(ManifestError, match="different name"):
        csv_found(corpus, "path,x,x\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"img/b.jpg", "1 values for 2 columns"),
        (b"img/b.jpg,1,2", "3 values for 2 columns"),
        (b'"img/b.jpg"x,1', "valid CSV"),
        ("img/b.jpg,ü".encode() + b"\xff", "UTF-8"),
        (b",1", "no path"),
    ],
)
def test_a_malformed_csv_line_is_refused_with_its_number(corpus: Path, line: bytes, words: str) -> None:
    found = csv_found(corpus, b"path,x\nimg/a.jpg,1\n" + line + "\nimg/c.jpg,ß\n".encode())
    assert [entry.key for entry in found if isinstance(entry, Entry)] == ["img/a.jpg", "img/c.jpg"]
    refused = only_refused(found)
    assert isinstance(refused.error, ManifestError)
    assert words in refused.error.message
    assert "line 3" in refused.error.message


def test_a_row_of_a_missing_file_is_refused_with_its_line(corpus: Path) -> None:
    refused = only_refused(csv_found(corpus, "path\nimg/a.jpg\nimg/none.jpg\n"))
    assert isinstance(refused.error, EntryMissingError)
    assert refused.key == "img/none.jpg"
    assert "line 3" in refused.error.message


def test_a_duplicate_key_names_both_lines(corpus: Path) -> None:
    refused = only_refused(csv_found(corpus, "path,key\nimg/a.jpg,k\nimg/b.jpg,l\nimg/c.jpg,k\n"))
    assert isinstance(refused.error, KeyDuplicateError)
    assert "line 4" in refused.error.message
    assert "line 2" in refused.error.message


@pytest.mark.parametrize("path", ["../outside.jpg", "/etc/passwd", "img/../../outside.jpg", "img/link.jpg", "../none"])
def test_a_path_that_leaves_the_folder_is_refused(corpus: Path, path: str) -> None:
    (corpus / "in" / "img").mkdir(parents=True)
    (corpus / "outside.jpg").write_bytes(b"x")
    (corpus / "in" / "img" / "link.jpg").symlink_to(corpus / "outside.jpg")
    assert isinstance(only_refused(csv_found(corpus / "in", f"path\n{path}\n")).error, EntryOutsideError)


def test_folders_and_pipes_are_no_pictures(corpus: Path) -> None:
    os.mkfifo(corpus / "pipe")
    found = csv_found(corpus, "path\nimg\npipe\n")
    assert [type(entry.error) for entry in found if isinstance(entry, RefusedEntry)] == [EntryUnreadableError] * 2


def test_an_absolute_path_inside_is_stored_relative(corpus: Path) -> None:
    (entry,) = csv_found(corpus, f"path,key\n{corpus}/img/a.jpg,k\n")
    assert entry == Entry("k", "img/a.jpg")


def test_paths_may_be_relative_to_another_folder(corpus: Path) -> None:
    (entry,) = csv_found(corpus, "path\na.jpg\n", images_root=corpus / "img")
    assert isinstance(entry, Entry)
    source = ManifestSource(corpus / "list.csv", corpus / "img")
    assert source.read(entry.location, 10) == b"a.jpg"
    source.close()


@pytest.mark.parametrize("key", ["a\tb", "x" * 1025])
def test_a_key_that_cannot_be_stored_is_refused(corpus: Path, key: str) -> None:
    assert isinstance(only_refused(json_found(corpus, {"path": "img/a.jpg", "key": key})).error, KeyInvalidError)


def test_a_json_line_is_an_entry_and_keeps_its_types(corpus: Path) -> None:
    row = {"path": "img/a.jpg", "product_id": 42, "title": None, "n": 1, "f": 1.0, "b": True, "z": None, "t": "007"}
    (entry,) = json_found(corpus, row)
    assert entry == Entry("img/a.jpg", "img/a.jpg", None, "42", {"n": 1, "f": 1.0, "b": True, "z": None, "t": "007"})
    assert isinstance(entry, Entry)
    assert [type(value) for value in entry.metadata.values()] == [int, float, bool, type(None), str]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{oops", "valid JSON"),
        (b"[1]", "no JSON object"),
        (b'{"path": "img/b.jpg", "x": {"y": 1}}', "an object"),
        (b'{"path": "img/b.jpg", "x": [[1]]}', "list of lists"),
        (b'{"path": "img/b.jpg", "x": [1, null]}', "empty place"),
        (b'{"path": "img/b.jpg", "x": [1, NaN]}', "NaN"),
        (b'{"path": "img/b.jpg", "x": ["a\\u0000"]}', "NUL"),
        (b'{"path": "img/b.jpg", "x": NaN}', "NaN"),
        (b'{"path": "img/b.jpg", "x": 1e999}', "finite"),
        (b'{"path": "img/b.jpg", "x": "\\ud800"}', "Unicode"),
        (b'{"path": "img/\xff.jpg"}', "UTF-8"),
        (b'{"title": "no path"}', "no path"),
        (b'{"path": true}', "must be text"),
        (b'{"path": "' + b"x" * 1_100_000 + b'"}', "longer than"),
        (b"[" * 200_000, "valid JSON"),
        (b'{"path": "img/b.jpg", "x": ' + b"9" * 10_000 + b"}", "valid JSON"),
    ],
)
def test_a_malformed_json_line_is_refused_with_its_number(corpus: Path, line: bytes, words: str) -> None:
    found = json_found(corpus, {"path": "img/a.jpg"}, b"", line, {"path": "img/c.jpg"})
    assert [entry.key for entry in found if isinstance(entry, Entry)] == ["img/a.jpg", "img/c.jpg"]
    refused = only_refused(found)
    assert isinstance(refused.error, ManifestError)
    assert words in refused.error.message
    assert "line 3" in refused.error.message


def test_what_a_path_is_decides_the_kind_of_source(corpus: Path) -> None:
    (corpus / "list.CSV").write_text("path\n")
    (corpus / "list.ndjson").write_text("\ufeff" + '{"path": "img/a.jpg"}')
    (corpus / "bad.zip").write_bytes(b"PK")
    (corpus / "a.tar").write_bytes(b"x")
    assert open_source(corpus).kind == "folder"
    assert open_source(str(corpus / "list.CSV")).kind == "manifest"
    manifest = open_source(corpus / "list.ndjson", images_root=corpus)
    assert [entry.key for entry in manifest.entries()] == ["img/a.jpg"]
    assert manifest.location == str(corpus / "list.ndjson")
    with pytest.raises(ArchiveDamagedError):
        open_source(corpus / "bad.zip")
    with pytest.raises(SourceUnsupportedError, match=r"a\.tar"):
        open_source(corpus / "a.tar")
    with pytest.raises(SourceUnsupportedError, match="no manifest"):
        open_source(corpus, images_root=corpus)
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        open_source(corpus / "nowhere")
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        open_source(corpus / "list.ndjson", images_root=corpus / "nowhere")
