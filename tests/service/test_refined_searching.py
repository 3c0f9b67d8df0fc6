"""Searches with filters, facets, groups, exclusions, a fallback, boosts and pages over HTTP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest

from lookalike import Collection
from lookalike.catalogue.snapshot_filter import SnapshotFilter
from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.search_cursor import SearchCursor
from tests.service.conftest import Shop
from tests.service.harness import Service, index, item_path, serving, without_times

COUNT = 24
QUERY = encode_png(make_picture(900))


def fields_of(number: int) -> dict[str, Any]:
    """The columns of an item: each category has a third of them, each product two pictures, the last four have none."""
    fields: dict[str, Any] = {"category": ("mug", "tea cup", "bowl")[number % 3], "price": number}
    if number < COUNT - 4:
        fields["product_id"] = f"p-{number // 2}"
    return fields


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures 0 to 23, of which 22 and 23 are the same file."""
    root = tmp_path_factory.mktemp("refined")
    rows = []
    for number in range(COUNT):
        (root / f"{number}.png").write_bytes(encode_png(make_picture(min(number, COUNT - 2))))
        rows.append(
            {"path": f"{number}.png", "key": f"{number:02}", "tags": ["x", f"t{number % 2}"]} | fields_of(number)
        )
    (root / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    index(root / "data", "shop", root / "shop.jsonl")
    return root / "data"


@pytest.fixture(scope="module")
def refined(data: Path) -> Iterator[Service]:
    with serving(data) as service:
        yield service


@pytest.fixture(scope="module")
def ranking(data: Path) -> list[str]:
    """All keys, by brute force, most like the query first."""
    with Collection.open(data, "shop") as collection:
        (vector,) = collection.encoder.encode([QUERY])
        scores = {item.key: float(collection.vector(item) @ vector) for item in collection.items()}
    return sorted(scores, key=lambda key: -round(scores[key], 6))


def keys(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [hit["key"] for hit in response.json()["results"]]


def number_of(key: str) -> int:
    return int(key)


def pages(service: Service, k: int, **fields: Any) -> list[dict[str, Any]]:
    """All pages of a search with the picture."""
    answers = [service.search(QUERY, k=k, **fields).json()]
    while answers[-1]["next_cursor"] is not None:
        answers.append(service.search(QUERY, k=k, **fields, cursor=answers[-1]["next_cursor"]).json())
    return answers


@pytest.mark.parametrize(
    "text", ["category = mug and price < 12", '{"category": "mug", "price": {"lt": 12}}', '{"price":{"in":[0,3,6,9]}}']
)
def test_k_that_pass_a_filter_are_k(refined: Service, ranking: list[str], text: str) -> None:
    mugs = [key for key in ranking if number_of(key) % 3 == 0 and number_of(key) < 12]
    few, all_of_them = (refined.search(QUERY, filter=text, k=k) for k in (3, 10))
    assert keys(few) == mugs[:3]
    assert keys(all_of_them) == mugs
    assert [answer.json()["exhausted"] for answer in (few, all_of_them)] == [False, True]
    assert [answer.json()["passing"] for answer in (few, all_of_them)] == [4, 4]
    assert keys(refined.search(QUERY, filter=text, k=4)) == mugs
    assert refined.search(QUERY, filter=text, k=4).json()["exhausted"] is True
    by_path = refined.post("/collections/shop/search", files={"image": QUERY}, data={"filter": text, "k": "3"})
    assert without_times(by_path.json()) == without_times(few.json())


def test_pairs_of_the_query_string_are_a_filter(refined: Service) -> None:
    path = item_path("00", "similar")
    parameters = {"filter[category]": "mug", "filter[price][lt]": "12", "k": "20"}
    by_pairs = refined.get(path, params=parameters)
    by_text = refined.get(path, params={"filter": "category = mug and price < 12", "k": "20"})
    assert sorted(keys(by_pairs)) == ["03", "06", "09"], "the item itself is left out"
    assert by_pairs.json()["exhausted"] is True
    assert keys(by_text) == keys(by_pairs)
    either = refined.get(
        path, params=[("filter[category]", "mug"), ("filter[category]", "bowl"), ("filter", "price<3")]
    )
    assert sorted(keys(either)) == ["02"]


@pytest.mark.parametrize(
    ("fields", "place", "hint"),
    [
        ({"filter": "categry = mug"}, "filter, column 1", "did you mean 'category'?"),
        ({"filter": '{"and": [{"price": {"lt": "x"}}]}'}, "filter.and[0].price.lt", "must be a number"),
        ({"filter": '{"price": '}, "filter, column 11", "is no valid JSON"),
        ({"filter": " "}, "filter, column 2", "ends too early"),
        ({"facets": "price,colour"}, "facets.colour", "no column is called"),
        ({"group_by": "produkt_id"}, "group_by", "did you mean 'product_id'?"),
        ({"group_by": "tags"}, "group_by", "has lists"),
        ({"boost": '{"field": "category", "weight": 0.1}'}, "boost[0].field", "is a number"),
    ],
)
def test_what_cannot_be_filtered_is_refused_with_its_place(
    refined: Service, fields: dict[str, str], place: str, hint: str
) -> None:
    answer = refined.search(QUERY, **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "filter-invalid")
    (error,) = answer.json()["errors"]
    assert (error["field"], hint in error["message"]) == (place, True), error
    if "facets" not in fields:
        files = [("image", ("a.png", QUERY))]
        assert refined.post("/search/batch", files=files, data=fields).json()["code"] == "filter-invalid"


@pytest.mark.parametrize(("field", "text", "place"), [("boost", '{"field": x}', 11), ("exclude_keys", "[x]", 2)])
def test_a_field_that_is_no_json_says_where(refined: Service, field: str, text: str, place: int) -> None:
    (error,) = refined.search(QUERY, **{field: text}).json()["errors"]
    assert (error["field"], f"is not JSON at character {place}" in error["message"]) == (field, True), error


@pytest.mark.parametrize(
    "fields",
    [
        {"group_size": "2"},
        {"group_by": "product_id", "group_size": "100", "k": "11"},
        {"diversity": "1.1"},
        {"diversity": "nan"},
        {"fallback": "always"},
        {"facets": ",".join("abcdefghi")},
        {"facets": "[1]"},
        {"exclude_keys": '["\\u0000"]'},
        {"exclude_keys": '["\\ud800"]'},
        {"boost": '{"field": "price", "weight": 0.6}'},
        {"boost": '{"field": "price", "weight": 0.1, "scale": 0}'},
        {"boost": '{"field": "price", "weight": NaN}'},
        {"boost": '{"field": "price", "weight": 1e400}'},
        {"boost": '{"field": "price", "weight": 0.1, "power": 2}'},
        {"boost": "[" * 5000},
        {"cursor": "no cursor"},
        {"cursor": "MS4wLjEuMQ"},
        {"cursor": "ä"},
    ],
)
def test_options_out_of_range_are_refused(refined: Service, fields: dict[str, str]) -> None:
    answer = refined.search(QUERY, **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "field-invalid"), answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] in fields


def test_a_filter_and_a_cursor_that_are_left_blank_are_not_sent(refined: Service) -> None:
    blank = {"filter": "", "cursor": ""}
    assert keys(refined.search(QUERY, k=5, **blank)) == keys(refined.search(QUERY, k=5))
    items = "/collections/shop/items"
    listed = refined.get(items, params=blank)
    assert (listed.status_code, listed.json()) == (200, refined.get(items).json())
    assert refined.get("/jobs", params={"cursor": ""}).status_code == 200
    # It is not everything that is removed or changed then.
    refusals = [refined.request("DELETE", items, params={"filter": ""})]
    refusals.append(refined.request("PATCH", items, data={"filter": "", "title": "x"}))
    for refused in refusals:
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "filter")


