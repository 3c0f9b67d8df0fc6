"""Who may ask what, where the service has keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.settings import ApiKeys
from tests.service.conftest import Shop
from tests.service.harness import MULTIPART, Service, Trickle, item_path, serving

READ, WRITE = "reading-is-all-i-may-do", "writing-and-reading-is-mine"
OPEN = {"/health", "/ready", "/version"}
PICTURE = encode_png(make_picture(1))


@pytest.fixture(scope="module")
def locked(shop: Shop) -> Iterator[Service]:
    """The shop behind two keys."""
    with serving(shop.data, keys=ApiKeys.parse([f"read:{READ}", f"write:{WRITE}"])) as running:
        yield running


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def operations(service: Service) -> list[tuple[str, str]]:
    """Every method and path of the API, with an item that exists in the place of names."""
    return [
        (method.upper(), path.replace("{name}", "shop").replace("{key}", "plain-0"))
        for path, operations in service.app.openapi()["paths"].items()
        for method in operations
    ]


def test_nothing_of_the_api_is_told_to_who_has_no_key(locked: Service) -> None:
    asked = operations(locked)
    assert len(asked) > 15
    for method, path in asked:
        refused = locked.request(method, path)
        if path in OPEN:
            assert refused.status_code == 200, path
        else:
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized"), path
            assert refused.headers["www-authenticate"] == "Bearer"
            assert "etag" not in refused.headers


def test_the_page_and_its_files_need_no_key(locked: Service) -> None:
    for path in ("/", "/static/reference.js", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/favicon.ico"):
        assert locked.get(path).status_code == 200, path


@pytest.mark.parametrize("key", [READ, WRITE])
def test_a_key_opens_what_is_read(locked: Service, key: str) -> None:
    assert locked.get(item_path("plain-0", "image"), headers=bearer(key)).status_code == 200
    assert locked.get("/metrics", headers=bearer(key)).status_code == 200
    response = locked.post("/search", files={"image": PICTURE}, headers=bearer(key))
    assert response.status_code == 200
    assert locked.get("/collections", headers={"authorization": f"bearer {key}"}).status_code == 200


def test_only_a_key_to_write_refreshes_a_collection(locked: Service) -> None:
    refused = locked.post("/collections/shop/refresh", headers=bearer(READ))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    allowed = locked.post("/collections/shop/refresh", headers=bearer(WRITE))
    assert (allowed.status_code, allowed.json()["snapshot"]) == (200, 1)


WRONG = ["x", READ[:-1], READ + "x", READ.upper(), "schlüssel-der-keiner-ist", "x" * 5000]


def test_every_wrong_key_gets_the_same_answer(locked: Service) -> None:
    def answer(key: str) -> Any:
        response = locked.get("/collections", headers={"Authorization": f"Bearer {key}".encode()})
        assert response.status_code == 401
        headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
        return response.json() | {"request_id": ""}, headers

    answers = [answer(key) for key in WRONG]
    assert all(answer == answers[0] for answer in answers)
    assert not any(key in str(answers[0]) for key in WRONG[1:])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", READ, f"Basic {READ}", f"Bearer{READ}"])
def test_what_is_no_bearer_key_is_asked_for_one(locked: Service, header: str) -> None:
    refused = locked.get("/collections", headers={"Authorization": header})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert "Authorization: Bearer KEY" in refused.json()["detail"]


def test_a_wrong_key_is_refused_before_the_upload_is_read(locked: Service) -> None:
    pieces = Trickle(*[b"x" * 1000] * 100)
    refused = locked.post("/search", content=pieces, headers=MULTIPART | bearer("wrong"))
    assert refused.status_code == 401
    assert pieces.fetched == 0


def test_keys_are_kept_as_digests_alone(locked: Service) -> None:
    assert READ not in repr(locked.settings)
    assert READ not in str(locked.settings.keys.grants)


def test_without_keys_everyone_may_read_and_refresh(service: Service) -> None:
    assert service.get("/collections").status_code == 200
    assert service.post("/collections/shop/refresh").status_code == 200
    assert service.get("/collections", headers=bearer("unasked-for")).status_code == 200
