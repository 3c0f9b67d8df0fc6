"""``search --where`` and ``Collection.search(..., where=...)`` over a manifest with columns, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike import Collection, Encoder, LookalikeError
from tests.e2e.conftest import Run, write_pictures

ROWS = [
    "mug,12.5,red|sale,2024-05-31",
    "mug,60,blue,2024-06-01",
    "Mug,8,,2024-06-02",
    "cup,,red,",
    "cup,49.9,,",
    "pot,3,,",
]


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Path:
    """The first picture of a collection of six with a category, a price, tags and a date."""
    pictures = write_pictures(tmp_path / "img", 6)
    lines = [
        f"img/{picture.name},{number},{row}" for number, (picture, row) in enumerate(zip(pictures, ROWS, strict=True))
    ]
    (tmp_path / "rows.csv").write_text("path,key,category,price,tags[],added\n" + "\n".join(lines) + "\n")
    assert run("index", tmp_path / "rows.csv", "-c", "shop").code == 0
    return pictures[0]


def keys(run: Run, picture: Path, where: str, k: int = 10) -> list[str]:
    answer = run("search", picture, "-c", "shop", "-k", k, "--where", where, "--json").answer
    return sorted(hit["key"] for hit in answer["results"])


def test_only_pictures_that_pass_are_answered_and_as_many_as_were_asked_for(run: Run, shop: Path) -> None:
    assert keys(run, shop, "category = mug and price < 60") == ["0"]
    assert keys(run, shop, "category != mug") == ["2", "3", "4", "5"]
    assert keys(run, shop, "tags contains red or added > 2024-06-01") == ["0", "2", "3"]
    assert keys(run, shop, '{"price": {"exists": false}}') == ["3"]
    assert len(keys(run, shop, "not category = mug", k=3)) == 3


def test_what_is_wrong_with_a_filter_is_said_with_its_place(run: Run, shop: Path) -> None:
    ended = run("search", shop, "-c", "shop", "--where", "category = mug and prise < 60", "--json")
    assert (ended.code, ended.events[-1]["code"]) == (1, "filter-invalid")
    assert "filter, column 20: no column is called \"prise\"; did you mean 'price'?" in ended.err
    nothing = run("search", shop, "-c", "shop", "--where", "category = mug and price > 1000")
    assert nothing.code == 0
    assert "no picture passes --where" in nothing.out


def test_the_library_takes_a_filter_as_text_and_as_a_dict_and_counts(run: Run, shop: Path, tmp_path: Path) -> None:
    encoder = Encoder.load(encoders_dir=tmp_path / "encoders")
    with Collection.open(tmp_path / "data", "shop", encoder=encoder) as collection:
        for where in ("category = mug", {"category": {"in": ["mug"]}}):
            assert sorted(hit.key for hit in collection.search(shop, 5, where=where)) == ["0", "1"]
            assert [hit.key for hit in collection.similar("0", 5, where=where)] == ["1"]
            assert collection.count(where) == 2
        columns = {column.name: (sorted(map(str, column.types)), column.count) for column in collection.columns()}
        assert columns == {
            "added": (["date"], 3), "category": (["text"], 6), "price": (["number"], 5), "tags": (["list of text"], 3),
        }  # fmt: skip
        facet = collection.facets(["category"], where="price < 60", limit=2)["category"]
        assert [(value.value, value.count) for value in facet.values] == [("Mug", 1), ("cup", 1)]
        assert facet.distinct == 4
        with pytest.raises(LookalikeError, match=r"filter\.price\.lt: must be a number"):
            collection.search("nowhere.jpg", where={"price": {"lt": "cheap"}})
