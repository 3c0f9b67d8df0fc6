"""Clients of all kinds over real HTTP: JSON, pictures as bodies, other sites, keys for some collections, proxies."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import USERS_RUNTIME, ShareExports
from tests.helpers.databases import new_postgres_database
from tests.helpers.stripping_proxy import stripping_proxy
from tools.docs.api_examples import environment_of, served

ROOT, SITE = "/shop/images", "https://shop.example"
WRITE_MUGS, WRITE_SHOPS = "writes-mugs-and-no-more", "writes-all-of-the-shops"
PICTURES = [encode_jpeg(make_picture(number), 90) for number in range(3)]
HARD_KEY = "mugs%2Fstriped%20one.jpg"


@dataclass(frozen=True)
class Way:
    """One way to the service: the address below which it is, as a client of one key sees it."""

    address: str

    def request(self, method: str, path: str, key: str = WRITE_MUGS, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}", **options.pop("headers", {})}
        return httpx.request(method, self.address + path, headers=headers, timeout=60, **options)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def direct(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, share_exports: ShareExports
) -> Iterator[str]:
    """The address of a service below a path, without its path."""
    folder = tmp_path_factory.mktemp("clients")
    share_exports(folder / "encoders")
    settings = {} if request.param == "sqlite" else {"LOOKALIKE_DATABASE_URL": new_database(request)}
    settings |= {
        "LOOKALIKE_RUNTIME": USERS_RUNTIME,
        "LOOKALIKE_ROOT_PATH": ROOT,
        "LOOKALIKE_CORS_ORIGINS": SITE,
        "LOOKALIKE_API_KEYS": f"write@mugs:{WRITE_MUGS},write@mugs+shop-*:{WRITE_SHOPS}",
    }
    with served(folder, environment_of(folder) | settings) as address:
        yield address


def new_database(request: pytest.FixtureRequest) -> str:
    return new_postgres_database(request.getfixturevalue("postgres"))


@pytest.fixture(scope="module", params=["path taken off", "path as it came"])
def way(direct: str, request: pytest.FixtureRequest) -> Iterator[Way]:
    """Through a proxy that takes the path off, and through one that does not."""
    if request.param == "path as it came":
        yield Way(direct + ROOT)
        return
    with stripping_proxy(direct, ROOT) as address:
        yield Way(address)


def test_every_kind_of_body_fills_and_searches_a_collection(way: Way) -> None:
    assert way.request("PUT", "/collections/mugs", json={"encoder": "bundled"}).status_code in {200, 201}
    jpeg = {"content-type": "image/jpeg"}
    put = way.request("PUT", f"/collections/mugs/items/{HARD_KEY}?title=Striped", content=PICTURES[0], headers=jpeg)
    assert put.status_code in {200, 201}, put.text
    encoded = base64.b64encode(PICTURES[1]).decode()
    metadata = {"category": "mug", "price": 12.5}
    put = way.request("PUT", "/collections/mugs/items/b", json={"image": encoded, "metadata": metadata})
    assert put.status_code in {200, 201}, put.text
    by_body = way.request("POST", "/search?k=1", content=PICTURES[0], headers=jpeg)
    by_json = way.request("POST", "/search", json={"image": base64.b64encode(PICTURES[0]).decode(), "k": 1})
    by_form = way.request("POST", "/search", data={"k": "1"}, files={"image": PICTURES[0]})
    results = [response.json()["results"] for response in (by_body, by_json, by_form)]
    assert results[0] == results[1] == results[2]
    (hit,) = results[0]
    assert hit["key"] == "mugs/striped one.jpg"
    image = hit["image_url"]
    assert image == f"{ROOT}/collections/mugs/items/{HARD_KEY}/image"
    site = urlsplit(way.address)
    shown = httpx.get(f"{site.scheme}://{site.netloc}{image}", headers={"authorization": f"Bearer {WRITE_MUGS}"})
    assert shown.content == PICTURES[0]
    filtered = way.request("POST", "/search?filter[category]=mug", content=PICTURES[0], headers=jpeg)
    assert [hit["key"] for hit in filtered.json()["results"]] == ["b"]


def test_a_body_of_json_in_many_packets_is_read_as_it_comes(way: Way) -> None:
    way.request("PUT", "/collections/mugs")
    padded = PICTURES[2] + bytes(3_000_000)
    body = json.dumps({"image": base64.b64encode(padded).decode(), "k": 1}).replace("/", "\\/").encode()
    response = way.request("POST", "/search", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200, response.text


def test_a_page_of_a_named_site_may_use_it_and_keys_keep_to_their_collections(way: Way) -> None:
    preflight_headers = {
        "origin": SITE,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization",
    }
    preflight = httpx.options(f"{way.address}/collections/shop-a", headers=preflight_headers)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, SITE)
    page = {"origin": SITE, "sec-fetch-site": "cross-site"}
    refused = way.request("PUT", "/collections/shop-a", headers=page)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.headers["access-control-allow-origin"] == SITE
    assert refused.json()["instance"] == f"{ROOT}/collections/shop-a"
    created = way.request("PUT", "/collections/shop-a", key=WRITE_SHOPS, headers=page)
    assert created.status_code in {200, 201}
    listed = way.request("GET", "/collections")
    assert "shop-a" not in listed.text
    evil = way.request("GET", "/collections", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in evil.headers


def test_the_page_is_below_the_path(way: Way) -> None:
    page = httpx.get(f"{way.address}/")
    assert 'src="static/js/main.js"' in page.text
    script = httpx.get(f"{way.address}/static/js/main.js")
    assert script.headers["content-type"].startswith("text/javascript")


def test_without_a_slash_browsers_are_led_to_the_page(direct: str) -> None:
    answer = httpx.get(direct + ROOT)
    assert (answer.status_code, answer.headers["location"]) == (308, f"{ROOT}/")
