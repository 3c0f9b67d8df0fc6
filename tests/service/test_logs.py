"""What the log tells: one line a request that can be found again, and nothing of what was asked."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest

from lookalike.images import encode_png
from lookalike.testing import make_picture
from service.telemetry.logs import TextFormatter
from tests.service.conftest import Shop
from tests.service.harness import Service, item_path

Lines = Callable[[], list[dict[str, Any]]]
PICTURE = encode_png(make_picture(1))
ID = {"X-Request-ID": "find-me.42"}


def requests(lines: Lines) -> list[dict[str, Any]]:
    return [line for line in lines() if line["event"] == "request"]


def test_a_request_leaves_one_line_that_says_how_it_went(service: Service, log_lines: Lines) -> None:
    service.post("/search", files={"image": PICTURE}, headers=ID)
    (line,) = log_lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line.pop("ms") > 0
    assert len(PICTURE) < line.pop("bytes_in") < len(PICTURE) + 300
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "find-me.42",
        "method": "POST",
        "route": "/search",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("path", "route", "status", "code"),
    [
        (item_path("plain-0", "image"), "/collections/{name}/items/{key:path}/image", 200, None),
        (item_path("no-such", "image"), "/collections/{name}/items/{key:path}/image", 404, "item-not-found"),
        ("/nowhere/at-all", "unmatched", 404, "not-found"),
        ("/collections/shop/items?limit=0", "/collections/{name}/items", 422, "field-invalid"),
    ],
)
def test_a_line_names_the_route_and_never_the_path(
    service: Service, log_lines: Lines, path: str, route: str, status: int, code: str | None
) -> None:
    answer = service.get(path)
    (line,) = log_lines()
    assert (line["route"], line["status"], line.get("code")) == (route, status, code)
    assert line["request_id"] == answer.headers["x-request-id"]


def test_head_and_strange_methods_are_told_apart(service: Service, log_lines: Lines) -> None:
    service.request("HEAD", "/version")
    service.request("BREW", "/version")
    assert [(line["method"], line["status"]) for line in log_lines()] == [("HEAD", 200), ("OTHER", 405)]


SECRETS = ["red one", "red%20one", "my-holiday", "secret-key-of-mine", "no-such-item", "p-1", "images/0", "plain-0"]


def test_no_line_tells_what_was_asked_or_by_whom(
    service: Service, log_lines: Lines, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    key = {"Authorization": "Bearer secret-key-of-mine"}
    cut = PICTURE[: len(PICTURE) // 2]
    service.post("/search", files={"image": ("my-holiday.png", PICTURE)}, headers=key)
    service.post("/search", files={"image": ("my-holiday.png", cut)}, headers=key)
    service.post("/search/batch", files=[("image", ("my-holiday.png", cut)), ("image", PICTURE)], headers=key)
    service.post("/search", data={"key": "no-such-item"}, headers=key)
    service.post("/search", data={"key": "plain-0", "secret-key-of-mine": "1"}, headers=key)
    service.post("/compare", data={"image_a": "plain-0", "image_b": "no-such-item"}, headers=key)
    for part in ("", "image", "thumbnail", "similar"):
        service.get(item_path("shoes/red one.jpg", part), headers=key)
        service.get(item_path("no-such-item", part), headers=key)

    def planted(*arguments: Any, **_options: Any) -> NoReturn:
        raise RuntimeError(f"{shop.files['plain-0']} {arguments} my-holiday no-such-item plain-0")

    with monkeypatch.context() as patch:
        patch.setattr(service.services.decoder_pool, "prepare", planted)
        failed = service.post("/search", files={"image": ("my-holiday.png", PICTURE)}, headers=key)
    assert failed.status_code == 500
    lines = log_lines()
    assert len(requests(log_lines)) == 15
    written = json.dumps(lines, ensure_ascii=False)
    for secret in [*SECRETS, str(shop.source)]:
        assert secret not in written


def test_a_mistake_of_ours_leaves_where_it_happened_under_the_requests_id(
    service: Service, log_lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted() -> NoReturn:
        raise ZeroDivisionError("of no use to a reader")

    with monkeypatch.context() as patch:
        patch.setattr(service.services.encoders, "encoder_rows", planted)
        answer = service.get("/encoders", headers=ID)
    assert (answer.status_code, answer.json()["code"], answer.json()["request_id"]) == (500, "internal", "find-me.42")
    mistake, request = log_lines()
    assert (mistake["level"], mistake["event"], mistake["exception"]) == ("error", "failed", "ZeroDivisionError")
    assert mistake["request_id"] == request["request_id"] == "find-me.42"
    assert mistake["where"][-1].endswith(" planted")
    assert re.fullmatch(r"\S+/test_logs\.py:\d+ planted", mistake["where"][-1])
    assert "of no use" not in json.dumps(mistake)
    assert (request["status"], request["code"]) == (500, "internal")


@pytest.mark.parametrize("nan", [True, False])
def test_an_encoder_that_fails_is_found_under_the_requests_id(
    service: Service, log_lines: Lines, monkeypatch: pytest.MonkeyPatch, nan: bool
) -> None:
    def failing(batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if not nan:
            raise RuntimeError("no words of the network's")
        return np.full((len(batch), 512), np.nan, np.float32)

    encoder = service.services.encoder
    with monkeypatch.context() as patch:
        patch.setattr(encoder, "forward", failing)
        answer = service.post("/search", files={"image": PICTURE}, headers=ID)
    assert (answer.status_code, answer.json()["code"]) == (500, "encoding-failed")
    failure, request = log_lines()
    assert (failure["event"], failure["request_id"]) == ("encoding failed", "find-me.42")
    assert failure["exception"] == ("EncodingError" if nan else "RuntimeError")
    assert failure["where"]
    assert request["code"] == "encoding-failed"


def test_what_an_answer_sends_to_the_log_for_is_there(
    service: Service, log_lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = service.settings.places.encoders_dir / "resnet18"
    folder.mkdir(parents=True)
    (folder / "encoder.json").write_text("torn in two")
    answer = service.post("/compare", files={"image_a": PICTURE, "image_b": PICTURE}, data={"encoder": "resnet18"})
    (folder / "encoder.json").unlink()
    folder.rmdir()
    assert answer.json()["code"] == "weights-invalid"
    assert "finds details in its log" in answer.json()["detail"]
    refused, request = log_lines()
    assert refused["why"].startswith(f"the record {folder}/encoder.json cannot be read")
    assert refused["request_id"] == request["request_id"] == answer.headers["x-request-id"]


def test_text_for_a_terminal_is_one_line_too() -> None:
    try:
        raise ValueError("not for the log")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "it %s", ("broke",), sys.exc_info())
    record.code = "odd"
    line = TextFormatter().format(record)
    assert re.match(r"\d\d:\d\d:\d\d error   it broke code=odd exception=ValueError where=", line)
    assert "\n" not in line
    assert "not for the log" not in line


def test_what_the_event_loop_itself_has_to_say_is_logged_as_well(service: Service, log_lines: Lines) -> None:
    async def complain() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "a task was lost"})

    service.call(complain)
    (line,) = log_lines()
    assert (line["level"], line["event"]) == ("error", "a task was lost")
    assert "exception" not in line
