"""Snapshots over HTTP: listed, one of them pinned and served at once, and the pin taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lookalike import Collection
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from service.settings import ApiKeys
from tests.e2e.conftest import write_pictures
from tests.service.harness import index, serving
from tests.service.test_item_changes import Shelf

NEW = encode_png(make_picture(700))
PIN = "/collections/shelf/pin"


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A collection with two snapshots: of three pictures, and of four."""
    pictures = tmp_path / "pictures"
    for count in (3, 4):
        write_pictures(pictures, count)
        index(tmp_path / "data", "shelf", pictures)
    with serving(tmp_path / "data") as service:
        yield Shelf(service, tmp_path / "data", pictures)


def pin(shelf: Shelf, snapshot: object) -> Any:
    return shelf.service.request("PUT", PIN, data={"snapshot": str(snapshot)})


def unpin(shelf: Shelf) -> Any:
    return shelf.service.request("DELETE", PIN)


def test_snapshots_are_listed_newest_first(shelf: Shelf) -> None:
    answer = shelf.service.get("/collections/shelf/snapshots").json()
    assert (answer["collection"], answer["pinned"]) == ("shelf", False)
    assert [(row["snapshot"], row["count"], row["is_current"]) for row in answer["snapshots"]] == [
        (2, 4, True),
        (1, 3, False),
    ]
    for row in answer["snapshots"]:
        folder = shelf.data / f"collections/shelf/snapshots/{row['snapshot']:08d}"
        files = ("ids.npy", "vectors.npy", "index.bin")
        assert row["bytes"] == sum((folder / name).stat().st_size for name in files)
        assert (row["engine"], row["encoder"], row["problem"]) == ("faiss-flat", "bundled", None)
        assert row["recall"]["value"] == 1.0
    current = shelf.service.get("/collections/shelf").json()
    assert answer["snapshots"][0]["created_at"] == current["created_at"]
    assert current["pinned"] is False


def test_a_pinned_snapshot_is_served_when_the_answer_returns_and_until_the_pin_is_gone(shelf: Shelf) -> None:
    shelf.put("new", NEW)
    answer = pin(shelf, 1)
    assert answer.status_code == 200
    assert (answer.json()["pinned"], answer.headers["x-snapshot"]) == (True, "1")
    assert [row["is_current"] for row in answer.json()["snapshots"]] == [False, True]
    assert shelf.list_keys() == ["000.jpg", "001.jpg", "002.jpg"]
    assert shelf.service.get("/collections/shelf").json()["pinned"] is True
    refused = shelf.put("other", NEW)
    assert (refused.status_code, refused.json()["code"]) == (409, "collection-pinned")
    assert pin(shelf, 1).status_code == 200
    freed = unpin(shelf)
    assert (freed.status_code, freed.json()["pinned"], freed.headers["x-snapshot"]) == (200, False, "2")
    assert shelf.list_keys() == ["000.jpg", "001.jpg", "002.jpg", "003.jpg", "new"]
    assert unpin(shelf).status_code == 200


def test_the_newest_snapshot_can_be_pinned_too(shelf: Shelf) -> None:
    shelf.put("new", NEW)
    assert pin(shelf, 2).json()["pinned"] is True
    assert "new" not in shelf.list_keys()
    assert shelf.delete("000.jpg").status_code == 409
    unpin(shelf)
    assert "new" in shelf.list_keys()


def test_a_fold_does_not_take_a_pin_away(shelf: Shelf) -> None:
    shelf.put("new", NEW)
    pin(shelf, 1)
    refused = shelf.service.post("/collections/shelf/fold")
    assert (refused.status_code, refused.json()["code"]) == (409, "collection-pinned")
    assert not shelf.service.call(shelf.service.services.folding.fold, "shelf")
    assert shelf.service.get("/collections/shelf/snapshots").json()["pinned"] is True
    assert shelf.list_keys() == ["000.jpg", "001.jpg", "002.jpg"]


def test_an_index_of_the_collection_ends_the_pin_and_keeps_the_changes(shelf: Shelf) -> None:
    shelf.put("new", NEW)
    pin(shelf, 1)
    index(shelf.data, "shelf", shelf.pictures)
    shelf.service.post("/collections/shelf/refresh")
    assert "new" in shelf.list_keys()
    assert shelf.service.get("/collections/shelf").json()["pinned"] is False


@pytest.mark.parametrize("snapshot", [3, 7, 2**31 - 1])
def test_a_snapshot_that_is_not_there_is_missed_with_those_that_are(shelf: Shelf, snapshot: int) -> None:
    refused = pin(shelf, snapshot)
    assert (refused.status_code, refused.json()["code"]) == (404, "snapshot-unknown")
    assert "there are: 1, 2" in refused.json()["detail"]
    assert shelf.service.get("/collections/shelf").json()["snapshot"] == 2