def test_facets_count_what_passes(refined: Service) -> None:
    answer = refined.search(QUERY, k=1, facets="category,price", filter="price < 7").json()
    assert answer["facets"]["category"] == {
        "values": [{"value": "mug", "count": 3}, {"value": "bowl", "count": 2}, {"value": "tea cup", "count": 2}],
        "distinct": 3,
    }
    assert answer["facets"]["price"]["distinct"] == 7
    alone = refined.get("/collections/shop/facets", params={"names": "category", "filter[price][lt]": "7"}).json()
    assert alone["facets"] == {"category": answer["facets"]["category"]}
    assert (alone["collection"], alone["count"]) == ("shop", 7)
    all_of_them = refined.get("/collections/shop/facets?names=price,tags&limit=3").json()
    assert (all_of_them["count"], len(all_of_them["facets"]["price"]["values"])) == (COUNT, 3)
    assert all_of_them["facets"]["tags"]["values"][0] == {"value": "x", "count": COUNT}


def test_a_collection_names_its_columns(refined: Service) -> None:
    assert refined.get("/collections/shop").json()["columns"] == [
        {"name": "category", "types": ["text"], "declared": False, "count": COUNT},
        {"name": "price", "types": ["number"], "declared": False, "count": COUNT},
        {"name": "tags", "types": ["list of text"], "declared": False, "count": COUNT},
    ]


