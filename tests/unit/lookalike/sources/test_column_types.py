"""A column's texts become values of one type, or stay what they are."""

from __future__ import annotations

import pytest

from lookalike.sources.base import Value
from lookalike.sources.column_types import ColumnTypes, parse_value


def values(*texts: str, name: str = "x") -> list[Value]:
    types = ColumnTypes([name])
    for text in texts:
        types.learn({name: text})
    kind = types.settle()[name]
    return [parse_value(kind, text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["12", "-3", "", " 7 "], [12, -3, None, 7]),
        (["12", "3.5", "-0.25", "0"], [12.0, 3.5, -0.25, 0.0]),
        (["59,90", "7", "-0,5"], [59.9, 7.0, -0.5]),
        (["1.234,50", "59,90", "1.234"], [1234.5, 59.9, 1234.0]),
        (["1,234.50", "59.90", "1,234"], [1234.5, 59.9, 1234.0]),
        (["TRUE", "false"], [True, False]),
        (["WAHR", "falsch", ""], [True, False, None]),
        (["yes", "no"], [True, False]),
        (["ja", "Nein"], [True, False]),
        (["2024-05-31", "2024-06-01"], ["2024-05-31", "2024-06-01"]),
        (["2024-05-31 12:00", "2024-05-31T12:00:30Z"], ["2024-05-31T12:00:00", "2024-05-31T12:00:30+00:00"]),
        (["31.05.2024", "1.6.2024 08:15"], ["2024-05-31", "2024-06-01T08:15:00"]),
        (["31/05/2024", "01/06/2024"], ["2024-05-31", "2024-06-01"]),
        (["05/31/2024", "06/01/2024"], ["2024-05-31", "2024-06-01"]),
        (['["red", "blue"]', "[]", ""], [["red", "blue"], [], None]),
    ],
)
def test_a_column_whose_values_agree_has_a_type(texts: list[str], expected: list[Value]) -> None:
    found = values(*texts)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    "texts",
    [
        ["0012345", "4006381333931"],  # EAN codes
        ["007"],
        ["1e5"],
        ["12", "n/a"],
        ["59,90", "59.90"],
        ["1,234", "2,500"],  # thousands, or three decimals
        ["1.234.567"],
        ["12345678901234567"],
        ["NO", "NO"],  # Norway
        ["yes", "maybe"],
        ["05/06/2024", "07/08/2024"],
        ["2024-02-30"],
        ["31.05.2024", "2024-05-31"],
        ["red|blue"],
        ["[1, [2]]"],
        ["[" * 100_000],
        ["\u0663"],
        ["inf"],
        [" as written "],
    ],
)
def test_a_column_whose_values_do_not_agree_is_text_as_written(texts: list[str]) -> None:
    assert values(*texts) == texts


def test_a_list_is_asked_for_by_the_name_of_its_column() -> None:
    assert values("red| blue ", "green", "", name="colours[]") == [["red", "blue"], ["green"], None]


def test_a_blank_column_is_empty() -> None:
    assert values("", " ") == [None, None]
