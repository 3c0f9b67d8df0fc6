"""Passes over a collection page by page, while its items are changed, in one process and in two."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service import snapshots
from service.http.cursor_text import encode_cursor
from tests.e2e.conftest import write_pictures
from tests.service.harness import index, serving
from tests.service.test_item_changes import NEW, Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    write_pictures(tmp_path / "pictures", 6)
    index(tmp_path / "data", "shelf", tmp_path / "pictures")
    with serving(tmp_path / "data") as service:
        yield Shelf(service, tmp_path / "data", tmp_path / "pictures")


def list_page(shelf: Shelf, parameters: dict[str, str]) -> dict[str, Any]:
    answer = shelf.service.get("/collections/shelf/items", params={"limit": "2"} | parameters)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert isinstance(page, dict)
    return page


@pytest.mark.parametrize("text", ["", "format = JPEG"])
def test_a_pass_that_changes_what_it_lists_ends(shelf: Shelf, text: str) -> None:
    parameters = {"filter": text} if text else {}
    keys: list[str] = []
    page = list_page(shelf, parameters)
    shelf.patch("003.jpg", metadata={"n": 1})
    shelf.patch("003.jpg", metadata={"n": 2})
    shelf.delete("004.jpg")
    shelf.put("added", NEW)
    while True:
        for item in page["items"]:
            keys.append(item["key"])
            assert item["metadata"].get("n") == (2 if item["key"] == "003.jpg" else None)
            shelf.patch(item["key"], metadata={"listed": True})
        if page["next_cursor"] is None:
            break
        page = list_page(shelf, parameters | {"cursor": page["next_cursor"]})
    assert keys == ["000.jpg", "001.jpg", "002.jpg", "003.jpg", "005.jpg"]


def test_another_process_goes_on_with_a_pass_that_has_seen_more_than_it(shelf: Shelf) -> None:
    with serving(shelf.data) as other:
        other_shelf = Shelf(other, shelf.data, shelf.pictures)
        other_shelf.list_keys()  # opened before the changes
        for number in (0, 1, 2, 3):
            shelf.patch(f"{number:03}.jpg", metadata={"n": number})
        page = list_page(shelf, {})
        next_page = {"cursor": page["next_cursor"]}
        rest = other_shelf.service.get("/collections/shelf/items", params=next_page).json()["items"]
    keys = [item["key"] for item in page["items"] + rest]
    assert keys == ["004.jpg", "005.jpg", "000.jpg", "001.jpg", "002.jpg", "003.jpg"]


def test_a_cursor_ends_with_a_fold(shelf: Shelf) -> None:
    cursor = list_page(shelf, {})["next_cursor"]
    shelf.patch("000.jpg", metadata={"n": 1})
    assert shelf.service.post("/collections/shelf/fold").status_code == 200
    refused = shelf.service.get("/collections/shelf/items", params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (409, "cursor-outdated")
    later = encode_cursor(2, 0, 99)  # as if the catalogue had been restored
    refused = shelf.service.get("/collections/shelf/items", params={"cursor": later})
    assert (refused.status_code, refused.json()["code"]) == (409, "cursor-outdated")


def test_a_pass_over_a_snapshot_whose_versions_are_cleaned_up_is_refused_and_not_short(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_POLL_SECONDS", 3600.0)  # so that the other process keeps its snapshot
    with serving(shelf.data) as other:
        reader = Shelf(other, shelf.data, shelf.pictures)

        def read_changes() -> None:
            other.call(other.services.snapshots.take_changes, "shelf")

        shelf.put("added", NEW)
        read_changes()
        cursor = list_page(reader, {"limit": "6"})["next_cursor"]
        shelf.patch("added", metadata={"n": 1})
        read_changes()
        assert [item["key"] for item in list_page(reader, {"cursor": cursor})["items"]] == ["added"]
        assert shelf.service.post("/collections/shelf/fold").json()["snapshot"] == 2
        refused = other.get("/collections/shelf/items", params={"cursor": cursor})
        assert (refused.status_code, refused.json()["code"]) == (409, "cursor-outdated")


@pytest.mark.parametrize("words", ["[1,2]", '[1,2,"x"]', "[1,-1,0]", "[1,0,-1]", "[1,2,3,4]"])
def test_a_cursor_of_a_pass_that_was_made_up_is_refused(shelf: Shelf, words: str) -> None:
    cursor = base64.urlsafe_b64encode(words.encode()).decode().rstrip("=")
    refused = shelf.service.get("/collections/shelf/items", params={"cursor": cursor})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["field"] == "cursor"