@pytest.mark.parametrize("fields", [{}, {"snapshot": "0"}, {"snapshot": "x"}, {"snapshot": "1", "keep": "2"}])
def test_a_pin_that_cannot_be_read_is_refused(shelf: Shelf, fields: dict[str, str]) -> None:
    refused = shelf.service.request(
        "PUT", PIN, data=fields, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")


def test_while_an_indexer_works_a_pin_is_refused(shelf: Shelf) -> None:
    with Collection.open(shelf.data, "shelf") as collection, collection.layout.hold_lock():
        for refused in (pin(shelf, 1), unpin(shelf)):
            assert (refused.status_code, refused.json()["code"]) == (409, "collection-busy")
    assert pin(shelf, 1).status_code == 200


def test_a_damaged_snapshot_is_named_and_not_pinned(shelf: Shelf) -> None:
    (shelf.data / "collections/shelf/snapshots/00000001/vectors.npy").write_bytes(b"no vectors")
    refused = pin(shelf, 1)
    assert (refused.status_code, refused.json()["code"]) == (503, "snapshot-damaged")
    assert str(shelf.data) not in refused.text
    assert shelf.service.get("/collections/shelf").json()["pinned"] is False
    (shelf.data / "collections/shelf/snapshots/00000001/manifest.json").write_text("{}")
    rows = shelf.service.get("/collections/shelf/snapshots").json()["snapshots"]
    assert (rows[1]["snapshot"], rows[1]["count"], rows[1]["problem"]["code"]) == (1, None, "snapshot-damaged")
    assert str(shelf.data) not in rows[1]["problem"]["detail"]


def test_a_collection_that_cannot_be_served_is_brought_back_by_a_pin(tmp_path: Path) -> None:
    for count in (3, 4):
        write_pictures(tmp_path / "pictures", count)
        index(tmp_path / "data", "shelf", tmp_path / "pictures")
    (tmp_path / "data/collections/shelf/snapshots/00000002/vectors.npy").write_bytes(b"no vectors")
    with serving(tmp_path / "data") as service:
        shelf = Shelf(service, tmp_path / "data", tmp_path / "pictures")
        assert service.get("/collections/shelf").status_code == 503
        assert [row["snapshot"] for row in service.get("/collections/shelf/snapshots").json()["snapshots"]] == [2, 1]
        assert pin(shelf, 1).status_code == 200
        assert shelf.list_keys() == ["000.jpg", "001.jpg", "002.jpg"]


def test_a_check_that_takes_long_is_answered_before_it_ends(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.http.accepted.WAIT_SECONDS", 0.0)
    answer = pin(shelf, 1)
    assert answer.status_code == 202
    shelf.service.wait_for(lambda: shelf.service.get("/collections/shelf").json()["snapshot"] == 1, "it is served")
    assert shelf.service.get("/collections/shelf/snapshots").json()["pinned"] is True


def test_pins_are_for_keys_of_scope_write(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 1)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    keys = ApiKeys.parse(["read:" + "r" * 20, "write:" + "w" * 20])
    with serving(tmp_path / "data", places=Places(tmp_path / "data"), keys=keys) as service:
        assert service.get("/collections/shelf/snapshots").status_code == 401
        service.headers = {"authorization": "Bearer " + "r" * 20}
        assert service.get("/collections/shelf/snapshots").status_code == 200
        shelf = Shelf(service, tmp_path / "data", tmp_path)
        assert (pin(shelf, 1).status_code, unpin(shelf).status_code) == (403, 403)
        service.headers = {"authorization": "Bearer " + "w" * 20}
        assert (pin(shelf, 1).status_code, unpin(shelf).status_code) == (200, 200)


def test_other_processes_follow_a_pin(shelf: Shelf) -> None:
    shelf.put("new", NEW)
    with serving(shelf.data) as second:
        other = Shelf(second, shelf.data, shelf.pictures)
        second.wait_for(lambda: "new" in other.list_keys(), "the other process sees the change")
        pin(shelf, 1)
        second.wait_for(lambda: other.list_keys() == ["000.jpg", "001.jpg", "002.jpg"], "it follows the pin")
        unpin(other)
        shelf.service.wait_for(lambda: "new" in shelf.list_keys(), "the first one follows the end of the pin")


def test_a_collection_that_is_not_there_has_no_snapshots(shelf: Shelf) -> None:
    for method, path in (("GET", "snapshots"), ("DELETE", "pin")):
        missed = shelf.service.request(method, f"/collections/boots/{path}")
        assert (missed.status_code, missed.json()["code"]) == (404, "collection-not-found")
