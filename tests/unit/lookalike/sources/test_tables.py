"""Manifests as the programs of the world save them: encodings, separators, headers, spreadsheets, Parquet."""

from __future__ import annotations

import datetime
import sys
import unicodedata
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest

from lookalike.errors import EntryMissingError, ManifestError
from lookalike.options import SourceOptions
from lookalike.sources import workbook
from lookalike.sources.base import Entry, RefusedEntry
from lookalike.sources.manifest import ManifestSource
from lookalike.sources.open_source import open_source

EXPORT = "path;Farbe;Preis\nimg/a.jpg;größer;59,90\nimg/b.jpg;weiß;7,00\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / "img" / name).write_bytes(name.encode())
    return tmp_path


def read(path: Path, options: SourceOptions | None = None) -> list[Entry | RefusedEntry]:
    return list(ManifestSource(path, options=options).entries())


def written(corpus: Path, text: str | bytes, name: str = "list.csv") -> Path:
    path = corpus / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_is_read_in_the_encoding_it_was_saved_in(corpus: Path, encoding: str, line_end: str) -> None:
    found = read(written(corpus, EXPORT.replace("\n", line_end).encode(encoding)))
    assert found == [
        Entry("img/a.jpg", "img/a.jpg", metadata={"Farbe": "größer", "Preis": 59.9}),
        Entry("img/b.jpg", "img/b.jpg", metadata={"Farbe": "weiß", "Preis": 7.0}),
    ]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp932", "写真"), ("gbk", "红色皮鞋"), ("cp1251", "красный ботинок"), ("cp1250", "żółty płaszcz")],
)
def test_an_encoding_that_cannot_be_found_out_is_asked_for_with_the_line(
    corpus: Path, encoding: str, text: str
) -> None:
    path = written(corpus, f"path;x\nimg/a.jpg;plain\nimg/b.jpg;{text}\n".encode(encoding))
    with pytest.raises(ManifestError, match=r"list\.csv, line 3: .*neither UTF-8.*save it as .CSV UTF-8.*--source-enc"):
        read(path)
    found = read(path, SourceOptions(encoding=encoding))
    assert [entry.metadata["x"] for entry in found if isinstance(entry, Entry)] == ["plain", text]


def test_an_encoding_that_the_table_is_not_in_is_said(corpus: Path) -> None:
    path = written(corpus, EXPORT.encode("utf-16")[:-1])
    with pytest.raises(ManifestError, match=r"list\.csv is no text in the encoding utf-16 .*CSV UTF-8"):
        read(path)
    refused = read(written(corpus, EXPORT.encode("cp1252")), SourceOptions(encoding="utf-8"))
    assert all("is not UTF-8" in entry.error.message for entry in refused if isinstance(entry, RefusedEntry))
    assert len(refused) == 2


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_the_separator_may_be_said_in_a_first_line(corpus: Path, separator: str) -> None:
    text = f"sep={separator}\r\npath{separator}x\r\nimg/a.jpg{separator}1\r\nimg/none.jpg{separator}2\r\n"
    first, refused = read(written(corpus, text.encode("utf-8-sig")))
    assert first == Entry("img/a.jpg", "img/a.jpg", metadata={"x": 1})
    assert isinstance(refused, RefusedEntry)
    assert "line 4" in refused.error.message


def test_separators_in_quotes_are_part_of_a_name(corpus: Path) -> None:
    assert read(written(corpus, 'path;"a,b,c,d";x\nimg/a.jpg;1;2\n')) == [
        Entry("img/a.jpg", "img/a.jpg", metadata={"a,b,c,d": 1, "x": 2})
    ]


def test_the_header_may_be_written_in_any_way(corpus: Path) -> None:
    text = " Path ;KEY;Title;Product ID; Colour ;;\nimg/a.jpg;k;A shoe;0042;red;;\n;;;;;;\n\n ; ; \n"
    assert read(written(corpus, text)) == [Entry("k", "img/a.jpg", "A shoe", "0042", {"Colour": "red"})]
    assert read(written(corpus, '{"Path": "img/a.jpg", "Product-Id": "7"}', "list.jsonl")) == [
        Entry("img/a.jpg", "img/a.jpg", None, "7")
    ]


