"""Results as a table: what a spreadsheet gets."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from playwright.sync_api import Page

from tests.page.shop import METADATA, ask
from tests.page.visitor import Visitor, cards

PLACE = "#/search?collection=shop&key=plain-01"


def saved(page: Page, folder: Path) -> list[dict[str, str]]:
    cards(page).first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == "lookalike-shop.csv"
    download.value.save_as(folder / "saved.csv")
    text = (folder / "saved.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_the_file_has_a_row_for_each_result(visitor: Visitor, address: str, tmp_path: Path) -> None:
    results = ask(address, "/search", {"key": "plain-01", "collection": "shop", "k": "20"})["results"]
    rows = saved(visitor.open(PLACE), tmp_path)
    assert [int(row["rank"]) for row in rows] == [result["rank"] for result in results]
    assert [float(row["score"]) for row in rows] == [result["score"] for result in results]
    assert [row["key"].removeprefix("'") for row in rows] == [result["key"] for result in results]
    assert {row["price"] for row in rows} == {"9.5"}
    assert {row["note"] for row in rows} == {METADATA["note"]}


def test_no_cell_is_a_formula(visitor: Visitor, tmp_path: Path) -> None:
    rows = saved(visitor.open(PLACE), tmp_path)
    assert {row["colour"] for row in rows} == {"'=1+1"}
    assert [row["key"] for row in rows if "SUM" in row["key"]] == ["'=SUM(A1:A9)"]


def test_what_the_slider_hides_is_not_saved(visitor: Visitor, address: str, tmp_path: Path) -> None:
    results = ask(address, "/search", {"key": "plain-01", "collection": "shop", "k": "20"})["results"]
    minimum = f"{results[4]['score']:.2f}"
    rows = saved(visitor.open(f"{PLACE}&min={minimum}"), tmp_path)
    assert len(rows) == len([result for result in results if result["score"] >= float(minimum)])
