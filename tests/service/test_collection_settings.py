"""Collections as resources: declared columns, retention and restoring over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike import Collection
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from service.settings import ApiKeys
from tests.service.harness import serving
from tests.service.test_item_changes import Shelf

PICTURE = encode_png(make_picture(900))
TYPES = {"price": "number", "tags": "list of text", "since": "date", "code": "text", "sale": "boolean"}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """An empty collection with declared columns."""
    with serving(tmp_path / "data") as service:
        fields = {"encoder": "bundled", "columns": json.dumps(TYPES), "keep": "2"}
        made = service.request("PUT", "/collections/shelf", data=fields)
        assert made.status_code == 201, made.text
        yield Shelf(service, tmp_path / "data", tmp_path)


def described(shelf: Shelf) -> Any:
    return shelf.service.get("/collections/shelf").json()


def columns_of(answer: Any) -> dict[str, tuple[list[str], bool, int]]:
    return {row["name"]: (row["types"], row["declared"], row["count"]) for row in answer["columns"]}


def patch(shelf: Shelf, **fields: Any) -> httpx.Response:
    data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return shelf.service.request("PATCH", "/collections/shelf", data=data)


def test_declared_columns_are_shown_before_an_item_has_a_value(shelf: Shelf) -> None:
    assert columns_of(described(shelf)) == {name: ([kind], True, 0) for name, kind in TYPES.items()}
    assert described(shelf)["keep"] == 2
    found = shelf.service.search(PICTURE, collection="shelf", filter='{"price": {"lt": 60}}')
    assert (found.status_code, found.json()["results"]) == (200, [])


def test_a_column_that_nobody_declared_is_inferred(shelf: Shelf) -> None:
    shelf.put("a", PICTURE, metadata={"price": 5, "colour": "red", "weight": 2.5})
    shelf.patch("a", metadata={"weight": "heavy"})
    columns = columns_of(described(shelf))
    assert columns["colour"] == (["text"], False, 1)
    assert columns["weight"] == (["number", "text"], False, 1), "its earlier version is still there"
    assert columns["price"] == (["number"], True, 1)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("price", "12.50", ["number", "'12.50'", "which is text"]),
        ("price", True, ["number", "true"]),
        ("price", [1], ["number", "list"]),
        ("tags", "red", ["list of text", "'red'"]),
        ("tags", ["red", 5], ["list of text", "list"]),
        ("since", "31.05.2024", ["date", "2024-05-31", "'31.05.2024'"]),
        ("since", "2024-02-30", ["date"]),
        ("code", 12345, ["text", "12345", "which is a number"]),
        ("sale", "true", ["boolean", "'true'"]),
        ("sale", 1, ["boolean", "1"]),
    ],
)
def test_a_value_of_another_type_is_refused_with_key_column_type_and_value(
    shelf: Shelf, column: str, value: object, words: list[str]
) -> None:
    shelf.put("sku-1", PICTURE, metadata={"price": 5})
    for refused in (
        shelf.put("sku-1", PICTURE, metadata={column: value}),
        shelf.put("sku-1", metadata={column: value}),
        shelf.patch("sku-1", metadata={column: value}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, "metadata-invalid")
        (problem,) = refused.json()["errors"]
        assert problem["field"] == "metadata"
        for word in ["'sku-1'", f"'{column}'", *words]:
            assert word in problem["message"]
    assert shelf.get("sku-1").json()["metadata"] == {"price": 5}


def test_values_of_the_declared_types_pass_and_null_takes_one_away(shelf: Shelf) -> None:
    metadata = {
        "price": 5,
        "tags": ["2024-05-31", "a"],
        "since": "2024-05-31T10:00Z",
        "code": "2024-05-31",
        "sale": False,
    }
    assert shelf.put("a", PICTURE, metadata=metadata).status_code == 201
    assert shelf.patch("a", metadata={"price": 2.5, "tags": [], "since": None}).status_code == 200
    assert shelf.get("a").json()["metadata"] == {"price": 2.5, "tags": [], "code": "2024-05-31", "sale": False}
    assert columns_of(described(shelf))["code"] == (["text"], True, 1)


def test_in_a_batch_only_the_wrong_one_is_refused(shelf: Shelf) -> None:
    answer = shelf.batch(
        [
            {"op": "put", "key": "a", "image": "a.png", "metadata": {"price": "5"}},
            {"op": "put", "key": "b", "image": "b.png", "metadata": {"price": 5}},
        ],
        a_png=PICTURE,
        b_png=PICTURE,
    ).json()
    assert [entry["status"] for entry in answer["results"]] == [None, "created"]
    assert answer["results"][0]["problem"]["code"] == "metadata-invalid"
    assert shelf.list_keys() == ["b"]


def test_a_column_is_declared_and_set_free_later(shelf: Shelf) -> None:
    shelf.put("a", PICTURE, metadata={"colour": "red", "weight": 5})
    answer = patch(shelf, columns={"weight": "number", "price": None})
    assert answer.status_code == 200
    assert answer.json() == described(shelf)
    columns = columns_of(answer.json())
    assert (columns["weight"], "price" in columns) == ((["number"], True, 1), False)
    assert shelf.patch("a", metadata={"weight": "heavy"}).status_code == 422
    assert shelf.patch("a", metadata={"price": "at request"}).status_code == 200


def test_a_type_that_items_contradict_is_refused_with_their_number_and_the_first(shelf: Shelf) -> None:
    for key, weight in (("z", "light"), ("a", "heavy"), ("m", 5)):
        shelf.put(key, PICTURE, metadata={"weight": weight})
    refused = patch(shelf, columns={"weight": "number", "new": "text"}, keep="5")
    assert (refused.status_code, refused.json()["code"]) == (409, "column-conflict")
    for word in ("'weight'", "number", "2 items", "'z'", "'light'"):
        assert word in refused.json()["detail"]
    assert "new" not in columns_of(described(shelf))
    assert described(shelf)["keep"] == 2, "nothing of it was done"
    shelf.delete("z")
    shelf.patch("a", metadata={"weight": 7})
    assert patch(shelf, columns={"weight": "number"}).status_code == 200


def test_what_only_an_older_version_of_an_item_says_contradicts_nothing(shelf: Shelf) -> None:
    shelf.put("a", PICTURE, metadata={"weight": "light"})
    shelf.service.post("/collections/shelf/fold")
    shelf.patch("a", metadata={"weight": 5})
    assert patch(shelf, columns={"weight": "number"}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"columns": {"price": "nummer"}}, "columns", "there are: text, number, boolean, date, list of text"),
        ({"columns": {"": "text"}}, "columns", "cannot name a column"),
        ({"columns": {"x" * 201: "text"}}, "columns", "1 to 200 characters"),
        ({"columns": '{"\\ud800": "text"}'}, "columns", "not valid Unicode"),
        ({"columns": {f"c{number}": "text" for number in range(257)}}, "columns", "256"),
        ({"columns": "["}, "columns", "is not JSON"),
        ({"columns": [1]}, "columns", "must be a JSON object"),
        ({"keep": "1"}, "keep", "at least 2"),
        ({"keep": "1001"}, "keep", "at most 1000"),
        ({"keep": "many"}, "keep", "whole number"),
        ({"encoder": "bundled"}, "encoder", "unknown"),
        ({"colums": {}}, "colums", "did you mean columns?"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(
    shelf: Shelf, fields: dict[str, Any], field: str, message: str
) -> None:
    refused = patch(shelf, **fields)
    assert refused.status_code == 422
    (problem,) = refused.json()["errors"]
    assert problem["field"] == field
    assert message in problem["message"]


def test_a_put_of_a_collection_that_is_there_changes_nothing(shelf: Shelf) -> None:
    def put(**fields: str) -> httpx.Response:
        return shelf.service.request("PUT", "/collections/shelf", data=fields)

    assert put(columns=json.dumps(TYPES), keep="2").status_code == 200
    for refused in (put(columns='{"price": "text"}'), put(columns="{}"), put(keep="3")):
        assert (refused.status_code, refused.json()["code"]) == (409, "collection-exists")
        assert "PATCH" in refused.json()["detail"]
    assert columns_of(described(shelf)) == {name: ([kind], True, 0) for name, kind in TYPES.items()}


def test_as_many_snapshots_stay_as_the_collection_says(shelf: Shelf) -> None:
    def snapshots() -> list[int]:
        rows = shelf.service.get("/collections/shelf/snapshots").json()["snapshots"]
        return [row["snapshot"] for row in rows]

    def publish(number: int) -> None:
        shelf.put(str(number), PICTURE)
        assert shelf.service.post("/collections/shelf/fold").status_code == 200

    for number in (2, 3, 4):
        publish(number)
    assert snapshots() == [4, 3]
    assert patch(shelf, keep="3").json()["keep"] == 3
    for number in (5, 6, 7):
        publish(number)
    assert snapshots() == [7, 6, 5]
    with Collection.open(shelf.data, "shelf") as collection:
        assert collection.settings.keep == 3


def test_other_processes_see_new_columns(shelf: Shelf) -> None:
    with serving(shelf.data) as second:
        assert second.search(PICTURE, collection="shelf", filter="weight < 5").status_code == 422
        patch(shelf, columns={"weight": "number"})
        other = Shelf(second, shelf.data, shelf.pictures)
        assert other.put("a", PICTURE, metadata={"weight": "heavy"}).status_code == 422, "at once"
        second.wait_for(
            lambda: second.search(PICTURE, collection="shelf", filter="weight < 5").status_code == 200,
            "the other process knows the column",
        )


def test_a_deleted_collection_is_restored(shelf: Shelf) -> None:
    shelf.put("a", PICTURE, metadata={"price": 5})
    shelf.service.request("DELETE", "/collections/shelf?confirm=shelf")
    assert shelf.service.get("/collections/shelf").status_code == 404
    restored = shelf.service.post("/collections/shelf/restore")
    assert (restored.status_code, restored.json()["count"], restored.json()["keep"]) == (200, 1, 2)
    assert shelf.list_keys() == ["a"]
    assert columns_of(described(shelf))["price"] == (["number"], True, 1)
    again = shelf.service.post("/collections/shelf/restore")
    assert (again.status_code, again.json()["code"]) == (404, "collection-not-found")
    shelf.service.request("DELETE", "/collections/shelf?confirm=shelf")
    shelf.service.request("PUT", "/collections/shelf", data={"encoder": "bundled"})
    taken = shelf.service.post("/collections/shelf/restore")
    assert (taken.status_code, taken.json()["code"]) == (409, "collection-exists")


def test_settings_are_for_keys_of_scope_write(tmp_path: Path) -> None:
    keys = ApiKeys.parse(["read:" + "r" * 20, "write:" + "w" * 20])
    with serving(tmp_path / "data", places=Places(tmp_path / "data"), keys=keys) as service:
        service.headers = {"authorization": "Bearer " + "w" * 20}
        service.request("PUT", "/collections/shelf", data={"encoder": "bundled"})
        shelf = Shelf(service, tmp_path / "data", tmp_path)
        assert patch(shelf, keep="4").status_code == 200
        service.headers = {"authorization": "Bearer " + "r" * 20}
        assert patch(shelf, keep="5").status_code == 403
        assert service.post("/collections/shelf/restore").status_code == 403
        assert service.request("DELETE", "/collections/shelf/calibration").status_code == 403
