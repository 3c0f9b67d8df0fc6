"""Keys for some collections: the others cannot be read, changed, or even told apart from what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.settings import ApiKeys
from tests.e2e.conftest import write_pictures
from tests.service.harness import Service, index, item_path, serving

READ_MUGS, WRITE_MUGS = "reads-mugs-and-no-more", "writes-mugs-and-no-more"
WRITE_SHOPS, READ_ALL, WRITE_ALL = "writes-all-of-the-shops", "reads-all-that-there-is", "writes-all-that-there-is"
SECRET = "zz-secret"
PICTURE = encode_png(make_picture(1))
OPEN = {"/", "/docs", "/favicon.ico", "/openapi.json", "/health", "/ready", "/version", "/widget.js"}
"""Paths for which no key is needed."""
WITH_COLLECTION: dict[str, dict[str, Any]] = {
    "/search": {"data": {"key": "000.jpg"}},
    "/search/batch": {"files": {"image": PICTURE}},
    "/recommend": {"data": {"like": "000.jpg"}},
    "/compare": {"data": {"image_a": "000.jpg", "image_b": "001.jpg"}},
    "/embed": {"files": {"image": PICTURE}},
    "/tags": {"files": {"image": PICTURE}},
}
"""Paths whose form names a collection, and what else to send."""
OF_NO_COLLECTION: dict[str, tuple[set[int], dict[str, Any]]] = {
    "/collections": ({200}, {}),
    "/encoders": ({200}, {}),
    "/metrics": ({403}, {}),
    "/cosine_similarity_score": ({200}, {"files": {"image_1": PICTURE, "image_2": PICTURE}}),
    "/jobs": ({200}, {}),
    "/jobs/{job_id}": ({403, 404}, {}),
    "/jobs/{job_id}/cancel": ({403}, {}),
    "/jobs/{job_id}/events": ({404}, {}),
    "/jobs/{job_id}/file": ({404}, {}),
    "/jobs/{job_id}/report": ({404}, {}),
    "/uploads": ({204, 403}, {}),
    "/uploads/{filename}": ({403}, {}),
    "/uploads/{upload_id}": ({403, 404}, {}),
}
"""The other paths that name no collection: the statuses for a key of one collection, and what to send."""


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three collections of the same two pictures, one of which is nobody's business."""
    root = tmp_path_factory.mktemp("tenants")
    write_pictures(root / "pictures", 2)
    for name in ("mugs", "shop-a", SECRET):
        index(root / "data", name, root / "pictures")
    return root / "data"


@pytest.fixture(scope="module")
def shared(data: Path) -> Iterator[Service]:
    """One service for several clients, each with a key for its own collections."""
    words = [
        f"read@mugs:{READ_MUGS}",
        f"write@mugs:{WRITE_MUGS}",
        f"write@mugs+shop-*:{WRITE_SHOPS}",
        f"read:{READ_ALL}",
        f"write:{WRITE_ALL}",
    ]
    with serving(data, keys=ApiKeys.parse(words), fold_after=0) as running:
        yield running


def endpoints(service: Service) -> list[tuple[str, str]]:
    """Every method and path of the application, those that its document leaves out too."""
    return [
        (method, route.path.replace(":path", ""))
        for route in service.app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def test_every_path_below_a_collection_is_closed_to_keys_of_others(shared: Service) -> None:
    below = [(method, path) for method, path in endpoints(shared) if "{name}" in path]
    assert len(below) >= 20
    for method, path in below:
        answers = []
        for name in (SECRET, "zz-nothing", "zz%2Dsecret", "mugs-2", "%zz"):
            url = path.replace("{name}", name).replace("{key}", "000.jpg")
            for key in (WRITE_MUGS, READ_MUGS):
                refused = shared.request(method, url, headers=bearer(key))
                assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), (method, url)
            answers.append(refused.json()["detail"].replace(name, "").replace(SECRET, ""))
        assert len(set(answers[:2])) == 1, "whether there is such a collection cannot be told"


