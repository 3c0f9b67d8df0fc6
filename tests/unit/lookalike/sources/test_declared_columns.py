"""Tables with declared columns: values in whatever form they are written; what is none is left out with a remark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from lookalike.filters.declared_columns import read_columns
from lookalike.sources.base import Entry, Value
from lookalike.sources.column_types import ColumnTypes, parse_value
from lookalike.sources.declared_values import fit_values
from lookalike.sources.manifest import ManifestSource


def column(kind: str, *texts: str, name: str = "x") -> list[Value]:
    """What a CSV file's texts become in a column that is declared with this type; what is left out is missing."""
    declared = read_columns({"x": kind})
    types = ColumnTypes([name], declared)
    for text in texts:
        types.learn({name: text})
    form = types.settle()[name]
    rows = [fit_values({"x": parse_value(form, text)}, declared)[0] for text in texts]
    return [row["x"] for row in rows if "x" in row]


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        ("number", ["12", "", "-3"], [12, None, -3]),
        ("number", ["12", "n/a", "-3"], [12, -3]),
        ("number", ["59,90", "7", "on request"], [59.9, 7.0]),
        ("number", ["59.90", "7", "on request"], [59.9, 7.0]),
        ("number", ["1.234,50", "59,90", "59.90"], [1234.5, 59.9, 59.9]),
        ("number", ["1,234", "5,678"], []),  # thousands, or three decimals: nobody knows
        ("number", ["0012", "+1", "1e5", "inf", "nan"], []),
        ("boolean", ["yes", "yes"], [True, True]),
        ("boolean", ["NO", ""], [False, None]),
        ("boolean", ["ja", "nein", "vielleicht"], [True, False]),
        ("boolean", ["true", "yes", "TRUE"], [True, True]),
        ("date", ["31.05.2024", "1.6.2024", "soon"], ["2024-05-31", "2024-06-01"]),
        ("date", ["31/05/2024", "01/06/2024", "2024-07-01"], ["2024-05-31", "2024-06-01", "2024-07-01"]),
        ("date", ["05/31/2024", "06/01/2024"], ["2024-05-31", "2024-06-01"]),
        ("date", ["01/02/2024", "03/04/2024"], []),  # which is the day?
        ("date", ["2024-02-30"], []),
        ("text", ["0012345", "12", " a ", "true", "2024-05-31"], ["0012345", "12", " a ", "true", "2024-05-31"]),
        ("list of text", ['["red", "12"]', "red", "[]"], [["red", "12"], []]),
        ("list of number", ['[1, "2.5"]', '["a"]'], [[1, 2.5]]),
    ],
)
def test_a_csv_files_texts_are_read_as_the_declared_type(kind: str, texts: list[str], expected: list[Value]) -> None:
    values = column(kind, *texts)
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        ("list of text", ["red|12", "blue", ""], [["red", "12"], ["blue"], None]),
        ("list of number", ["36|37.5", "38|x"], [[36, 37.5]]),
        ("list of boolean", ["true|FALSE"], [[True, False]]),
        ("list of date", ["2024-05-31|2024-06-01"], [["2024-05-31", "2024-06-01"]]),
        ("text", ["red|blue"], ["red|blue"]),
    ],
)
def test_so_are_columns_whose_names_say_that_they_are_lists(kind: str, texts: list[str], expected: list[Value]) -> None:
    assert column(kind, *texts, name="x[]") == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", 5, 5),
        ("number", "5", 5),
        ("number", "-0.5", -0.5),
        ("number", True, None),
        ("number", [5], None),
        ("text", 12345, "12345"),
        ("text", 59.9, "59.9"),
        ("text", True, None),
        ("boolean", "True", True),
        ("boolean", 1, None),
        ("date", " 2024-05-31 ", "2024-05-31"),
        ("date", 20240531, None),
        ("list of text", [1, "a"], ["1", "a"]),
        ("list of number", ["1", 2], [1, 2]),
        ("list of number", ["a"], None),
        ("list of text", "a", None),
    ],
)
def test_a_typed_tables_value_is_taken_if_it_is_plainly_one(kind: str, value: Any, expected: Value) -> None:
    fitting, remark = fit_values({"x": value, "other": "5"}, read_columns({"x": kind}))
    assert fitting == ({"other": "5"} if expected is None else {"x": expected, "other": "5"})
    assert bool(remark) == (expected is None)


def write(folder: Path, name: str) -> Path:
    """A table of two pictures, of which the second one's price is no number and whose code is one."""
    (folder / "a.jpg").write_bytes(b"a")
    (folder / "b.jpg").write_bytes(b"b")
    rows: list[dict[str, Any]] = [
        {"path": "a.jpg", "price": 59.9, "code": "0012"},
        {"path": "b.jpg", "price": "n/a", "code": 12},
    ]
    path = folder / name
    if path.suffix == ".csv":
        path.write_text("path,price,code\na.jpg,59.9,0012\nb.jpg,n/a,12\n")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        book = Workbook()
        sheet = book.active
        for line in (("path", "price", "code"), *(tuple(row.values()) for row in rows)):
            sheet.append(line)
        book.save(path)
    return path


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.xlsx"])
def test_a_row_keeps_its_picture_and_says_what_was_left_out(tmp_path: Path, name: str) -> None:
    declared = read_columns({"price": "number", "code": "text", "nowhere": "date"})
    source = ManifestSource(write(tmp_path, name), declared=declared)
    assert list(source.entries()) == [
        Entry("a.jpg", "a.jpg", metadata={"price": 59.9, "code": "0012"}),
        Entry("b.jpg", "b.jpg", metadata={"code": "12"}, remark="price is not a number, and was left out"),
    ]
