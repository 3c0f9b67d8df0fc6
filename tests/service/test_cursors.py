"""Cursors that no page of the service had: each kind of list refuses them as it does any other wrong field."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from typer.testing import CliRunner

from indexer.cli import app
from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.harness import Service, index, serving

QUERY = encode_png(make_picture(900))
ASK: dict[str, Callable[[Service, dict[str, str]], httpx.Response]] = {
    "items": lambda service, cursor: service.get("/collections/shop/items", params={"limit": "1"} | cursor),
    "items in an order": lambda service, cursor: service.get(
        "/collections/shop/items", params={"limit": "1", "order_by": "title"} | cursor
    ),
    "duplicates": lambda service, cursor: service.get("/collections/shop/duplicates", params={"limit": "1"} | cursor),
    "search": lambda service, cursor: service.search(QUERY, collection="shop", k=1, **cursor),
    "search in several": lambda service, cursor: service.search(
        QUERY, collections="shop,stall", rank_by="score", k=1, **cursor
    ),
}
kinds = pytest.mark.parametrize("kind", ASK)
LONG_TITLE = "𝒯" * 300


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """``shop`` has two pairs of duplicates, and titles of many bytes."""
    root = tmp_path_factory.mktemp("cursors")
    rows = []
    for number in range(4):
        (root / f"{number}.png").write_bytes(encode_png(make_picture(number % 2)))
        rows.append({"path": f"{number}.png", "key": f"ä{number}", "title": f"{LONG_TITLE}{number}"})
    (root / "shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("shop", "stall"):
        index(root / "data", name, root / "shop.jsonl")
    found = CliRunner().invoke(app, ["duplicates", "-c", "shop", "--data", str(root / "data"), "--json"])
    assert found.exit_code == 0, found.output
    with serving(root / "data") as running:
        yield running


def encode(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def next_cursor(service: Service, kind: str) -> str:
    page = ASK[kind](service, {})
    assert page.status_code == 200, page.text
    cursor = page.json()["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


def check_refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    assert [problem["field"] for problem in answer.json()["errors"]] == ["cursor"]


@kinds
def test_a_cursor_of_the_service_goes_on(service: Service, kind: str) -> None:
    answer = ASK[kind](service, {"cursor": next_cursor(service, kind)})
    assert answer.status_code == 200, answer.text


@kinds
@pytest.mark.parametrize(
    "cursor",
    [
        *("A", "AAAA=A", "äöü", "𝒯", "AA AA", "\0", "%%%", "-", "null"),
        *map(encode, ["null", "[]", "{}", '{"a":1}', "Infinity", "NaN", '"text"', "[1,2", "[1e999]"]),
        encode(b"\xff\xfe"),
        encode("[" * 100),
        encode("[" * 5000),
        "A" * 50_000,
    ],
    ids=lambda cursor: repr(cursor[:20]),
)
def test_what_is_no_cursor_is_refused(service: Service, kind: str, cursor: str) -> None:
    check_refused(ASK[kind](service, {"cursor": cursor}))


def test_a_cursor_of_a_megabyte_is_refused_with_its_form(service: Service) -> None:
    answer = ASK["search"](service, {"cursor": "A" * 1_000_000})
    assert (answer.status_code, answer.json()["code"]) == (400, "form-invalid")


@kinds
@pytest.mark.parametrize(
    "value", ["Infinity", "-Infinity", "NaN", "1e999", "true", "null", "1.0", "[1]", '{"a":1}', '"\\ud800"', "[" * 60]
)
def test_each_value_of_a_cursor_has_its_type(service: Service, kind: str, value: str) -> None:
    cursor = next_cursor(service, kind)
    values = [json.dumps(part) for part in json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))]
    assert len(values) > 2
    for place in range(len(values)):
        hostile = f"[{','.join([*values[:place], value, *values[place + 1 :]])}]"
        check_refused(ASK[kind](service, {"cursor": encode(hostile)}))
    for count in (values[:-1], [*values, "1"]):
        check_refused(ASK[kind](service, {"cursor": encode(f"[{','.join(count)}]")}))


@pytest.mark.parametrize("kind", ["items", "items in an order", "duplicates"])
def test_a_cursor_is_for_its_own_kind_of_list(service: Service, kind: str) -> None:
    for other in ASK:
        if other != kind:
            check_refused(ASK[kind](service, {"cursor": next_cursor(service, other)}))