@pytest.fixture(scope="module")
def secret_job(shared: Service) -> str:
    """A job of the collection that is nobody's business."""
    sent = {"kind": "evaluate", "label": "product_id"}
    answer = shared.post(f"/collections/{SECRET}/jobs", data=sent, headers=bearer(WRITE_ALL))
    assert answer.status_code == 202
    return str(answer.json()["id"])


def test_a_job_is_seen_with_keys_of_its_collection_alone(shared: Service, secret_job: str) -> None:
    def listed(key: str) -> list[str]:
        return [job["id"] for job in shared.get("/jobs", headers=bearer(key)).json()["jobs"]]

    assert listed(READ_ALL) == [secret_job]
    assert shared.get(f"/jobs/{secret_job}", headers=bearer(READ_ALL)).json()["collection"] == SECRET
    assert listed(WRITE_MUGS) == []
    own = shared.post("/collections/mugs/jobs", data={"kind": "evaluate"}, headers=bearer(WRITE_MUGS)).json()["id"]
    for key in (WRITE_MUGS, WRITE_SHOPS):  # not a page of what was left out, and no cursor that counts the others
        page = shared.get("/jobs?limit=1", headers=bearer(key)).json()
        assert ([job["id"] for job in page["jobs"]], page["next_cursor"]) == ([own], None)
    first = shared.get("/jobs?limit=1", headers=bearer(READ_ALL)).json()
    assert first["next_cursor"] == own
    second = shared.get(f"/jobs?limit=1&cursor={own}", headers=bearer(READ_ALL)).json()
    assert ([job["id"] for job in second["jobs"]], second["next_cursor"]) == ([secret_job], None)
    for cursor in (secret_job, "0" * 16, "7"):
        refused = shared.get(f"/jobs?cursor={cursor}", headers=bearer(WRITE_MUGS))
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cursor")
    for method in ("GET", "DELETE"):
        missing = shared.request(method, f"/jobs/{secret_job}", headers=bearer(WRITE_MUGS))
        unknown = shared.request(method, f"/jobs/{'0' * 16}", headers=bearer(WRITE_MUGS))
        assert (missing.status_code, missing.json()["detail"]) == (404, unknown.json()["detail"])


def test_every_other_path_tells_nothing_of_collections_that_are_not_the_keys(shared: Service, secret_job: str) -> None:
    for method, path in endpoints(shared):
        if "{name}" in path:
            continue
        headers = bearer(READ_MUGS)
        if path in OPEN:
            answer = shared.request(method, path, headers=headers)
            assert answer.status_code == 200, path
        elif path in OF_NO_COLLECTION:
            statuses, options = OF_NO_COLLECTION[path]
            url = path.replace("{job_id}", secret_job).replace("{upload_id}", "0" * 32)
            answer = shared.request(method, url, headers=headers, **options)
            assert answer.status_code in statuses, path
            assert secret_job not in answer.text.replace(url, ""), path
        else:
            options = WITH_COLLECTION[path]  # a new path has to be put into one of the tables
            answer = shared.request(method, path, headers=headers, **options)
            assert answer.status_code == 200, path
            assert answer.json().get("collection", "mugs") == "mugs", "the only one that the key is for"
            fields = options.get("data", {}) | {"collection": SECRET}
            refused = shared.request(method, path, headers=headers, **options | {"data": fields})
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), path
        assert SECRET not in answer.text, path
        assert SECRET not in str(answer.headers), path


def test_what_another_client_has_just_been_told_is_not_told_from_the_cache(shared: Service) -> None:
    for _ in range(2):
        similar = shared.get(item_path("000.jpg", "similar", SECRET), headers=bearer(READ_ALL))
        assert similar.status_code == 200
        search = shared.post("/search", data={"key": "000.jpg", "collection": SECRET}, headers=bearer(READ_ALL))
        assert search.status_code == 200
    assert shared.get(item_path("000.jpg", "similar", SECRET), headers=bearer(READ_MUGS)).status_code == 403
    refused = shared.post("/search", data={"key": "000.jpg", "collection": SECRET}, headers=bearer(READ_MUGS))
    assert refused.status_code == 403


