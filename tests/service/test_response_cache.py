"""Responses of searches as JSON, and cached responses of searches by key, which equal new ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from lookalike.images import encode_png
from lookalike.testing import jpeg_bytes, make_picture
from lookalike.tiers import Tier
from service.http import responses
from service.http.responses import ResponseCache
from service.schemas.search_responses import BatchAnswer, SearchAnswer
from tests.e2e.conftest import write_pictures
from tests.service.conftest import Shop
from tests.service.harness import Service, index, item_path, serving, without_times

PICTURE = encode_png(make_picture(1))


def same(kind: Any, content: bytes) -> None:
    """An answer has what the document says of it, all of that, and nothing else."""
    adapter = TypeAdapter(kind)
    understood = adapter.dump_python(adapter.validate_json(content), mode="json", by_alias=True)
    assert understood == json.loads(content)
    assert list(understood) == list(json.loads(content)), "in the same order"


def test_every_answer_is_as_the_document_describes_it(service: Service, shop: Shop) -> None:
    for key in shop.keys:
        same(SearchAnswer, service.get(item_path(key, "similar")).content)
        same(SearchAnswer, service.search(key=key, min_score=0.99, threshold=0.5).content)
    same(SearchAnswer, service.search(PICTURE, k=1000).content)
    same(SearchAnswer, service.search(shop.picture(shop.keys[0]), tiers=True).content)
    files = [("image", ('ä "b".png', PICTURE)), ("image", ("no picture", b"x"))]
    same(BatchAnswer, service.post("/search/batch", files=files).content)


def test_a_question_that_comes_again_is_answered_as_before_without_a_search(service: Service, shop: Shop) -> None:
    for key in shop.keys:
        first, again = (service.get(item_path(key, "similar"), params={"k": 4}).json() for _ in range(2))
        by_form = service.search(key=key, k=4).json()
        assert without_times(again) == without_times(first) == without_times(by_form)
        for cached in (again, by_form):
            assert {name: took for name, took in cached["took_ms"].items() if name != "total"} == dict.fromkeys(
                ("decode", "encode", "search", "catalogue"), 0.0
            )
            assert cached["took_ms"]["total"] > 0


def test_whatever_changes_an_answer_makes_another_question_of_it(service: Service) -> None:
    queries: list[dict[str, Any]] = [{}, {"k": 3}, {"min_score": 0.5}, {"threshold": 0.1}, {"threshold": 1.0}]
    for _ in range(2):
        plain, few, close, low, high = (service.search(key="plain-0", **fields).json() for fields in queries)
        assert (len(plain["results"]), len(few["results"])) == (10, 3)
        assert all(hit["score"] >= 0.5 for hit in close["results"])
        assert all(hit["similar"] for hit in low["results"])
        assert not any(hit["similar"] for hit in high["results"])
        assert (low["threshold"]["value"], high["threshold"]["value"]) == (0.1, 1.0)
        boxed = service.search(key="plain-0", box="0,0,0.5,0.5").json()
        assert boxed["query"]["box"] == [0, 0, 0.5, 0.5]
        assert all(hit["tier"] for hit in service.search(key="plain-0", tiers=True).json()["results"])
    assert service.search(key="plain-9").status_code == 404


def test_a_new_snapshot_answers_for_itself(tmp_path: Path) -> None:
    data, source = tmp_path / "data", tmp_path / "pictures"
    source.mkdir()
    write_pictures(source, 3)
    index(data, "stand", source)
    with serving(data) as service:
        key = service.search(jpeg_bytes(0), k=1).json()["results"][0]["key"]
        for _ in range(2):
            assert len(service.search(key=key).json()["results"]) == 2
        write_pictures(source, 1, start=50)
        index(data, "stand", source)
        service.call(service.services.snapshots.poll_all)
        for _ in range(2):
            response = service.search(key=key)
            assert (response.json()["snapshot"], response.headers["x-snapshot"]) == (2, "2")
            assert len(response.json()["results"]) == 3


def test_no_more_is_kept_than_fits_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "CACHE_BYTES", 100_000)
    cache = ResponseCache()
    for number in range(1000):
        cache.keep(number, b"x" * 1000)
        cache.get(0)
    cached_numbers = [number for number in range(1000) if cache.get(number) is not None]
    assert cached_numbers[0] == 0, "asked for again and again"
    assert cached_numbers[1:] == list(range(1000 - len(cached_numbers) + 1, 1000))
    assert 50_000 < 1000 * len(cached_numbers) < 100_000
    cache.keep("all", b"x" * 200_000)
    assert cache.get("all") is None
    assert cache.get(999) is not None, "one that is too large pushes out no other"


def test_keys_stand_percent_encoded_in_urls_however_often_they_come(service: Service, shop: Shop) -> None:
    for _ in range(2):
        for hit in service.search(PICTURE, k=1000).json()["results"]:
            assert hit["image_url"] == item_path(hit["key"], "image")
            assert hit["thumbnail_url"] == item_path(hit["key"], "thumbnail")
            assert service.get(hit["thumbnail_url"]).status_code == 200


def test_numbers_that_json_lacks_become_null_and_what_has_no_json_is_refused() -> None:
    assert (
        responses.encode_json({"score": float("nan"), "tier": Tier.SAME_BYTES}) == b'{"score":null,"tier":"same-bytes"}'
    )
    with pytest.raises(TypeError, match="no form in JSON"):
        responses.encode_json({"score": object()})
