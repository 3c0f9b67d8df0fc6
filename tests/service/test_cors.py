"""Pages of other sites that are named may use the service from a browser, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lookalike.images import encode_png
from lookalike.options import ImageLimits
from lookalike.testing import make_picture
from service.settings import ApiKeys, SettingsError, read_origins
from tests.service.conftest import Shop
from tests.service.harness import Service, item_path, serving

SHOP, LOCAL, EVIL = "https://shop.example", "http://localhost:3000", "https://evil.example"
KEY = "a-key-that-is-long-enough"
PICTURE = encode_png(make_picture(1))


@pytest.fixture(scope="module")
def keyed(shop: Shop) -> Iterator[Service]:
    """The shop behind a key, for pages of two other sites; pictures may have 64 KB."""
    options = {"keys": ApiKeys.parse([f"read:{KEY}"]), "limits": ImageLimits(max_bytes=64 * 1024)}
    with serving(shop.data, cors_origins=(SHOP, LOCAL), **options) as running:
        yield running


@pytest.fixture
def open_to_all(tmp_path: Path) -> Iterator[Service]:
    """A service without keys, for pages of another site."""
    with serving(tmp_path, cors_origins=(SHOP,)) as running:
        yield running


def from_page(origin: str, *, key: str | None = KEY) -> dict[str, str]:
    headers = {"origin": origin, "sec-fetch-site": "cross-site"}
    return headers if key is None else headers | {"authorization": f"Bearer {key}"}


def is_readable(response: httpx.Response, origin: str) -> bool:
    """Whether a browser lets a page of that origin read the response."""
    return bool(response.headers.get("access-control-allow-origin") == origin)


@pytest.mark.parametrize("origin", [SHOP, LOCAL])
def test_a_page_of_a_named_site_reads_and_searches(keyed: Service, origin: str) -> None:
    listed = keyed.get("/collections", headers=from_page(origin))
    assert (listed.status_code, is_readable(listed, origin)) == (200, True)
    assert "Origin" in listed.headers["vary"]
    exposed = {name.strip().lower() for name in listed.headers["access-control-expose-headers"].split(",")}
    assert {"etag", "location", "retry-after", "x-request-id", "x-snapshot"} <= exposed
    assert "access-control-allow-credentials" not in listed.headers
    found = keyed.post("/search", files={"image": PICTURE}, headers=from_page(origin))
    assert (found.status_code, is_readable(found, origin)) == (200, True)
    image = keyed.get(item_path("plain-0", "image"), headers=from_page(origin))
    again = keyed.get(
        item_path("plain-0", "image"), headers=from_page(origin) | {"if-none-match": image.headers["etag"]}
    )
    assert (again.status_code, is_readable(again, origin)) == (304, True)


@pytest.mark.parametrize(
    "origin", [EVIL, "null", SHOP + ".evil.example", SHOP + ":8443", "http://shop.example", SHOP + "/"]
)
def test_a_page_of_any_other_site_reads_nothing_and_sends_nothing(keyed: Service, origin: str) -> None:
    listed = keyed.get("/collections", headers=from_page(origin))
    assert "access-control-allow-origin" not in listed.headers
    assert "Origin" in listed.headers["vary"], "a cache has to tell the answers apart"
    sent = keyed.post("/search", files={"image": PICTURE}, headers=from_page(origin))
    assert (sent.status_code, sent.json()["code"]) == (403, "forbidden")
    assert "access-control-allow-origin" not in sent.headers


def test_problems_can_be_read_by_the_page_too(keyed: Service) -> None:
    too_large = {"content-type": "image/png", "content-length": str(10**6)}
    problems = {
        401: keyed.get("/collections", headers=from_page(SHOP, key=None)),
        403: keyed.post("/collections/shop/refresh", headers=from_page(SHOP)),
        404: keyed.get("/nowhere", headers=from_page(SHOP)),
        405: keyed.request("DELETE", "/health", headers=from_page(SHOP)),
        413: keyed.post("/search", content=b"x", headers=from_page(SHOP) | too_large),
        415: keyed.post("/search", content=b"x", headers=from_page(SHOP) | {"content-type": "text/plain"}),
        422: keyed.post("/search", json={"k": 0}, headers=from_page(SHOP)),
    }
    too_many = keyed.get("/collections?" + "a&" * 64, headers=from_page(SHOP))
    for status, response in [*problems.items(), (422, too_many)]:
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert is_readable(response, SHOP), status
        assert "x-request-id" in response.headers


def test_a_failure_of_the_program_can_be_read_by_the_page_too(keyed: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str | None) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(keyed.services.snapshots, "lease", fail)
    failed = keyed.get("/collections/shop", headers=from_page(SHOP))
    assert (failed.status_code, failed.json()["code"], is_readable(failed, SHOP)) == (500, "internal", True)


def ask(service: Service, origin: str, method: str, headers: str = "") -> httpx.Response:
    """What a browser sends before a request that is not simple; it has no key in it."""
    asked = {"origin": origin, "access-control-request-method": method}
    return service.request(
        "OPTIONS", "/search", headers=asked | ({"access-control-request-headers": headers} if headers else {})
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_preflights_are_answered_without_a_key(keyed: Service, method: str) -> None:
    headers = "authorization, content-type, if-match, idempotency-key, x-request-id"
    answer = ask(keyed, SHOP, method, headers)
    assert (answer.status_code, is_readable(answer, SHOP)) == (200, True)
    assert method in answer.headers["access-control-allow-methods"]
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {name.strip() for name in headers.split(",")} <= allowed


def test_preflights_of_other_sites_methods_and_headers_are_refused(keyed: Service) -> None:
    for refused in (ask(keyed, EVIL, "POST"), ask(keyed, SHOP, "TRACE"), ask(keyed, SHOP, "POST", "cookie")):
        assert refused.status_code == 400
    assert "access-control-allow-origin" not in ask(keyed, EVIL, "POST").headers


def test_without_keys_a_page_of_a_named_site_makes_changes_and_others_make_none(open_to_all: Service) -> None:
    def put(origin: str, site: str) -> httpx.Response:
        headers = {"origin": origin, "sec-fetch-site": site}
        return open_to_all.request("PUT", "/collections/mugs", headers=headers)

    for site in ("cross-site", "same-site"):
        refused = put(EVIL, site)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    made = put(SHOP, "cross-site")
    assert (made.status_code, is_readable(made, SHOP)) == (201, True)


def test_without_named_sites_nothing_is_said_of_origins(service: Service) -> None:
    answer = service.get("/collections", headers=from_page(SHOP, key=None))
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert ask(service, SHOP, "POST").status_code == 405


def test_origins_are_read_as_browsers_write_them() -> None:
    words = (
        " https://Shop.example, http://localhost:3000,https://shop.example:443,http://a.example:80 ,https://[::1]:8443,"
    )
    assert read_origins(words) == (
        "https://shop.example",
        "http://localhost:3000",
        "http://a.example",
        "https://[::1]:8443",
    )
    assert read_origins(None) == read_origins(" , ") == ()


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("*", "name each site"),
        ("https://*.shop.example", "name each site"),
        ("null", "write https://shop.example"),
        ("shop.example", "write https://shop.example"),
        ("https://shop.example/", "without a path"),
        ("https://shop.example/page", "without a path"),
        ("https://shop.example?x", "without a path"),
        ("https://user@shop.example", "without a path"),
        ("ftp://shop.example", "write https://shop.example"),
        ("https://", "write https://shop.example"),
        ("https://shöp.example", "xn--"),
        ("https://shop.example:port", "is no origin"),
        ("https://[::1", "is no origin"),
    ],
)
def test_what_is_no_origin_does_not_start(word: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        read_origins(f"https://good.example,{word}")