def test_a_tsv_is_read(corpus: Path) -> None:
    assert read(written(corpus, "path\tx\nimg/a.jpg\t1,5\n", "list.tsv")) == [
        Entry("img/a.jpg", "img/a.jpg", metadata={"x": 1.5})
    ]


def test_json_lines_keep_lists_and_may_be_utf16(corpus: Path) -> None:
    text = '{"path": "img/a.jpg", "tags": ["röd", "new"]}\n'
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert read(written(corpus, text.encode(encoding), "list.jsonl")) == [
            Entry("img/a.jpg", "img/a.jpg", metadata={"tags": ["röd", "new"]})
        ]


def test_types_are_found_anew_when_the_file_has_changed(corpus: Path) -> None:
    source = ManifestSource(written(corpus, "path,x\nimg/a.jpg,1\n"))
    assert [entry.metadata for entry in source.entries() if isinstance(entry, Entry)] == [{"x": 1}]
    written(corpus, "path,x\nimg/a.jpg,1\nimg/b.jpg,two\n")
    assert [entry.metadata for entry in source.entries() if isinstance(entry, Entry)] == [{"x": "1"}, {"x": "two"}]


@pytest.mark.parametrize(
    ("line", "key", "is_identified"),
    [
        ("img/b.jpg", "img/b.jpg", False),  # a value is missing, perhaps the first
        ('"img/b.jpg"x,1', None, False),
        ("img\\b.jpg,1,2", "img/b.jpg", False),
        (",1", None, False),
    ],
)
def test_a_malformed_line_says_whose_it_is_as_far_as_it_can(
    corpus: Path, line: str, key: str | None, is_identified: bool
) -> None:
    _, refused = read(written(corpus, f"path,x\nimg/a.jpg,1\n{line}\n"))
    assert isinstance(refused, RefusedEntry)
    assert (refused.item_key, refused.is_identified) == (key, is_identified)


def test_a_row_with_a_key_is_identified_whatever_else_is_wrong_with_it(corpus: Path) -> None:
    _, refused = read(written(corpus, "path,key\nimg/a.jpg,a\n,b\n"))
    assert isinstance(refused, RefusedEntry)
    assert (refused.item_key, refused.is_identified) == ("b", True)


# Spreadsheets


def sheet(corpus: Path, *rows: list[object], hidden_first: bool = False) -> Path:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    if hidden_first:
        page.append(["not this one"])
        page.sheet_state = "hidden"
        page = book.create_sheet("pictures")
    for row in rows:
        page.append(row)
    book.save(corpus / "list.xlsx")
    return corpus / "list.xlsx"


def test_a_spreadsheet_is_read_with_its_types(corpus: Path) -> None:
    day, noon = datetime.date(2024, 5, 31), datetime.datetime(2024, 5, 31, 12)
    path = sheet(
        corpus,
        [None],
        ["Path", "Product ID", "EAN", "price", "stock", "day", "new", "mixed", "tags[]"],
        ["img/a.jpg", 42, "0012345", 59.9, 12, day, True, 7, "red|blue"],
        [None] * 9,
        ["img/b.jpg", "0042", "12", 1, None, noon, False, "seven", None],
        hidden_first=True,
    )
    assert open_source(path).kind == "manifest"
    assert read(path) == [
        Entry(
            "img/a.jpg",
            "img/a.jpg",
            None,
            "42",
            {"EAN": "0012345", "price": 59.9, "stock": 12, "day": "2024-05-31", "new": True, "mixed": "7",
             "tags": ["red", "blue"]},
        ),
        Entry(
            "img/b.jpg",
            "img/b.jpg",
            None,
            "0042",
            {"EAN": "12", "price": 1.0, "stock": None, "day": "2024-05-31T12:00:00", "new": False, "mixed": "seven",
             "tags": None},
        ),
    ]  # fmt: skip
    assert [type(entry.metadata["stock"]) for entry in read(path)[:1] if isinstance(entry, Entry)] == [int]


