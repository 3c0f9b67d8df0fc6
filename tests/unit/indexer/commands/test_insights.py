"""What ``cluster``, ``outliers`` and ``mislabelled`` print and write."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import indexer.cli
from indexer.commands import insights
from tests.helpers.drawn_collection import directions, drawn_collection
from tests.helpers.shop_collection import Shop

COUNTS = (20, 12, 8)
LABELS = ["mug"] * 20 + ["shoe"] * 12 + ["book"] * 7 + ["mug"]


@pytest.fixture
def data(shop: Shop, tmp_path: Path) -> Path:
    """A data folder with a collection, of which the last item has a wrong label."""
    drawn_collection(shop, directions(COUNTS), [{"label": label, "number": n} for n, label in enumerate(LABELS)])
    return tmp_path


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(indexer.cli.app, [words[0], "-c", "shop", "--data", str(data), *words[1:]])


def events(data: Path, *words: str) -> dict[str, dict[str, Any]]:
    result = run(data, *words, "--json")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["event"]: line for line in lines if line["event"] != "progress"}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_clusters_are_listed_for_people_for_programs_and_as_a_table(data: Path) -> None:
    text = run(data, "cluster", "--count", "3").stdout
    assert "mug, /pictures/0" in text
    assert len(text.splitlines()) == 1 + 3
    answer = events(data, "cluster", "--csv", str(data / "clusters.csv"))
    assert answer["summary"] == {
        "event": "summary", "collection": "shop", "items": 40, "clusters": 3, "named_by": "label", "changed": None,
    }  # fmt: skip
    clusters = answer["answer"]["clusters"]
    assert [(cluster["name"], cluster["size"]) for cluster in clusters] == [("mug", 20), ("shoe", 12), ("book", 8)]
    rows = table(data / "clusters.csv")
    assert len(rows) == 40
    assert [row["key"] for row in rows if row["cluster"] == "2"] == clusters[1]["members"]
    first = [row for row in rows if row["representative"] == "yes"]
    assert [row["key"] for row in first] == [cluster["representative"]["key"] for cluster in clusters]
    assert {row["path"] for row in rows} == {f"/pictures/{number:03d}" for number in range(40)}


def test_a_written_column_is_filtered_by_and_refused_the_second_time(data: Path) -> None:
    assert events(data, "cluster", "--count", "3", "--write", "group")["summary"]["changed"] == 40
    only = events(data, "outliers", "--where", "group = shoe", "--top", "50")["answer"]
    assert {outlier["key"] for outlier in only["outliers"]} == {f"{number:03d}" for number in range(20, 32)}
    again = run(data, "cluster", "--write", "group")
    assert again.exit_code != 0
    assert "40 items have a value in the column 'group' already" in str(again.exception)
    assert events(data, "cluster", "--write", "group", "--write-as", "number", "--replace")["summary"]["changed"] == 40


def test_many_written_items_are_folded_into_a_snapshot(data: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insights, "FOLDED_FROM", 40)
    events(data, "cluster", "--count", "3", "--write", "group")
    assert shop.layout.current() == 2
    assert shop.searcher().count(shop.searcher().condition("group = mug")) == 20


def test_outliers_have_a_score_and_their_neighbours(data: Path) -> None:
    answer = events(data, "outliers", "--top", "2", "--nearest", "4", "--csv", str(data / "outliers.csv"))["answer"]
    assert (answer["by"], answer["items"], answer["neighbours"]) == ("density", 40, 4)
    assert len(answer["outliers"]) == 2
    first = answer["outliers"][0]
    assert first["path"] == f"/pictures/{first['key']}"
    assert len(first["neighbours"]) == 3
    rows = table(data / "outliers.csv")
    assert [row["key"] for row in rows] == [outlier["key"] for outlier in answer["outliers"]]
    assert float(rows[0]["score"]) == first["score"] > answer["median"]
    assert first["key"] in run(data, "outliers", "--top", "1", "--nearest", "4").stdout


def test_a_wrong_label_is_listed_with_the_one_that_suits_better(data: Path) -> None:
    answer = events(data, "mislabelled", "--csv", str(data / "suspects.csv"))["answer"]
    (suspect,) = answer["suspects"]
    assert (suspect["key"], suspect["label"], suspect["suggested"]) == ("039", "mug", "book")
    assert answer["confused"] == [{"label": "mug", "suggested": "book", "items": 1}]
    (row,) = table(data / "suspects.csv")
    assert (row["label"], row["suggested"], row["path"]) == ("mug", "book", "/pictures/039")
    assert "mug, rather book: /pictures/039" in run(data, "mislabelled").stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("cluster", "--count", "0"), "--count"),
        (("outliers", "--by", "colour"), "'density', 'quality'"),
        (("outliers", "--nearest", "500"), "--nearest"),
        (("mislabelled", "--margin", "3"), "--margin"),
        (("mislabelled", "--label", "price"), "have no value in the column 'price'"),
        (("cluster", "--name-by", "price"), "name_by: no item has a value in the column 'price'"),
        (("outliers", "--where", "price > 3"), "price"),
    ],
)
def test_what_cannot_be_is_told_with_its_name(data: Path, words: tuple[str, ...], problem: str) -> None:
    result = run(data, *words)
    assert result.exit_code != 0
    assert problem in f"{result.output} {result.exception}"
