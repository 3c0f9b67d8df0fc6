"""``search --text`` over a table with titles, as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Run, write_pictures

TITLES = ["Striped mug", "Red mug, large", "Blue cup", "Mugs of all kinds"]


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Path:
    """The third picture of a collection of four with titles."""
    pictures = write_pictures(tmp_path / "img", len(TITLES))
    lines = [
        f'img/{picture.name},{number},"{title}",sale'
        for number, (picture, title) in enumerate(zip(pictures, TITLES, strict=True))
    ]
    (tmp_path / "rows.csv").write_text("path,key,title,tags[]\n" + "\n".join(lines) + "\n")
    assert run("index", tmp_path / "rows.csv", "-c", "shop").code == 0
    return pictures[2]


def test_words_are_searched_for_alone_and_with_a_picture(run: Run, shop: Path) -> None:
    answer = run("search", "-c", "shop", "--text", "red mug", "--json").answer
    assert [(hit["key"], hit["score"], hit["text_rank"]) for hit in answer["results"]] == [("1", None, 1)]
    assert answer["query"] == "red mug"
    assert {"text": "Red", "match": True} in answer["results"][0]["highlights"][0]["pieces"]
    lines = run("search", "-c", "shop", "--text", "mug").out.splitlines()
    assert lines[0] == "mug"
    assert [line.split()[:3] for line in lines[1:]] == [["1", "–", "words"], ["2", "–", "words"], ["3", "–", "words"]]
    any_word = run("search", "-c", "shop", "--text", "striped cup ", "--text-match", "any", "--format", "paths")
    assert sorted(Path(path).name for path in any_word.out.splitlines()) == ["000.jpg", "002.jpg"]
    fused = run("search", shop, "-c", "shop", "--text", "mug", "--text-weight", "0.01", "--json").answer["results"]
    assert (fused[0]["key"], fused[0]["text_rank"], len(fused)) == ("2", None, 4)
    assert fused[0]["score"] == pytest.approx(1, abs=1e-3)


def test_what_cannot_be_searched_for_is_said(run: Run, shop: Path) -> None:
    assert run("search", "-c", "shop").code == 2
    blank = run("search", "-c", "shop", "--text", " - ")
    assert blank.code == 1
    assert "text: has no letters or digits to look for" in blank.err
    nothing = run("search", "-c", "shop", "--text", "teapot")
    assert (nothing.code, nothing.out.strip()) == (0, "teapot: no picture has the words")
    assert "min_score: needs a picture" in run("search", "-c", "shop", "--text", "mug", "--min-score", "0.1").err
