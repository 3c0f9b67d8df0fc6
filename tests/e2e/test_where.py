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


def test_one_of_each_group_no_copies_and_none_that_is_excluded(run: Run, shop: Path, tmp_path: Path) -> None:
    def answer(*flags: str) -> list[tuple[str, object]]:
        results = run("search", shop, "-c", "shop", *flags, "--json").answer["results"]
        return [(hit["key"], hit["group"]) for hit in results]

    order = [key for key, _ in answer()]
    first_of: dict[str, str] = {}
    for key in order:
        first_of.setdefault(ROWS[int(key)].split(",")[0], key)
    assert answer("--group-by", "category") == [(key, category) for category, key in first_of.items()]
    assert answer("--exclude-key", "0", "--exclude-key", "4") == [(key, None) for key in order if key not in "04"]
    (tmp_path / "img" / "copy.png").write_bytes(shop.read_bytes())
    with (tmp_path / "rows.csv").open("a") as rows:
        rows.write("img/copy.png,copy,mug,1,,\n")
    assert run("index", tmp_path / "rows.csv", "-c", "shop").code == 0
    assert len(answer()) == 7
    once = {key for key, _ in answer("--dedupe")}
    assert once in ({*"12345", "0"}, {*"12345", "copy"})
    nothing = run("search", shop, "-c", "shop", *(word for key in (*order, "copy") for word in ("--exclude-key", key)))
    assert nothing.out.strip().endswith("no picture is left")


def test_more_like_one_picture_and_less_like_another(run: Run, shop: Path) -> None:
    results = run("search", shop, "-c", "shop", "--like", "1", "--unlike", "2", "--json").answer["results"]
    assert sorted(hit["key"] for hit in results) == ["0", "3", "4", "5"]
    scores = [hit["feedback_score"] for hit in results]
    assert scores == sorted(scores, reverse=True)
    table = run("search", shop, "-c", "shop", "--like", "1").out
    assert "1.000" in next(line for line in table.splitlines() if line.endswith("(similar)"))
    assert "below the threshold" not in table
    refused = run("search", shop, "-c", "shop", "--like", "none", "--json")
    assert (refused.code, refused.events[-1]["code"]) == (1, "item-not-found")


def test_the_best_of_two_collections(run: Run, shop: Path, tmp_path: Path) -> None:
    other = write_pictures(tmp_path / "other", 3, start=40)
    assert run("index", tmp_path / "other", "-c", "second").code == 0
    answer = run("search", other[0], "-c", "shop", "-c", "second", "-k", "20", "--json").answer
    assert len(answer["results"]) == 9
    assert (answer["results"][0]["collection"], answer["results"][0]["path"]) == ("second", str(other[0]))
    confidences = [hit["confidence"] for hit in answer["results"]]
    assert confidences == sorted(confidences, reverse=True)
    assert set(answer["threshold"]) == {"shop", "second"}
    table = run("search", other[0], "-c", "shop", "-c", "second", "--rank-by", "score").out
    assert f"second/{other[0].name}" in table
    assert "shop/0" in table
    refused = run("search", shop, "-c", "shop", "-c", "none", "--json")
    assert (refused.code, refused.events[-1]["code"]) == (1, "collection-not-found")
