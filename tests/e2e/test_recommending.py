"""``recommend``, as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike import Collection
from tests.e2e.conftest import Run


def test_liked_pictures_are_the_query_and_no_hits(run: Run, shop: Path) -> None:
    liked = ["--like", "000.jpg", "--like", "001.jpg", "--like", "001.jpg"]
    flags = ["-c", "shop", *liked, "--unlike", "002.jpg", "--strategy", "best"]
    answer = run("recommend", shop / "003.jpg", *flags, "--json").answer
    with Collection.open("data", "shop") as collection:
        hits = collection.recommend(
            ["000.jpg", ("001.jpg", 2)], ["002.jpg"], images=[shop / "003.jpg"], strategy="best"
        )
    assert answer["basis"] == "liked"
    assert [hit["key"] for hit in answer["results"]] == [hit.key for hit in hits]
    assert [hit["feedback_score"] for hit in answer["results"]] == pytest.approx(
        [hit.feedback_score for hit in hits], abs=1e-5
    )
    assert {hit["key"] for hit in answer["results"]} == {f"{number:03}.jpg" for number in range(3, 8)}
    with_liked = run("recommend", "-c", "shop", *liked, "--include-liked", "--exclude-key", "007.jpg", "--json").answer
    assert {hit["key"] for hit in with_liked["results"]} == {f"{number:03}.jpg" for number in range(7)}


def test_without_likes_it_shows_what_stands_for_the_collection(run: Run, shop: Path) -> None:
    shown = run("recommend", "-c", "shop", "-k", "3").out.splitlines()
    assert shown[0] == "nothing is liked: these stand for the collection"
    answer = run("recommend", "-c", "shop", "-k", "3", "--json").answer
    assert answer["basis"] == "representative"
    assert [hit["similar"] for hit in answer["results"]] == [False] * 3
    assert [line.split()[2] for line in shown[1:]] == [hit["key"] for hit in answer["results"]]
    paths = run("recommend", "-c", "shop", "-k", "3", "--format", "paths").out.splitlines()
    assert paths == [hit["path"] for hit in answer["results"]]
    assert Path(paths[0]).parent == shop


def test_what_is_wrong_ends_it(run: Run, shop: Path) -> None:
    assert run("recommend", "-c", "shop", "--like", "nowhere", "--json").events[-1]["code"] == "item-not-found"
    both = run("recommend", "-c", "shop", "--like", "000.jpg", "--unlike", "000.jpg")
    assert both.code == 1
    assert "'000.jpg' is among like too" in both.err
    assert run("recommend", "-c", "shop", "--strategy", "sum").code == 2
    nothing = run("recommend", "-c", "shop", "--like", "000.jpg", "--min-score", "0.9999")
    assert nothing.out.strip() == "like what is liked: no picture is left above 0.9999"
    assert run("recommend", shop / "000.jpg", "-c", "boots", "--json").events[-1]["code"] == "collection-not-found"
