"""``create --column``, ``configure``, and what declared columns and retention mean for ``index``."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike import Collection
from lookalike.collection.layout import CollectionLayout
from tests.e2e.conftest import Run, write_pictures

ROWS = ["path,price,since,code", "000.jpg,59.90,31.05.2024,0012", "001.jpg,on request,soon,7", "002.jpg,7,,"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "shop", 3)
    path = tmp_path / "shop" / "list.csv"
    path.write_text("\n".join(ROWS) + "\n")
    return path


def test_a_tables_values_are_of_the_declared_types_and_others_are_left_out_with_a_remark(
    run: Run, table: Path, tmp_path: Path
) -> None:
    assert run("create", "-c", "shop", "--column", "price:number", "--column", "since:date").code == 0
    ended = run("configure", "-c", "shop", "--column", "code:text", "--json")
    assert ended.answer["columns"] == {"code": "text", "price": "number", "since": "date"}
    ended = run("index", table, "-c", "shop")
    assert ended.code == 0
    assert (
        "1 indexed with a remark: price is not a number, and was left out; since is not a date such as 2024-05-31, and "
        "was left out" in ended.out
    )
    with Collection.open(tmp_path / "data", "shop") as collection:
        assert {item.key: dict(item.metadata) for item in collection.items()} == {
            "000.jpg": {"price": 59.9, "since": "2024-05-31", "code": "0012"},
            "001.jpg": {"code": "7"},
            "002.jpg": {"price": 7.0, "since": None, "code": None},
        }
    again = run("index", table, "-c", "shop")
    assert "3 unchanged" in again.out
    assert "1 indexed with a remark" in again.out
    assert "3 unchanged" in run("index", table, "-c", "shop", "--dry-run").out


def test_what_the_table_has_said_before_is_not_contradicted(run: Run, table: Path, tmp_path: Path) -> None:
    run("index", table, "-c", "shop")
    refused = run("configure", "-c", "shop", "--column", "price:number")
    assert refused.code == 1
    assert "3 items have a value that is not a number, the first is '000.jpg' with '59.90'" in refused.err
    table.write_text(table.read_text().replace("on request", ""))
    run("index", table, "-c", "shop")
    ended = run("configure", "-c", "shop", "--column", "price:number", "--keep", "5")
    assert ended.out == "shop: declared columns: price: number; 5 snapshots are kept; pictures get no tags\n"
    table.write_text(table.read_text().replace("59.90", "dear"))
    assert "1 indexed with a remark" in run("index", table, "-c", "shop").out
    assert run("configure", "-c", "shop", "--drop-column", "price").out.startswith("shop: declared columns: none;")
    run("index", table, "-c", "shop")
    with Collection.open(tmp_path / "data", "shop") as collection:
        assert collection.item("000.jpg").metadata["price"] == "dear"


def test_a_run_keeps_as_many_snapshots_as_the_collection_does_unless_it_says_otherwise(
    run: Run, table: Path, tmp_path: Path
) -> None:
    layout = CollectionLayout.of(tmp_path / "data/collections", "shop")

    def index(number: int, *flags: str) -> int:
        table.write_text(table.read_text() + f"00{number}.jpg,,,\n")
        write_pictures(table.parent, 1, start=number)
        assert run("index", table, "-c", "shop", *flags).code == 0
        return len(layout.complete_generations())

    run("create", "-c", "shop", "--keep", "2")
    assert [index(number) for number in (3, 4, 5)] == [2, 2, 2]
    run("configure", "-c", "shop", "--keep", "3")
    assert [index(number) for number in (6, 7)] == [3, 3]
    assert index(8, "--keep", "4") == 4
    assert run("reindex").code == 0
    assert run("configure", "-c", "shop", "--json").answer["keep"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--column", "price=number"], "'price=number' is no NAME:TYPE"),
        (["--column", "price:nummer"], "there are: text, number, boolean, date, list of text"),
        (["--column", ":text"], "cannot name a column"),
        (["--drop-column", "price"], "no column 'price' is declared"),
        (["--keep", "1"], "--keep"),
    ],
)
def test_what_cannot_be_configured_is_refused(run: Run, arguments: list[str], message: str) -> None:
    run("create", "-c", "shop")
    ended = run("configure", "-c", "shop", *arguments)
    assert ended.code == 2
    assert message in ended.err


def test_a_fold_leaves_a_pin_alone(run: Run, table: Path) -> None:
    run("index", table, "-c", "shop")
    table.write_text("\n".join(ROWS[:-1]) + "\n")
    run("index", table, "-c", "shop", "--allow-removals")
    run("rollback", "-c", "shop")
    ended = run("fold", "-c", "shop")
    assert ended.code == 1
    assert "was rolled back to snapshot 1" in ended.err
    assert "0 of 1 collections are up to date" in run("reindex").out
    assert "snapshot 1 of" in run("collections").out


@pytest.mark.parametrize("flags", [[], ["--purge"]])
def test_what_there_never_was_cannot_be_deleted(run: Run, flags: list[str]) -> None:
    run("create", "-c", "shop")
    ended = run("delete", "-c", "shoop", "--confirm", "shoop", *flags)
    assert (ended.code, "no collection is called 'shoop'; there are: shop" in ended.err) == (1, True)


@pytest.mark.parametrize("flags", [[], ["--purge"]])
def test_a_collection_whose_first_run_failed_is_made_anew_or_removed_for_good(
    run: Run, tmp_path: Path, flags: list[str]
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_bytes(b"no picture")
    assert run("index", tmp_path / "broken", "-c", "shop").code == 1
    removed = run("delete", "-c", "shop", "--confirm", "shop", *flags, "--json")
    assert (removed.code, removed.answer["purged"]) == (0, 1)
    assert run("restore", "-c", "shop").code == 1, "nothing was published that could come back"
    assert run("index", tmp_path / "broken", "-c", "shop").code == 1
    assert run("create", "-c", "shop").code == 0
