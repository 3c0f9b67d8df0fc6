"""``plan``: what an index will cost, told before the work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.conftest import Run, write_pictures


def test_a_folder_is_counted_and_its_index_named_with_a_reason(run: Run, tmp_path: Path) -> None:
    write_pictures(tmp_path / "shop", 3)
    ended = run("plan", tmp_path / "shop")
    assert ended.code == 0
    assert "3 vectors of 608 numbers: faiss-flat" in ended.out
    assert "exact search" in ended.out


def test_a_million_gets_a_graph_and_the_alternatives_are_told(run: Run) -> None:
    answer = run("plan", "--count", "1000000", "--memory", "8", "--json").answer
    assert (answer["engine"], answer["count"], answer["dimension"]) == ("faiss-hnsw", 1_000_000, 608)
    assert answer["estimate"]["disk"] > 1_000_000 * 608 * 4, "the vectors themselves are kept beside the graph"
    assert {one["engine"] for one in answer["alternatives"]} == {"faiss-flat", "faiss-flat16", "faiss-ivfpq"}


def test_a_small_memory_gets_what_fits_into_it(run: Run) -> None:
    answer = run("plan", "--count", "1000000", "--memory", "0.2", "--json").answer
    assert answer["engine"] == "faiss-ivfpq"
    assert answer["estimate"]["memory"] < 0.2e9


def test_a_collection_is_planned_for_with_the_length_of_its_own_vectors(run: Run, tmp_path: Path) -> None:
    golden = REPOSITORY / "tests/golden/format-1/collections/faiss-flat"
    shutil.copytree(golden, tmp_path / "data/collections/faiss-flat")
    assert run("plan", "--count", "7", "-c", "faiss-flat", "--json").answer["dimension"] == 8
    assert run("plan", "--count", "7", "-c", "faiss-flat", "--dimension", "9", "--json").answer["dimension"] == 9
    ended = run("plan", "--count", "7", "-c", "new")
    assert "7 vectors of 608 numbers" in ended.out
    assert "new has published nothing yet: planned with the encoder in the box" in ended.err


@pytest.mark.parametrize("arguments", [(), (".", "--count", "7")])
def test_a_source_or_a_number_is_wanted(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run("plan", *arguments)
    assert ended.code == 2
    assert "give SOURCE or --count" in ended.err