def test_a_key_sees_its_collections_alone_and_one_for_all_sees_all(shared: Service) -> None:
    def names(key: str) -> list[str]:
        rows = shared.get("/collections", headers=bearer(key)).json()["collections"]
        health = shared.get("/health", headers=bearer(key)).json()["collections"]
        assert sorted(health) == [row["name"] for row in rows]
        return list(health)

    assert names(READ_MUGS) == ["mugs"]
    assert names(WRITE_SHOPS) == ["mugs", "shop-a"]
    assert names(READ_ALL) == ["mugs", "shop-a", SECRET]
    assert shared.get("/health").json()["collections"] == {}
    assert f'collection="{SECRET}"' in shared.get("/metrics", headers=bearer(READ_ALL)).text


def test_hints_name_no_collection_of_others(shared: Service) -> None:
    several = shared.post("/search", data={"key": "000.jpg"}, headers=bearer(WRITE_SHOPS))
    assert (several.status_code, several.json()["code"]) == (422, "field-invalid")
    assert several.json()["detail"] == "name a collection; there are: mugs, shop-a"
    missing = shared.get("/collections/shop-none", headers=bearer(WRITE_SHOPS))
    assert (missing.status_code, missing.json()["code"]) == (404, "collection-not-found")
    assert missing.json()["detail"].endswith("the collections are mugs, shop-a")


def test_the_refusal_says_what_the_key_is_for(shared: Service) -> None:
    refused = shared.get(f"/collections/{SECRET}", headers=bearer(WRITE_SHOPS))
    assert refused.json()["detail"] == f"this API key is for mugs, shop-*, not for the collection '{SECRET}'"
    refused = shared.get("/metrics", headers=bearer(READ_MUGS))
    assert refused.json()["detail"] == "this API key is for some collections; this request needs one for all of them"


def test_a_key_makes_changes_and_deletes_collections_that_its_pattern_covers(shared: Service) -> None:
    put = ("PUT", "/collections/shop-new")
    assert shared.request(*put, headers=bearer(WRITE_MUGS)).status_code == 403
    assert shared.request(*put, headers=bearer(READ_MUGS)).status_code == 403
    assert shared.request(*put, headers=bearer(WRITE_SHOPS)).status_code == 201
    item = item_path("a", collection="shop-new")
    assert shared.request("PUT", item, files={"image": PICTURE}, headers=bearer(WRITE_MUGS)).status_code == 403
    assert shared.request("PUT", item, files={"image": PICTURE}, headers=bearer(WRITE_SHOPS)).status_code == 201
    delete = ("DELETE", "/collections/shop-new?confirm=shop-new")
    assert shared.request(*delete, headers=bearer(WRITE_MUGS)).status_code == 403
    assert shared.get("/collections/shop-new", headers=bearer(WRITE_ALL)).json()["count"] == 1
    assert shared.request(*delete, headers=bearer(WRITE_SHOPS)).status_code == 200
    assert shared.get("/collections/shop-new", headers=bearer(WRITE_ALL)).status_code == 404


def test_a_read_key_of_a_collection_changes_nothing_in_it(shared: Service) -> None:
    refused = shared.request("DELETE", item_path("000.jpg", collection="mugs"), headers=bearer(READ_MUGS))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert shared.get(item_path("000.jpg", collection="mugs"), headers=bearer(READ_MUGS)).status_code == 200


def test_other_collections_stay_open_whoever_asked_for_a_poll(shared: Service) -> None:
    """Work in the background is not bound to the key of the request that began it."""
    assert shared.request("PUT", "/collections/shop-b", headers=bearer(WRITE_SHOPS)).status_code == 201
    gone = shared.request("DELETE", "/collections/shop-b?confirm=shop-b", headers=bearer(WRITE_SHOPS))
    assert gone.status_code == 200
    assert [state.name for state in shared.services.snapshots.states()] == ["mugs", "shop-a", SECRET]
