"""What a browser could be led to do: a web page elsewhere that reaches in, and a picture that is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import write_pictures
from tests.service.conftest import Shop
from tests.service.harness import Service, index, item_path, serving


@pytest.fixture(scope="module")
def named(shop: Shop) -> Iterator[Service]:
    """The shop under two names."""
    with serving(shop.data, allowed_hosts=("Shop.example.org", "localhost")) as running:
        yield running


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:80", "[::1]:8000", "LOCALHOST"])
def test_this_machine_is_answered_under_its_names(service: Service, host: str) -> None:
    assert service.get("/collections", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:8000", "localhost:8000@evil.example", "x", ":80"]
)
def test_a_web_page_cannot_reach_in_by_a_name_of_its_own(service: Service, host: str) -> None:
    """DNS rebinding: the page's own host name leads to this machine, and its browser sends that name."""
    for path in ("/", "/collections", "/health", "/collections/shop/items/plain-0/image", "/nowhere"):
        refused = service.get(path, headers={"Host": host})
        assert (refused.status_code, refused.json()["code"]) == (400, "host-not-allowed")
        assert "shop" not in refused.json()["detail"]


def test_names_that_were_allowed_are_answered_and_no_others(named: Service) -> None:
    for host, status in (("shop.example.org", 200), ("SHOP.EXAMPLE.ORG:443", 200), ("127.0.0.1", 400)):
        assert named.get("/health", headers={"Host": host}).status_code == status


EVERYTHING = [
    "/",
    "/docs",
    "/static/reference.js",
    "/health",
    "/collections",
    "/nowhere",
    item_path("plain-0", "image"),
]


@pytest.mark.parametrize("path", EVERYTHING)
def test_no_answer_may_be_guessed_at_framed_or_read_by_other_pages(service: Service, path: str) -> None:
    answer = service.get(path, headers={"Origin": "https://evil.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_only_the_page_and_the_reference_may_run_scripts(service: Service) -> None:
    for path in EVERYTHING:
        policy = service.get(path).headers["content-security-policy"]
        assert ("script-src 'self'" in policy) == (path in {"/", "/docs"}), path
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]


def test_an_items_file_that_became_a_page_is_no_page_here(tmp_path: Path) -> None:
    (picture,) = write_pictures(tmp_path / "pictures", 1)
    index(tmp_path / "data", "shop", tmp_path / "pictures")
    page = b"<!doctype html><script>alert(1)</script>"
    picture.write_bytes(page)
    with serving(tmp_path / "data") as service:
        answer = service.get(item_path("000.jpg", "image"))
        assert (answer.content, answer.headers["content-type"]) == (page, "application/octet-stream")
        drawn = service.get(item_path("000.jpg", "thumbnail"))
    assert (drawn.status_code, drawn.json()["code"]) == (415, "unsupported-format")


def test_the_widget_may_be_loaded_by_the_pages_of_other_sites(service: Service) -> None:
    answer = service.get("/widget.js", headers={"Origin": "https://shop.example"})
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert "customElements.define" in answer.text
    assert len(answer.content) < 10_240
