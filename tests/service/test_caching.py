"""Who has an answer already need not fetch it again, and is never given an old one for a new one."""

from __future__ import annotations

import pytest

from lookalike.images import decode
from tests.service.harness import Service, item_path

CACHED = [
    "/collections",
    "/collections/shop",
    "/collections/shop/items?limit=3",
    item_path("日本/靴 👟.png"),
    item_path("日本/靴 👟.png", "image"),
    item_path("日本/靴 👟.png", "thumbnail"),
    "/encoders",
    "/version",
    "/",
    "/static/reference.js",
    "/favicon.ico",
    "/widget.js",
]


@pytest.mark.parametrize("path", CACHED)
def test_who_has_an_answer_already_is_told_that_it_has_not_changed(service: Service, path: str) -> None:
    first = service.get(path)
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = service.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        for name in ("content-security-policy", "cross-origin-resource-policy"):
            assert again.headers[name] == first.headers[name]
    changed = service.get(path, headers={"If-None-Match": '"other"'})
    assert (changed.status_code, changed.content) == (200, first.content)


@pytest.mark.parametrize("path", CACHED)
def test_head_has_the_headers_of_get_and_no_body(service: Service, path: str) -> None:
    head, get = service.request("HEAD", path), service.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "cache-control"):
        assert head.headers.get(name) == get.headers.get(name)


def test_the_thumbnails_of_two_sizes_are_not_taken_for_each_other(service: Service) -> None:
    small, large = (service.get(item_path("plain-1", "thumbnail"), params={"size": size}) for size in (64, 96))
    assert small.headers["etag"] != large.headers["etag"]
    assert decode(small.content).width == 64
    assert decode(large.content).width == 96


@pytest.mark.parametrize("what", ["image", "thumbnail"])
def test_a_picture_that_was_replaced_is_asked_for_at_its_next_showing(service: Service, what: str) -> None:
    answer = service.get(item_path("plain-1", what))
    assert answer.headers["cache-control"] == "private, no-cache", "its address stays when its file is replaced"
    again = service.get(item_path("plain-1", what), headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "private, no-cache")