def test_items_that_pass_are_listed_page_by_page(refined: Service) -> None:
    listed: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = refined.get("/collections/shop/items", params={"filter[category]": "bowl", "limit": "3"} | cursor).json()
        listed += [item["key"] for item in page["items"]]
        assert page["count"] == COUNT // 3
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert listed == [f"{number:02}" for number in range(2, COUNT, 3)]
    assert refined.get("/collections/shop/items?filter=price>100").json()["items"] == []
    assert refined.get("/collections/shop/items?filter[prize]=1").json()["code"] == "filter-invalid"


def test_each_product_is_a_hit_once_with_its_best_picture(refined: Service, ranking: list[str]) -> None:
    answer = refined.search(QUERY, group_by="product_id", k=14)
    seen, best = set(), []
    for key in ranking:
        product = fields_of(number_of(key)).get("product_id")
        if product is None or product not in seen:
            best.append((key, product))
            seen.add(product)
    assert [(hit["key"], hit["group"]) for hit in answer.json()["results"]] == best
    assert answer.json()["exhausted"] is True
    pairs = refined.search(QUERY, group_by="product_id", group_size=2, k=3).json()["results"]
    for hit in pairs:
        assert hit["group"] == fields_of(number_of(hit["key"])).get("product_id")
    assert [hit["group"] for hit in pairs] == sorted(
        (hit["group"] for hit in pairs), key=[hit["group"] for hit in pairs].index
    )
    assert len({hit["group"] or hit["key"] for hit in pairs}) == 3
    by_category = refined.search(QUERY, group_by="category", k=10).json()
    assert {hit["group"] for hit in by_category["results"]} == {"mug", "tea cup", "bowl"}
    assert (len(by_category["results"]), by_category["exhausted"]) == (3, True)


def test_the_product_of_the_query_and_of_feedback_is_none_of_the_products(refined: Service, data: Path) -> None:
    path = item_path("06", "similar")
    answers = [
        refined.get(path, params={"group_by": "product_id", "group_size": "2", "k": "100"}),
        refined.search(key="06", group_by="product_id", group_size=2, k=100),
        refined.search(like_keys="06", group_by="product_id", group_size=2, k=100),
    ]
    expected = {f"{number:02}" for number in range(COUNT)} - {"06", "07"}
    for answer in answers:
        assert sorted(keys(answer)) == sorted(expected)
    assert "07" in keys(refined.get(path, params={"k": "100"})), "without groups it is a hit like others"
    with Collection.open(data, "shop") as collection:
        for key in ("06", ["06"]):
            hits = collection.similar(key, 100, group_by="product_id", group_size=2)
            assert {hit.key for hit in hits} == expected

    without: dict[str, Any] = {"key": "06", "group_by": "product_id", "unlike_keys": "09", "like_keys": "12", "k": 100}
    products = {fields_of(number_of(key)).get("product_id") for key in keys(refined.search(**without))}
    assert products == {f"p-{number}" for number in range(10)} - {"p-3", "p-4", "p-6"} | {None}
    assert {"12", "13"} & set(keys(refined.search(**without, include_liked="true")))
    # Every page has k, and an item without a product has no group that could be left out.
    first = refined.search(key="06", group_by="product_id", k=10).json()
    second = refined.search(key="06", group_by="product_id", k=100, cursor=first["next_cursor"]).json()
    assert (len(first["results"]), len(second["results"]), second["exhausted"]) == (10, 3, True)
    assert len(keys(refined.search(key="20", group_by="product_id", k=100))) == 13


