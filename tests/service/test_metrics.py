"""What Prometheus is told: what happened, under few names, and nothing of what was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.harness import Service, body, item_path, leave, part

PICTURE = encode_png(make_picture(1))
Lines = Callable[[], list[dict[str, Any]]]


def measured(service: Service, name: str, **labels: str) -> float:
    """The value of one series, 0 if there is none yet."""
    for family in text_string_to_metric_families(service.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0


def change(service: Service, act: Callable[[], object], name: str, **labels: str) -> float:
    """By how much an act changes a series."""
    before = measured(service, name, **labels)
    act()
    return measured(service, name, **labels) - before


def test_a_search_is_counted_and_timed_in_all_its_stages(service: Service) -> None:
    def search() -> None:
        assert service.search(PICTURE).status_code == 200

    requests = {"route": "/search", "method": "POST", "status": "200"}
    assert change(service, search, "lookalike_requests_total", **requests) == 1
    assert change(service, search, "lookalike_request_seconds_count", route="/search") == 1
    assert change(service, search, "lookalike_batch_size_count") == 1
    assert change(service, search, "lookalike_batch_size_sum") == 1
    for stage in ("decode", "encode", "search", "catalogue"):
        assert change(service, search, "lookalike_stage_seconds_count", stage=stage) == 1
        assert measured(service, "lookalike_stage_seconds_sum", stage=stage) > 0


def test_every_picture_of_a_batch_counts_in_the_stages(service: Service) -> None:
    def batch() -> None:
        assert service.post("/search/batch", files=[("image", PICTURE)] * 3).status_code == 200

    assert change(service, batch, "lookalike_stage_seconds_count", stage="search") == 3
    assert change(service, batch, "lookalike_batch_size_sum") == 3


def test_refusals_are_counted_by_code(service: Service) -> None:
    def refused() -> None:
        assert service.search(b"no picture").status_code == 415

    assert change(service, refused, "lookalike_refused_total", code="unsupported-format") == 1
    assert change(service, refused, "lookalike_requests_total", route="/search", method="POST", status="415") == 1


def test_what_is_served_can_be_watched(service: Service) -> None:
    assert measured(service, "lookalike_snapshot", collection="shop") == 1
    assert measured(service, "lookalike_items", collection="shop") == 13
    assert measured(service, "lookalike_searchable_by_picture", collection="shop") == 1
    assert measured(service, "lookalike_operator_available") == 1
    assert measured(service, "lookalike_capacity") == 64
    assert measured(service, "lookalike_in_flight") == 0
    assert measured(service, "process_resident_memory_bytes") > 0
    with service.services.admission.permit(3):
        assert measured(service, "lookalike_in_flight") == 3
    assert service.get("/metrics").headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_no_request_can_make_series_of_its_own(service: Service) -> None:
    service.get("/my-very-own-path")
    service.request("MYVERB", "/search")
    service.get(item_path("my-own-key"))
    service.post("/search", data={"my-own-field": "1"})
    service.get("/collections/my-own-collection")
    text = service.get("/metrics").text.lower()
    assert "my-" not in text
    assert "myverb" not in text
    assert measured(service, "lookalike_requests_total", route="unmatched", method="GET", status="404") >= 1
    assert measured(service, "lookalike_requests_total", route="/search", method="OTHER", status="405") >= 1


@pytest.mark.parametrize("in_the_middle", [True, False])
def test_a_client_that_leaves_is_counted_and_nobody_works_for_it_any_more(
    service: Service, log_lines: Lines, monkeypatch: pytest.MonkeyPatch, in_the_middle: bool
) -> None:
    stopped: list[str] = []

    async def for_ever(*arguments: Any, **options: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append("cancelled")
            raise

    def go() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(service.services.decoder_pool, "prepare", for_ever)
            content = body(part("image", PICTURE, "a.png"))
            sent = service.call(lambda: leave(service, content, in_the_middle=in_the_middle))
        assert sent == []

    assert change(service, go, "lookalike_abandoned_total") == 1
    assert stopped == ([] if in_the_middle else ["cancelled"])
    assert service.services.admission.in_flight == 0
    (line,) = [line for line in log_lines() if line.get("route") == "/search"]
    assert (line["level"], line["status"]) == ("info", 499)
