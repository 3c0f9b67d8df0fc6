"""Items that are changed and removed by a filter over HTTP, on both databases: all that pass, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike import Collection
from lookalike.catalogue.live_changes import LiveChange
from lookalike.images import encode_png
from lookalike.options import Places
from lookalike.testing import make_picture
from service import filtered_changes
from service.settings import ApiKeys
from tests.service.harness import Service, serving

COUNT = 12
PATH = "/collections/shop/items"


def fill(service: Service) -> None:
    """Twelve items, a third of them mugs, each price of two of them."""
    service.request("PUT", "/collections/shop", data={"encoder": "bundled"})
    changes, pictures = [], []
    for number in range(COUNT):
        metadata = {"category": ("mug", "cup", "bowl")[number % 3], "price": number // 2}
        changes.append({"op": "put", "key": f"{number:02}", "image": f"{number}.png", "metadata": metadata})
        pictures.append(("image", (f"{number}.png", encode_png(make_picture(number)))))
    answer = service.post(PATH, data={"changes": json.dumps(changes)}, files=pictures)
    assert {entry["status"] for entry in answer.json()["results"]} == {"created"}


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    places = Places(tmp_path / "data", database_url, tmp_path / "encoders")
    with serving(tmp_path / "data", places=places) as running:
        fill(running)
        yield running


def delete(service: Service, **parameters: Any) -> httpx.Response:
    return service.request("DELETE", PATH, params=parameters)


def patch(service: Service, **fields: Any) -> httpx.Response:
    data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return service.request("PATCH", PATH, data=data)


def counts(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    answer = response.json()
    return [answer[name] for name in ("passing", "changed", "unchanged", "remaining")]


def rows(service: Service) -> dict[str, dict[str, Any]]:
    """The metadata of all items by key."""
    return {item["key"]: item["metadata"] for item in service.get(PATH, params={"limit": 500}).json()["items"]}


def test_all_that_pass_are_removed_and_no_other(service: Service) -> None:
    mugs = [f"{number:02}" for number in range(0, COUNT, 3)]
    assert counts(delete(service, filter="category = mug", dry_run="true")) == [4, 0, 0, 4]
    assert len(rows(service)) == COUNT
    answer = delete(service, **{"filter[category]": "mug"})
    assert answer.json()["dry_run"] is False
    assert counts(answer) == [4, 4, 0, 0]
    assert sorted(rows(service)) == [f"{number:02}" for number in range(COUNT) if f"{number:02}" not in mugs]
    hits = service.search(encode_png(make_picture(0)), k=COUNT).json()["results"]
    assert not {hit["key"] for hit in hits} & set(mugs)
    assert counts(delete(service, filter="category = mug")) == [0, 0, 0, 0]
    assert counts(delete(service, filter='{"key": {"in": ["01", "nowhere"]}}')) == [1, 1, 0, 0]
    assert counts(delete(service, filter="key exists")) == [7, 7, 0, 0]
    assert rows(service) == {}


def test_all_that_pass_are_changed_and_once_more_nothing_is(service: Service) -> None:
    before = rows(service)
    changes = {"price": 99, "sale": True, "category": None}
    assert counts(patch(service, filter="price < 2", metadata=changes)) == [4, 4, 0, 0]
    after = rows(service)
    assert [after[f"{number:02}"] for number in range(4)] == [{"price": 99, "sale": True}] * 4
    assert {key: after[key] for key in list(before)[4:]} == dict(list(before.items())[4:])
    assert counts(patch(service, filter="sale = true", metadata=changes)) == [4, 0, 4, 0]
    assert counts(patch(service, filter="sale = true", metadata={"sale": 1})) == [4, 4, 0, 0], "true is not 1"
    assert counts(patch(service, filter="sale = 1", title="Sale", product_id="p-1")) == [4, 4, 0, 0]
    item = service.get(f"{PATH}/00").json()
    assert (item["title"], item["product_id"], item["metadata"]) == ("Sale", "p-1", {"price": 99, "sale": 1})
    assert service.get(f"{PATH}/00/image").content == encode_png(make_picture(0))


def test_more_than_at_most_are_not_touched(service: Service) -> None:
    for refused in (
        delete(service, filter="key exists", at_most=COUNT - 1),
        delete(service, filter="key exists", at_most=COUNT - 1, dry_run="true"),
        patch(service, filter="key exists", at_most="11", metadata={"a": 1}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, "filter-invalid")
        (problem,) = refused.json()["errors"]
        assert problem["field"] == "at_most"
        assert "12 items pass" in problem["message"]
        assert "at_most=12" in problem["message"]
    assert all("a" not in metadata for metadata in rows(service).values())
    assert counts(delete(service, filter="key exists", at_most=COUNT)) == [12, 12, 0, 0]


def test_what_one_request_does_not_reach_the_next_one_does(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtered_changes, "CHANGES_AT_ONCE", 2)
    monkeypatch.setattr(filtered_changes, "CHANGES_PER_REQUEST", 6)
    steps = [counts(patch(service, filter="key exists", metadata={"done": True})) for _ in range(3)]
    assert steps == [[12, 6, 0, 6], [12, 6, 0, 6], [12, 0, 12, 0]]
    monkeypatch.setattr(filtered_changes, "_TIME_SHARE", 0.0)
    assert counts(delete(service, filter="done = true")) == [12, 2, 0, 10]
    assert len(rows(service)) == 10


def test_an_item_that_another_removes_meanwhile_stays_removed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = filtered_changes._apply

    def apply_after_another(collection: Collection, *arguments: Any) -> tuple[int, int]:
        collection.change_items([LiveChange("00")])
        return apply(collection, *arguments)

    monkeypatch.setattr(filtered_changes, "_apply", apply_after_another)
    assert counts(patch(service, filter="category = mug", metadata={"sale": True})) == [4, 3, 0, 1]
    assert "00" not in rows(service)


@pytest.mark.parametrize(
    ("method", "fields", "field", "message"),
    [
        ("DELETE", {}, "filter", "say which items"),
        ("DELETE", {"filter": "categry = mug"}, "filter, column 1", "did you mean 'category'?"),
        ("DELETE", {"filter": "category = mug", "at_most": "0"}, "at_most", "1"),
        ("DELETE", {"filter": "category = mug", "dryrun": "true"}, "dryrun", "dry_run"),
        ("PATCH", {"metadata": '{"a": 1}'}, "filter", "say which items"),
        ("PATCH", {"filter": "category = mug"}, "metadata", "send what is to be changed"),
        ("PATCH", {"filter": "category = mug", "metadata": '{"a": {}}'}, "metadata", "a: must be text"),
    ],
)
def test_a_wrong_field_is_named(
    service: Service, method: str, fields: dict[str, str], field: str, message: str
) -> None:
    kind = "params" if method == "DELETE" else "data"
    refused = service.request(method, PATH, **{kind: fields})
    assert refused.status_code == 422
    (problem,) = refused.json()["errors"]
    assert problem["field"] == field
    assert message in problem["message"]
    assert len(rows(service)) == COUNT


def test_a_fold_in_between_changes_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids of the items that passed stay the same in the snapshot that is published while they are changed."""
    change_batch = filtered_changes._change_batch
    folds: list[bool] = []

    async def fold_before_the_second(*arguments: Any) -> tuple[int, int]:
        if folds == [False]:
            folds.append(await service.services.folding.fold("shop"))
        folds.append(False)
        return await change_batch(*arguments)

    monkeypatch.setattr(filtered_changes, "CHANGES_AT_ONCE", 5)
    monkeypatch.setattr(filtered_changes, "_TIME_SHARE", 100.0)  # a fold takes its time on a busy machine
    monkeypatch.setattr(filtered_changes, "_change_batch", fold_before_the_second)
    assert counts(patch(service, filter="key exists", metadata={"sale": True})) == [12, 12, 0, 0]
    assert folds == [False, True, False, False]
    assert service.get("/collections/shop").json()["snapshot"] == 2
    assert all(metadata["sale"] for metadata in rows(service).values())


def test_a_pinned_collection_takes_none_and_a_reader_may_not(tmp_path: Path) -> None:
    keys = ApiKeys.parse(["read:" + "r" * 20, "write:" + "w" * 20])
    with serving(tmp_path / "data", places=Places(tmp_path / "data"), keys=keys) as service:
        service.headers = {"authorization": "Bearer " + "w" * 20}
        fill(service)
        current = service.services.snapshots.current("shop")
        assert current is not None
        current.collection.layout.point_to(1, pinned=True)
        refused = delete(service, filter="key exists", dry_run="true")
        assert (refused.status_code, refused.json()["code"]) == (409, "collection-pinned")
        service.headers = {"authorization": "Bearer " + "r" * 20}
        assert delete(service, filter="key exists").status_code == 403
        assert patch(service, filter="key exists", metadata={"a": 1}).status_code == 403