def test_copies_and_excluded_items_are_left_out(refined: Service, ranking: list[str]) -> None:
    left = keys(refined.search(QUERY, dedupe="true", k=100))
    assert left == [key for key in ranking if key != "23"]
    some = refined.search(QUERY, exclude_keys='["00", "no such", "05"]', k=100)
    assert keys(some) == [key for key in ranking if key not in ("00", "05")]
    assert keys(refined.search(QUERY, exclude_keys="00, 05", k=100)) == keys(some)


def test_too_few_that_pass_are_filled_up_where_it_is_asked_for(refined: Service, ranking: list[str]) -> None:
    where = {"filter": "price < 2", "k": "5"}
    assert refined.search(QUERY, **where).json()["fallback"] is None
    filled = refined.search(QUERY, **where, fallback="relax_filter").json()
    passing = [key for key in ranking if number_of(key) < 2]
    others = [key for key in ranking if number_of(key) >= 2]
    assert [(hit["key"], hit["passed_filter"]) for hit in filled["results"]] == [
        *((key, True) for key in passing),
        *((key, False) for key in others[:3]),
    ]
    assert (filled["fallback"], filled["passing"], filled["exhausted"]) == ("relax_filter", 2, False)
    enough = refined.search(QUERY, filter="price < 20", k=5, fallback="relax_filter").json()
    assert enough["fallback"] is None


def test_boosts_and_diversity_rank_by_their_formulas(refined: Service, data: Path) -> None:
    boost = json.dumps({"field": "price", "weight": 0.3, "scale": 12})
    hits = refined.search(QUERY, boost=boost, k=COUNT).json()["results"]
    for hit in hits:
        assert hit["boosted_score"] == pytest.approx(hit["score"] + 0.3 * min(1, number_of(hit["key"]) / 12), abs=2e-6)
    boosted = [hit["boosted_score"] for hit in hits]
    assert boosted == sorted(boosted, reverse=True)
    diverse = keys(refined.search(QUERY, diversity=0.7, k=6))
    with Collection.open(data, "shop") as collection:
        (query,) = collection.encoder.encode([QUERY])
        vectors = {item.key: collection.vector(item) for item in collection.items()}
    chosen: list[str] = []
    for _ in range(6):
        gain = {
            key: 0.3 * float(vector @ query)
            - 0.7 * max((float(vector @ vectors[other]) for other in chosen), default=0.0)
            for key, vector in vectors.items()
            if key not in chosen
        }
        chosen.append(max(gain, key=lambda key: gain[key]))
    assert diverse == chosen


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"filter": "price >= 3"},
        {"group_by": "product_id"},
        {"dedupe": "true", "exclude_keys": "01"},
        {"diversity": "0.5"},
        {"boost": '{"field": "price", "weight": 0.2, "scale": 20}'},
        {"filter": "price < 2", "fallback": "relax_filter"},
        {"min_score": "0.2"},
    ],
)
def test_pages_have_no_gaps_and_no_doubles(refined: Service, fields: dict[str, str]) -> None:
    complete = refined.search(QUERY, k=1000, **fields).json()
    answers = pages(refined, 5, **fields)
    expected = [(hit["key"], hit["score"]) for hit in complete["results"]]
    if fields.get("diversity") is None:
        assert [(hit["key"], hit["score"]) for answer in answers for hit in answer["results"]] == expected
    assert sorted(hit["key"] for answer in answers for hit in answer["results"]) == sorted(key for key, _ in expected)
    assert [hit["rank"] for answer in answers for hit in answer["results"]] == list(range(1, len(expected) + 1))
    assert [answer["exhausted"] for answer in answers] == [False] * (len(answers) - 1) + [True]
    # Nothing depends on what is kept in memory.
    snapshot = refined.services.snapshots.current("shop")
    assert snapshot is not None
    snapshot.page_cache = type(snapshot.page_cache)()
    again = refined.search(QUERY, k=5, **fields, cursor=answers[1]["next_cursor"] or answers[0]["next_cursor"]).json()
    assert without_times(again) == without_times(answers[2 if answers[1]["next_cursor"] else 1])


