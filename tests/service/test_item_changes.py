"""Items that are put, changed and removed over HTTP: seen by the next search, and told what cannot be done."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike import Collection
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from service.settings import ApiKeys
from tests.e2e.conftest import write_pictures
from tests.service.harness import Service, index, item_path, serving

NEW, OTHER = encode_png(make_picture(500)), encode_png(make_picture(501))


@dataclass(frozen=True)
class Shelf:
    """A service over a collection of its own, and the folder that the collection was indexed from."""

    service: Service
    data: Path
    pictures: Path

    def put(self, key: str, picture: bytes | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        return self._send("PUT", key, picture, headers, fields)

    def patch(self, key: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        return self._send("PATCH", key, None, headers, fields)

    def delete(self, key: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.service.request("DELETE", item_path(key, collection="shelf"), headers=headers or {})

    def _send(
        self, method: str, key: str, picture: bytes | None, headers: dict[str, str] | None, fields: dict[str, Any]
    ) -> httpx.Response:
        data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        files = None if picture is None else {"image": ("sent.png", picture)}
        path = item_path(key, collection="shelf")
        return self.service.request(method, path, data=data, files=files, headers=headers or {})

    def batch(self, changes: list[dict[str, Any]], **pictures: bytes) -> httpx.Response:
        files = [("image", (name.replace("_", "."), picture)) for name, picture in pictures.items()]
        data = {"changes": json.dumps(changes)}
        return self.service.post("/collections/shelf/items", data=data, files=files or None)

    def get(self, key: str, part: str = "") -> httpx.Response:
        return self.service.get(item_path(key, part, collection="shelf"))

    def best(self, picture: bytes, k: int = 1) -> list[tuple[str, float]]:
        results = self.service.search(picture, k=k, collection="shelf").json()["results"]
        return [(hit["key"], round(hit["score"], 3)) for hit in results]

    def list_keys(self) -> list[str]:
        return [item["key"] for item in self.service.get("/collections/shelf/items").json()["items"]]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    write_pictures(tmp_path / "pictures", 6)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    with serving(tmp_path / "data") as service:
        yield Shelf(service, tmp_path / "data", tmp_path / "pictures")


def test_a_picture_that_was_sent_is_found_by_the_next_search(shelf: Shelf) -> None:
    answer = shelf.put("new/1", NEW, title="A mug", product_id="p-9", metadata={"category": "mug", "price": 59.9})
    assert answer.status_code == 201
    assert answer.json()["status"] == "created"
    assert shelf.best(NEW) == [("new/1", 1.0)]
    row = shelf.get("new/1")
    assert row.json() == answer.json()["item"]
    assert (row.json()["title"], row.json()["metadata"]) == ("A mug", {"category": "mug", "price": 59.9})
    assert row.headers["etag"] == answer.headers["etag"]
    assert shelf.get("new/1", "image").content == NEW
    assert shelf.get("new/1", "thumbnail").status_code == 200
    collection = shelf.service.get("/collections/shelf").json()
    assert (collection["count"], collection["snapshot"], collection["pending"]) == (7, 1, 1)
    assert shelf.service.get(item_path("new/1", "similar", "shelf") + "?k=6").json()["exhausted"] is True


def test_what_is_not_sent_stays_and_metadata_needs_no_picture(shelf: Shelf) -> None:
    shelf.put("a", NEW, title="One", metadata={"price": 1, "tags": ["x", "y"]})
    assert shelf.put("a", OTHER).json()["item"]["title"] == "One"
    assert shelf.best(OTHER) == [("a", 1.0)]
    changed = shelf.patch("a", metadata={"price": 2, "tags": None, "stock": True}).json()["item"]
    assert changed["metadata"] == {"price": 2, "stock": True}
    assert shelf.put("a", metadata={"only": "this"}).json()["item"]["metadata"] == {"only": "this"}
    assert shelf.best(OTHER) == [("a", 1.0)]
    assert shelf.get("a", "image").content == OTHER


def test_an_indexed_item_is_replaced_and_removed(shelf: Shelf) -> None:
    assert shelf.put("000.jpg", NEW).json()["status"] == "replaced"
    assert shelf.best(NEW) == [("000.jpg", 1.0)]
    assert shelf.list_keys()[-1] == "000.jpg"
    assert shelf.delete("001.jpg").json() == {
        "collection": "shelf",
        "key": "001.jpg",
        "status": "removed",
        "item": None,
    }
    assert shelf.get("001.jpg").status_code == 404
    assert "001.jpg" not in shelf.list_keys()
    removed = (shelf.pictures / "001.jpg").read_bytes()
    assert "001.jpg" not in dict(shelf.best(removed, k=10))
    assert len(shelf.best(removed, k=10)) == 5
    assert shelf.delete("001.jpg").status_code == 404


def test_a_run_of_the_indexer_keeps_what_was_changed_and_folds_it_in(shelf: Shelf) -> None:
    shelf.put("new", NEW, metadata={"n": 1})
    shelf.put("000.jpg", OTHER)
    shelf.delete("001.jpg")
    for generation in (2, 3):
        index(shelf.data, "shelf", shelf.pictures)
        shelf.service.post("/collections/shelf/refresh")
        collection = shelf.service.get("/collections/shelf").json()
        assert (collection["snapshot"], collection["pending"]) == (min(generation, 2), 0)
        assert sorted(shelf.list_keys()) == ["000.jpg", "002.jpg", "003.jpg", "004.jpg", "005.jpg", "new"]
        assert shelf.best(NEW) == [("new", 1.0)]
        assert shelf.best(OTHER) == [("000.jpg", 1.0)]
        assert shelf.get("new", "image").content == NEW
    os.utime(shelf.pictures / "000.jpg")
    (shelf.pictures / "001.jpg").write_bytes((shelf.pictures / "002.jpg").read_bytes())
    index(shelf.data, "shelf", shelf.pictures)
    shelf.service.post("/collections/shelf/refresh")
    assert "001.jpg" in shelf.list_keys()  # the source has changed it since
    assert shelf.best(OTHER) == [("000.jpg", 1.0)]  # touched only


def test_pictures_that_were_sent_are_encoded_again_with_another_encoder(shelf: Shelf) -> None:
    shelf.put("new", NEW, metadata={"n": 1})
    shelf.patch("000.jpg", metadata={"kept": True})
    index(shelf.data, "shelf", shelf.pictures, "bundled-resnet18", reencode=True)
    with Collection.open(shelf.data, "shelf") as collection:
        assert collection.manifest.encoder.name == "bundled-resnet18"
        assert len(collection) == 7
        assert collection.item("000.jpg").metadata == {"kept": True}
        (hit,) = collection.search(NEW, k=1)
        assert (hit.key, round(hit.score, 3), dict(hit.metadata)) == ("new", 1.0, {"n": 1})
        assert Path(collection.path(hit)).read_bytes() == NEW


def test_a_change_is_made_only_to_the_version_that_it_was_meant_for(shelf: Shelf) -> None:
    first = shelf.put("a", NEW).headers["etag"]
    assert shelf.get("a").headers["etag"] == first
    second = shelf.patch("a", {"if-match": first}, metadata={"n": 1})
    assert second.status_code == 200
    refused = shelf.patch("a", {"if-match": first}, metadata={"n": 2})
    assert (refused.status_code, refused.json()["code"]) == (412, "version-mismatch")
    assert shelf.delete("a", {"if-match": first}).status_code == 412
    assert shelf.put("nowhere", NEW, {"if-match": "*"}).status_code == 412
    assert shelf.get("a").json()["metadata"] == {"n": 1}
    assert shelf.delete("a", {"if-match": f'"x", {second.headers["etag"]}'}).status_code == 200


def test_an_item_is_added_only_if_there_is_none(shelf: Shelf) -> None:
    only_new = {"if-none-match": "*"}
    assert shelf.put("a", NEW, only_new).status_code == 201
    for key in ("a", "000.jpg"):
        refused = shelf.put(key, OTHER, only_new)
        assert (refused.status_code, refused.json()["code"]) == (412, "version-mismatch")
        assert "already" in refused.json()["detail"]
    assert shelf.get("a", "image").content == NEW
    shelf.delete("a")
    assert shelf.put("a", OTHER, only_new).status_code == 201


def test_of_several_that_add_an_item_at_once_one_does(shelf: Shelf) -> None:
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: shelf.put("a", NEW, {"if-none-match": "*"}).status_code, range(6)))
    assert sorted(answers) == [201, *[412] * 5]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"if-none-match": '"1-abc"'}, "must be *"),
        ({"if-none-match": "*, *"}, "must be *"),
        ({"if-none-match": "*", "if-match": "*"}, "send one of them"),
    ],
)
def test_a_condition_that_has_no_meaning_for_an_addition_is_refused(
    shelf: Shelf, headers: dict[str, str], message: str
) -> None:
    refused = shelf.put("a", NEW, headers)
    assert refused.status_code == 422
    (problem,) = refused.json()["errors"]
    assert problem["field"] == "If-None-Match"
    assert message in problem["message"]
    assert shelf.get("a").status_code == 404


def test_a_batch_says_of_each_change_what_became_of_it(shelf: Shelf) -> None:
    changes: list[dict[str, Any]] = [
        {"op": "put", "key": "a", "image": "a.png", "metadata": {"n": 1}},
        {"op": "put", "key": "b", "image": "b.png"},
        {"op": "patch", "key": "a", "metadata": {"m": 2}},
        {"op": "put", "key": "c", "image": "c.png"},
        {"op": "delete", "key": "000.jpg"},
        {"op": "delete", "key": "nowhere"},
        {"op": "put", "key": "d", "title": "no picture"},
    ]
    answer = shelf.batch(changes, a_png=NEW, b_png=OTHER, c_png=b"no picture").json()
    statuses = [entry["status"] or entry["problem"]["code"] for entry in answer["results"]]
    assert statuses == [
        "created",
        "created",
        "replaced",
        "unsupported-format",
        "removed",
        "item-not-found",
        "image-missing",
    ]
    assert shelf.get("a").json()["metadata"] == {"n": 1, "m": 2}
    assert dict(shelf.best(NEW, k=2))["a"] == 1.0
    assert "000.jpg" not in shelf.list_keys()


def test_the_changes_of_one_key_in_a_batch_are_made_in_their_order(shelf: Shelf) -> None:
    replacement = {"op": "put", "key": "a", "title": "t", "product_id": "p"}
    answer = shelf.batch(
        [
            {**replacement, "image": "a.png", "metadata": {"n": 1}},
            *({"op": "patch", "key": "a", "metadata": {f"m{number}": number}} for number in range(6)),
            {**replacement, "image": "b.png", "metadata": {"last": True}},
            {"op": "patch", "key": "001.jpg", "metadata": {"n": 1}},
            {"op": "patch", "key": "001.jpg", "metadata": {"n": 2}},
            {"op": "delete", "key": "001.jpg"},
        ],
        a_png=NEW,
        b_png=OTHER,
    ).json()
    statuses = [entry["status"] or entry["problem"]["code"] for entry in answer["results"]]
    assert statuses == ["created", *["replaced"] * 9, "removed"]
    assert shelf.get("a").json()["metadata"] == {"last": True}
    assert dict(shelf.best(OTHER))["a"] == 1.0
    assert "001.jpg" not in shelf.list_keys()


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"metadata": "{"}, "metadata", "is not JSON"),
        ({"metadata": "[1]"}, "metadata", "JSON object"),
        ({"metadata": {"a": {"b": 1}}}, "metadata", "a: must be text"),
        ({"metadata": {"a": [[1]]}}, "metadata", "a: a list has"),
        ({"metadata": '{"a": NaN}'}, "metadata", "finite"),
        ({"metadata": '{"a": ["\\ud800"]}'}, "metadata", "a: the text is not valid Unicode"),
        ({"metadata": '{"\\ud800": 1}'}, "metadata", "not valid Unicode"),
        ({"titel": "x"}, "titel", "title"),
        (
            {"price": 3},
            "price",
            "is unknown; the fields are image, title, product_id, metadata; columns go into metadata",
        ),
    ],
)
def test_a_wrong_field_is_named(shelf: Shelf, fields: dict[str, Any], field: str, message: str) -> None:
    refused = shelf.put("a", NEW, **fields)
    assert refused.status_code == 422
    (problem,) = refused.json()["errors"]
    assert problem["field"] == field
    assert message in problem["message"]
    assert shelf.get("a").status_code == 404


def test_a_batch_with_a_picture_that_nothing_names_is_refused_whole(shelf: Shelf) -> None:
    for changes, pictures in (
        ([{"op": "put", "key": "a", "image": "missing.png"}], {}),
        ([{"op": "put", "key": "a", "image": "a.png"}], {"a_png": NEW, "b_png": OTHER}),
        ([{"op": "delete", "key": "000.jpg", "image": "a.png"}], {"a_png": NEW}),
        ([{"op": "drop", "key": "000.jpg"}], {}),
        ([{"op": "delete", "key": "000.jpg", "colour": "red"}], {}),
        ([], {}),
    ):
        assert shelf.batch(changes, **pictures).status_code == 422
    assert len(shelf.list_keys()) == 6


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ([{"op": "patch", "key": "a", "foo": 1}], "changes[0].foo", "is unknown; the fields are op, key, image, title"),
        ([{"op": "patch", "key": "a", "titel": "x"}], "changes[0].titel", "is unknown; did you mean title?"),
        ([{"op": "patch", "key": "a"}, {"op": "patch"}], "changes[1].key", "is missing"),
        ([{"op": "patch", "key": 5}], "changes[0].key", "must be text"),
        ([{"op": "drop", "key": "a"}], "changes[0].op", "must be 'put', 'patch' or 'delete'"),
        ([{"op": "patch", "key": "a", "metadata": {"b": [[]]}}], "changes[0].metadata", "b: a list has"),
        (["a"], "changes[0]", "must be an object"),
        ({"op": "patch"}, "changes", "must be a list"),
    ],
)
def test_a_wrong_change_of_a_batch_is_named_with_its_place(
    shelf: Shelf, changes: Any, field: str, message: str
) -> None:
    as_form = shelf.batch(changes)
    as_json = shelf.service.post("/collections/shelf/items", json={"changes": changes})
    for refused in (as_form, as_json):
        assert refused.status_code == 422
        (problem,) = refused.json()["errors"]
        assert problem["field"] == field
        assert problem["message"].startswith(message)
    assert as_form.json()["detail"].startswith(f"{field}: {message}")


def test_two_processes_see_each_others_changes(shelf: Shelf) -> None:
    with serving(shelf.data) as second:
        other = Shelf(second, shelf.data, shelf.pictures)
        shelf.put("a", NEW)
        second.wait_for(lambda: other.best(NEW) == [("a", 1.0)], "the other process sees the new item")
        other.delete("a")
        shelf.service.wait_for(lambda: shelf.get("a").status_code == 404, "the first one sees that it is gone")


def test_a_collection_that_was_rolled_back_takes_no_changes(shelf: Shelf) -> None:
    shelf.put("a", NEW)
    index(shelf.data, "shelf", shelf.pictures)
    with Collection.open(shelf.data, "shelf") as collection:
        collection.layout.point_to(1, pinned=True)
    shelf.service.post("/collections/shelf/refresh")
    assert "a" not in shelf.list_keys()
    refused = shelf.put("b", NEW)
    assert (refused.status_code, refused.json()["code"]) == (409, "collection-pinned")
    index(shelf.data, "shelf", shelf.pictures)
    shelf.service.post("/collections/shelf/refresh")
    assert "a" in shelf.list_keys()
    assert shelf.put("b", NEW).status_code == 201


def test_a_page_of_another_site_changes_nothing(shelf: Shelf) -> None:
    changes = {"changes": json.dumps([{"op": "delete", "key": "000.jpg"}])}
    for origin in ("https://example.org", "http://localhost:81", "null"):
        refused = shelf.service.post("/collections/shelf/items", data=changes, headers={"origin": origin})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert len(shelf.list_keys()) == 6
    own = shelf.service.post("/collections/shelf/items", data=changes, headers={"origin": "http://localhost"})
    assert own.json()["results"][0]["status"] == "removed"


def test_changes_need_a_key_of_scope_write(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 1)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    keys = ApiKeys.parse(["read:" + "r" * 20, "write:" + "w" * 20])
    with serving(tmp_path / "data", places=Places(tmp_path / "data"), keys=keys) as service:
        shelf = Shelf(service, tmp_path / "data", tmp_path / "pictures")
        for headers, status in (({}, 401), ({"authorization": "Bearer " + "r" * 20}, 403)):
            assert shelf.put("a", NEW, headers).status_code == status
            assert shelf.delete("000.jpg", headers).status_code == status
        assert shelf.put("a", NEW, {"authorization": "Bearer " + "w" * 20}).status_code == 201


def test_a_collection_is_made_filled_folded_and_deleted(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as service:
        created = service.request("PUT", "/collections/shelf", data={"encoder": "bundled"})
        assert (created.status_code, created.json()["count"], created.json()["encoder"]["name"]) == (201, 0, "bundled")
        assert service.request("PUT", "/collections/shelf").status_code == 200
        assert service.request("PUT", "/collections/shelf", data={"encoder": "bundled-int8"}).status_code == 409
        shelf = Shelf(service, tmp_path / "data", tmp_path)
        assert shelf.best(NEW, k=5) == []
        shelf.put("a", NEW, metadata={"n": 1})
        shelf.put("b", OTHER)
        shelf.delete("b")
        assert shelf.best(NEW, k=5) == [("a", 1.0)]
        folded = service.post("/collections/shelf/fold").json()
        assert (folded["snapshot"], folded["count"], folded["pending"]) == (2, 1, 0)
        assert shelf.best(NEW, k=5) == [("a", 1.0)]
        assert service.request("DELETE", "/collections/shelf?confirm=shelv").status_code == 422
        assert service.request("DELETE", "/collections/shelf?confirm=shelf").json()["restorable"] is True
        assert service.get("/collections/shelf").status_code == 404
        assert service.get("/collections").json()["collections"] == []


def test_many_changes_are_folded_in_without_anybody_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.folding._LOOK_SECONDS", 0.05)
    write_pictures(tmp_path / "pictures", 2)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    with serving(tmp_path / "data", fold_after=2) as service:
        shelf = Shelf(service, tmp_path / "data", tmp_path)
        shelf.put("a", NEW)
        assert service.get("/collections/shelf").json()["snapshot"] == 1
        shelf.put("b", OTHER)
        service.wait_for(lambda: service.get("/collections/shelf").json()["snapshot"] == 2, "changes are folded in")
        assert shelf.best(NEW) == [("a", 1.0)]
        assert service.get("/collections/shelf").json()["pending"] == 0


def test_folding_goes_on_after_a_process_that_could_not_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, calls = asyncio.create_subprocess_exec, []

    async def start_at_second_try(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError("Cannot allocate memory")
        return await start(*arguments, **options)

    monkeypatch.setattr("service.folding._LOOK_SECONDS", 0.05)
    monkeypatch.setattr("service.folding._RETRY_SECONDS", 0.0)
    monkeypatch.setattr("asyncio.create_subprocess_exec", start_at_second_try)
    write_pictures(tmp_path / "pictures", 2)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    with serving(tmp_path / "data", fold_after=1) as service:
        Shelf(service, tmp_path / "data", tmp_path).put("a", NEW)
        service.wait_for(lambda: service.get("/collections/shelf").json()["snapshot"] == 2, "changes are folded in")
    assert len(calls) == 2