def test_rows_of_a_spreadsheet_have_its_numbers(corpus: Path) -> None:
    path = sheet(corpus, [], ["path"], ["img/a.jpg"], [], ["img/none.jpg"], ["img/b.jpg", "beside"])
    _, missing, beside = read(path)
    assert isinstance(missing, RefusedEntry)
    assert isinstance(beside, RefusedEntry)
    assert isinstance(missing.error, EntryMissingError)
    assert "list.xlsx, row 5" in missing.error.message
    assert "row 6: it has a value, 'beside', in a column without a name" in beside.error.message


def test_what_is_no_spreadsheet_is_one_sentence(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ManifestError, match=r"list\.xlsx is no spreadsheet that can be read .*CSV UTF-8"):
        read(written(corpus, b"PK\3\4 and so on", "list.xlsx"))
    with pytest.raises(ManifestError, match="no column 'path'"):
        read(sheet(corpus, ["file"]))
    monkeypatch.setattr(workbook, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(ManifestError, match="more than 1000"):
        read(sheet(corpus, ["path"]))
    assert zipfile.is_zipfile(corpus / "list.xlsx")


# Parquet


def test_parquet_is_read_with_its_types(corpus: Path) -> None:
    table = pa.table(
        {
            "Path": ["img/a.jpg", "img/b.jpg", "img/c.jpg"],
            "product_id": [1, 2, None],
            "price": [59.9, float("nan"), None],
            "tags": [["red", "blue"], [], None],
            "day": [datetime.date(2024, 5, 31), None, None],
            "ean": pa.array(["007", None, None]).dictionary_encode(),
        }
    )
    pyarrow.parquet.write_table(table, corpus / "list.parquet")
    assert read(corpus / "list.parquet") == [
        Entry("img/a.jpg", "img/a.jpg", None, "1",
              {"price": 59.9, "tags": ["red", "blue"], "day": "2024-05-31", "ean": "007"}),
        Entry("img/b.jpg", "img/b.jpg", None, "2", {"price": None, "tags": [], "day": None, "ean": None}),
        Entry("img/c.jpg", "img/c.jpg", None, None, {"price": None, "tags": None, "day": None, "ean": None}),
    ]  # fmt: skip


def test_a_parquet_column_that_json_cannot_say_is_named(corpus: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"path": ["img/a.jpg"], "x": [{"y": 1}]}), corpus / "list.parquet")
    (refused,) = read(corpus / "list.parquet")
    assert isinstance(refused, RefusedEntry)
    assert "row 1: x is an object" in refused.error.message
    assert refused.item_key == "img/a.jpg"
    with pytest.raises(ManifestError, match="no Parquet file that can be read"):
        read(written(corpus, b"PAR1", "list.parquet"))


def test_without_pyarrow_the_remedy_is_said(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ManifestError, match=r"pyarrow is needed: run `pip install pyarrow`, or save it as CSV"):
        read(written(corpus, b"PAR1", "list.parquet"))


# Unicode forms


@pytest.mark.parametrize("is_composed_on_disk", [False, True])
def test_a_name_is_found_in_either_unicode_form(tmp_path: Path, is_composed_on_disk: bool) -> None:
    name = "Müller/café.jpg"
    composed, combining = unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)
    disk, table = (composed, combining) if is_composed_on_disk else (combining, composed)
    (tmp_path / disk).parent.mkdir()
    (tmp_path / disk).write_bytes(b"a picture")
    absolute = f"{tmp_path}/{table}"
    written(tmp_path, f"path,key\n{table},a\n{absolute},b\n{table.replace('caf', 'cof')},c\n")
    source = ManifestSource(tmp_path / "list.csv")
    first, second, missing = source.entries()
    assert (first, second) == (Entry("a", disk), Entry("b", disk))
    assert source.read(disk, 100) == b"a picture"
    assert isinstance(missing, RefusedEntry)
    assert isinstance(missing.error, EntryMissingError)