def test_pages_of_a_search_by_key_may_have_other_sizes(refined: Service) -> None:
    path = item_path("07", "similar")
    first = refined.get(path, params={"k": "4"}).json()
    second = refined.get(path, params={"k": "7", "cursor": first["next_cursor"]}).json()
    third = refined.get(path, params={"k": "100", "cursor": second["next_cursor"]}).json()
    paged_keys = [hit["key"] for answer in (first, second, third) for hit in answer["results"]]
    assert paged_keys == keys(refined.get(path, params={"k": "100"}))
    assert [len(answer["results"]) for answer in (first, second, third)] == [4, 7, COUNT - 12]


def test_a_cursor_of_another_search_or_snapshot_is_refused(refined: Service) -> None:
    cursor = refined.search(QUERY, k=3).json()["next_cursor"]
    other_picture = encode_png(make_picture(901))
    for answer in (
        refined.search(other_picture, k=3, cursor=cursor),
        refined.search(QUERY, k=3, cursor=cursor, dedupe="true"),
        refined.search(key="00", k=3, cursor=cursor),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
        assert "belongs to another search" in answer.json()["detail"]
    parsed = SearchCursor.parse(cursor)
    for state in (replace(parsed, generation=2), replace(parsed, change=parsed.change + 1000)):
        late = refined.search(QUERY, k=3, cursor=str(state))
        assert (late.status_code, late.json()["code"]) == (409, "cursor-outdated")
        assert "which can no longer be searched; snapshot 1 is current" in late.json()["detail"]


@pytest.mark.parametrize("by_key", [False, True])
@pytest.mark.parametrize("options", [{}, {"filter": "price < 1000", "dedupe": "true"}])
def test_pages_go_on_while_items_are_changed(data: Path, tmp_path: Path, options: dict[str, str], by_key: bool) -> None:
    shutil.copytree(data, tmp_path / "data")
    with serving(tmp_path / "data") as service:

        def search(**parameters: object) -> dict[str, Any]:
            query = {"key": "00"} if by_key else {}
            answer = service.search(None if by_key else QUERY, **query, **options, **parameters)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        expected = [hit["key"] for hit in search(k=COUNT)["results"]]
        page = search(k=3)
        listed = [hit["key"] for hit in page["results"]]
        replaced, removed, last = expected[4], expected[5], expected[-1]
        service.request("PATCH", item_path(replaced), data={"title": "new"})
        service.request("DELETE", item_path(removed))
        service.request("PATCH", item_path("00"), data={"title": "new"})
        while page["next_cursor"] is not None:
            page = search(k=3, cursor=page["next_cursor"])
            listed += [hit["key"] for hit in page["results"]]
            if last not in listed:
                service.request("PATCH", item_path(last), data={"title": f"after {len(listed)}"})
        assert listed == [key for key in expected if key != removed]
        assert removed not in [hit["key"] for hit in search(k=COUNT)["results"]]


def test_live_changes_are_filtered_counted_and_grouped(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    with serving(tmp_path / "data") as service:
        service.request("PATCH", item_path("01"), data={"metadata": '{"category": "mug"}'})
        service.request("DELETE", item_path("03"))
        answer = service.search(QUERY, filter="category = mug", k=7, facets="category").json()
        assert (answer["passing"], len(answer["results"]), answer["exhausted"]) == (8, 7, False)
        assert answer["facets"]["category"]["values"][0] == {"value": "mug", "count": 8}
        columns = service.get("/collections/shop").json()["columns"]
        assert {column["name"]: column["count"] for column in columns} == dict.fromkeys(
            ("category", "price", "tags"), COUNT - 1
        )
        listed = service.get("/collections/shop/items?filter[category]=mug").json()
        assert listed["count"] == len(listed["items"]) == 8


@pytest.mark.parametrize("combine", ["best", "mean"])
def test_several_pictures_of_one_thing_have_one_answer(refined: Service, data: Path, combine: str) -> None:
    pictures = [encode_png(make_picture(number)) for number in (900, 901, 902)]
    files = [("image", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]
    with Collection.open(data, "shop") as collection:
        cosines = {
            item.key: collection.encoder.encode(pictures) @ collection.vector(item) for item in collection.items()
        }
    scores = {key: float(row.max() if combine == "best" else row.mean()) for key, row in cosines.items()}
    best = sorted(scores, key=lambda key: -scores[key])
    fields = {"combine": combine, "k": "8", "filter": "price < 18"}
    first = refined.post("/search", files=files, data=fields).json()
    second = refined.post("/search", files=files, data=fields | {"cursor": first["next_cursor"]}).json()
    hits = [*first["results"], *second["results"]]
    assert [hit["key"] for hit in hits] == [key for key in best if number_of(key) < 18][:16]
    assert [hit["score"] for hit in hits] == pytest.approx([scores[hit["key"]] for hit in hits], abs=1e-4)
    products = refined.post(
        "/search", files=files, data={"combine": combine, "group_by": "product_id", "k": "3"}
    ).json()
    assert products["results"][0]["key"] == best[0]
    assert refined.post("/search", files=files[:2], data=fields | {"cursor": first["next_cursor"]}).status_code == 422
    bad = refined.post("/search", files=[*files, ("image", ("bad.png", b"x"))], data=fields)
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (415, "image")
    for other in ({"tiers": "true"}, {"box": "0,0,0.5,0.5"}):
        assert refined.post("/search", files=files, data=fields | other).json()["code"] == "field-invalid"
    too_many = refined.post("/search", files=files * 6, data=fields)
    assert too_many.json()["errors"][0]["message"] == "must be sent at most 16 times"


def test_a_batch_is_filtered_and_grouped_too(refined: Service) -> None:
    files = [("image", (f"{number}.png", encode_png(make_picture(number)))) for number in (3, 6)]
    data = {"filter": "category = mug", "group_by": "product_id", "k": "2"}
    answer = refined.post("/search/batch", files=files, data=data).json()
    for entry, key in zip(answer["results"], ("03", "06"), strict=True):
        hits = entry["answer"]["results"]
        assert (hits[0]["key"], len(hits)) == (key, 2)
        assert all(number_of(hit["key"]) % 3 == 0 for hit in hits)


def test_a_filter_that_takes_too_long_ends_at_the_deadline_and_leaves_its_thread(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparisons: list[int] = []
    go_on = Event()
    ask = SnapshotFilter._ask

    def ask_slowly(filters: SnapshotFilter, comparison: Any) -> Any:
        comparisons.append(1)
        go_on.wait(30)
        return ask(filters, comparison)

    monkeypatch.setattr(SnapshotFilter, "_ask", ask_slowly)
    with serving(data, request_timeout=0.2) as service:
        answer = service.get(item_path("00", "similar"), params={"filter": "price > -1 and price < 99 and price != 3"})
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline-exceeded")
        go_on.set()
        service.wait_for(lambda: service.get("/ready").status_code == 200, "it is ready")
    assert len(comparisons) == 1, "no comparison was begun after the deadline"


def test_options_are_a_part_of_what_responses_are_cached_by(refined: Service) -> None:
    path = item_path("04", "similar")
    for _ in range(2):
        plain = keys(refined.get(path, params={"k": "5"}))
        mugs = keys(refined.get(path, params={"k": "5", "filter[category]": "mug"}))
        bowls = keys(refined.get(path, params={"k": "5", "filter[category]": "bowl"}))
        assert {number_of(key) % 3 for key in mugs} == {0}
        assert {number_of(key) % 3 for key in bowls} == {2}
        assert plain not in (mugs, bowls)


def test_the_shop_without_columns_is_searched_as_before(service: Service, shop: Shop) -> None:
    answer = service.search(key="plain-0", filter="colour = red", k=3).json()
    assert [hit["key"] for hit in answer["results"]] == ["shoes/red one.jpg"]
    assert np.isfinite(answer["best_score"])
    none = service.search(key="plain-0", filter="colour = blue", k=3).json()
    assert (none["results"], none["best_score"], none["exhausted"], none["passing"]) == ([], None, True, 0)
