"""Forms in JSON and pictures as bodies: they are answered as the same form in parts is, and refused as it is."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, current_thread
from typing import Any

import httpx
import pytest

from lookalike.images import encode_png
from lookalike.options import ImageLimits
from lookalike.testing import make_picture
from service.http import base64_text
from service.inference.admission import Admission
from tests.service.conftest import Shop
from tests.service.harness import MULTIPART, Service, Trickle, item_path, serving, without_times

PICTURE, OTHER = encode_png(make_picture(1)), encode_png(make_picture(2))
UNLIKE = encode_png(make_picture(500))
"""A picture that no indexed one is: with two that are, the order of equal scores would be any."""
PNG = {"content-type": "image/png"}
NO_PICTURE = 'must be a picture: text in base64, or {"name": ..., "data": text in base64}'


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def url(data: bytes) -> str:
    return f"data:image/png;base64,{text(data)}"


def good(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    answer = response.json()
    return answer if isinstance(answer, list) else without_times(answer)


def close_to(value: Any) -> Any:
    """What equals a value but for the last digits, in which pictures that are encoded together may differ."""
    if isinstance(value, dict):
        return {name: close_to(member) for name, member in value.items()}
    if isinstance(value, list):
        return [close_to(entry) for entry in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def problem(response: httpx.Response, status: int = 422, code: str = "field-invalid") -> dict[str, Any]:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    details: dict[str, Any] = response.json()
    return details


def field(response: httpx.Response) -> tuple[str, str]:
    """The one field that is wrong, and what is said of it."""
    (error,) = problem(response)["errors"]
    return error["field"], error["message"]


@pytest.mark.parametrize(
    ("path", "as_json", "data", "files"),
    [
        ("/search", {"image": text(PICTURE), "k": 3}, {"k": "3"}, [("image", PICTURE)]),
        (
            "/search",
            {"image": url(PICTURE), "min_score": 0.2, "tiers": True},
            {"min_score": ".2", "tiers": "1"},
            "image",
        ),
        (
            "/search",
            {"image": {"name": "a.png", "data": text(PICTURE)}, "box": [0, 0.1, 1, 0.9]},
            {"box": "0,.1,1,.9"},
            "image",
        ),
        (
            "/search",
            {"image": [text(PICTURE), url(UNLIKE)], "combine": "mean"},
            {"combine": "mean"},
            [("image", PICTURE), ("image", UNLIKE)],
        ),
        ("/search", {"key": "plain-0", "image": None, "threshold": None, "k": 2}, {"key": "plain-0", "k": "2"}, None),
        (
            "/collections/shop/search",
            {"image": text(PICTURE), "filter": {"colour": "red"}},
            {"filter": '{"colour": "red"}'},
            "image",
        ),
        (
            "/collections/shop/search",
            {"image": text(PICTURE), "filter": "colour = red"},
            {"filter": "colour = red"},
            "image",
        ),
        (
            "/collections/shop/search",
            {"image": text(PICTURE), "facets": ["colour", "price"], "exclude_keys": ["plain-0", "a,b"]},
            {"facets": "colour,price", "exclude_keys": '["plain-0", "a,b"]'},
            "image",
        ),
        (
            "/collections/shop/search",
            {"image": text(PICTURE), "facets": "colour,price", "exclude_keys": "plain-0"},
            {"facets": "colour,price", "exclude_keys": "plain-0"},
            "image",
        ),
        (
            "/collections/shop/search",
            {"image": text(PICTURE), "boost": {"field": "price", "weight": 0.1, "scale": 60}},
            {"boost": '{"field": "price", "weight": 0.1, "scale": 60}'},
            "image",
        ),
        (
            "/collections/shop/search",
            {"image": text(PICTURE), "boost": [{"field": "price", "weight": 0.1}], "diversity": 0.5, "dedupe": True},
            {"boost": '{"field": "price", "weight": 0.1}', "diversity": "0.5", "dedupe": "true"},
            "image",
        ),
        (
            "/search/batch",
            {"image": [{"name": "x", "data": text(PICTURE)}, {"name": "y", "data": url(OTHER)}], "k": 2},
            {"k": "2"},
            [("image", ("x", PICTURE)), ("image", ("y", OTHER))],
        ),
        ("/search/batch", {"image": text(PICTURE), "k": 2}, {"k": "2"}, [("image", ("image", PICTURE))]),
        (  # pictures that are no long texts, and together more than a form's texts may be
            "/search/batch",
            {"image": [text(PICTURE)] * 40, "k": 1},
            {"k": "1"},
            [("image", ("image", PICTURE))] * 40,
        ),
        (
            "/compare",
            {"image_a": text(PICTURE), "image_b": url(OTHER), "threshold": 0.5},
            {"threshold": "0.5"},
            [("image_a", PICTURE), ("image_b", OTHER)],
        ),
        (
            "/compare",
            {"image_a": {"key": "plain-0"}, "image_b": {"data": text(OTHER)}},
            {"image_a": "plain-0"},
            [("image_b", OTHER)],
        ),
        (
            "/compare",
            {"image_a": {"key": "plain-0"}, "image_b": {"key": "plain-1"}},
            {"image_a": "plain-0", "image_b": "plain-1"},
            None,
        ),
        (
            "/cosine_similarity_score",
            {"image_1": text(PICTURE), "image_2": text(OTHER)},
            {},
            [("image_1", PICTURE), ("image_2", OTHER)],
        ),
        (
            "/embed",
            {"image": text(PICTURE), "collection": "shop", "box": [0, 0, 1, 0.5]},
            {"collection": "shop", "box": "0,0,1,.5"},
            "image",
        ),
        ("/collections/shop/check", {"image": text(PICTURE), "k": 2}, {"k": "2"}, "image"),
    ],
)
def test_a_form_in_json_is_answered_as_the_same_form_in_parts(
    service: Service, path: str, as_json: dict[str, Any], data: dict[str, str], files: Any
) -> None:
    files = [(files, PICTURE)] if isinstance(files, str) else files
    answers = [good(service.post(path, json=as_json)), good(service.post(path, data=data, files=files))]
    for answer in answers:
        answer.pop("Time taken in milliseconds", None)
        for entry in answer.get("results", []) if path == "/search/batch" else []:
            entry["answer"].pop("took_ms")
    assert answers[0] == close_to(answers[1])


@pytest.mark.parametrize(
    ("path", "query", "data"),
    [
        ("/search", "k=3&min_score=0.1", {"k": "3", "min_score": "0.1"}),
        ("/search", "k=3&filter[colour]=red", {"k": "3", "filter": "colour = red"}),
        ("/search", "filter=price < 60&filter[colour]=red", {"filter": "colour = red and price < 60"}),
        ("/collections/shop/search", "facets=colour&box=0,0,1,.5", {"facets": "colour", "box": "0,0,1,.5"}),
        ("/search/batch", "k=2&filter[colour]=red", {"k": "2", "filter": "colour = red"}),
        ("/embed", "collection=shop", {"collection": "shop"}),
        ("/collections/shop/check", "k=2", {"k": "2"}),
    ],
)
@pytest.mark.parametrize("kind", ["image/png", "image/anything; charset=utf-8", "application/octet-stream"])
def test_a_picture_as_the_body_is_answered_as_a_form_with_its_fields(
    service: Service, path: str, query: str, data: dict[str, str], kind: str
) -> None:
    as_body = good(service.post(f"{path}?{query}", content=PICTURE, headers={"content-type": kind}))
    as_form = good(service.post(path, data=data, files={"image": ("image", PICTURE)}))
    for answer in (as_body, as_form):
        for entry in answer["results"] if path == "/search/batch" else []:
            entry["answer"].pop("took_ms")
    assert as_body == close_to(as_form)


def test_fields_of_a_form_in_parts_stay_out_of_the_query_string(service: Service) -> None:
    for options in ({"files": {"image": PICTURE}}, {"json": {"image": text(PICTURE)}}):
        assert field(service.post("/search?k=3", **options)) == (
            "k",
            "is a field of the form; send it in the body, not in the query string",
        )


def test_wrong_parameters_beside_a_picture_are_told_as_fields_of_a_form_are(service: Service) -> None:
    def send(query: str) -> httpx.Response:
        return service.post(f"/search?{query}", content=PICTURE, headers=PNG)

    assert field(send("k=0")) == ("k", "must be at least 1")
    name, message = field(send("treshold=1"))
    assert (name, "did you mean threshold?" in message) == ("treshold", True)
    assert field(send("k=1&k=2")) == ("k", "must be sent once only")
    assert field(send("image=a")) == ("image", "is the body: do not send it as a parameter")
    assert field(send("box=1")) == ("box", "must be four numbers, x0,y0,x1,y1, such as 0.1,0.2,0.9,0.8")
    assert problem(send("filter[color]=red"), 422, "filter-invalid")["detail"]
    pieces = Trickle(PICTURE, PICTURE)
    problem(service.post("/search?treshold=1", content=pieces, headers=PNG))
    assert pieces.fetched == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/compare"),
        ("POST", "/cosine_similarity_score"),
        ("POST", "/collections/shop/items"),
        ("PATCH", "/collections/shop/items/plain-0"),
        ("PUT", "/collections/shop"),
        ("POST", "/collections/shop/duplicates/decisions"),
    ],
)
def test_a_picture_as_the_body_is_refused_where_a_form_is_more_or_less_than_one(
    service: Service, method: str, path: str
) -> None:
    pieces = Trickle(PICTURE, PICTURE)
    refused = service.request(method, path, content=pieces, headers=PNG)
    assert (
        "send it as multipart/form-data, or as application/json"
        in problem(refused, 415, "media-type-unsupported")["detail"]
    )
    assert pieces.fetched == 0


@pytest.mark.parametrize(
    ("fields", "name", "message"),
    [
        ({"k": "5"}, "k", "must be a number, not text"),
        ({"k": True}, "k", "must be a number, not true or false"),
        ({"k": 1.5}, "k", "must be a whole number"),
        ({"k": 0}, "k", "must be at least 1"),
        ({"k": 1001}, "k", "must be at most 1000"),
        ({"k": [5]}, "k", "must be a number, not a list"),
        ({"min_score": "0.5"}, "min_score", "must be a number, not text"),
        ({"min_score": 1e999}, "min_score", "must be a finite number"),
        ({"tiers": 1}, "tiers", "must be true or false, not a number"),
        ({"tiers": "true"}, "tiers", "must be true or false, not text"),
        ({"combine": 1}, "combine", "must be text, not a number"),
        ({"combine": "worst"}, "combine", "must be 'best' or 'mean'"),
        ({"collection": ["shop"]}, "collection", "must be text, not a list"),
        ({"key": {"key": "plain-0"}}, "key", "must be text, not an object"),
        ({"key": "x" * 1025}, "key", "must have at most 1024 characters"),
        ({"key": "x" * 5000}, "key", "must have at most 1024 characters"),
        ({"key": "x" * 70000}, "key", "has more than 64 KB of text"),
        ({"key": "\0"}, "key", "contains a character that is not allowed"),
        ({"box": "0,0,1,1"}, "box", "must be a list, not text"),
        ({"box": [0, 0, 1]}, "box", "must be four numbers, x0,y0,x1,y1, such as 0.1,0.2,0.9,0.8"),
        ({"box": [0, 0, 1, [1]]}, "box", "must be four numbers, x0,y0,x1,y1, such as 0.1,0.2,0.9,0.8"),
        ({"box": [0, 0, 2, 1]}, "box", "must lie in the picture: 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1"),
        ({"filter": ["a"]}, "filter", "must be text or an object, not a list"),
        ({"boost": "price"}, "boost", "must be a list or an object, not text"),
        ({"facets": {"a": 1}}, "facets", "must be text or a list, not an object"),
        ({"facets": [1]}, "facets", "must be a list of texts"),
        ({"facets": list("abcdefghi")}, "facets", "must have at most 8 names"),
        ({"image": 5}, "image", NO_PICTURE),
        ({"image": {"key": "a"}}, "image", NO_PICTURE),
        ({"image": {"data": "", "nme": "a"}}, "image", NO_PICTURE),
        ({"image": [None]}, "image", NO_PICTURE),
        ({"image": [""] * 17}, "image", "must be sent at most 16 times"),
        ({"image": "no picture!!"}, "image", "is not base64: it has a ' '"),
        ({"image": "abcde"}, "image", "is not base64: its length is no multiple of 4"),
        ({"image": ["", "abcd", "!bcd"]}, "image", "is not base64: it has a '!'"),
        ({"image": "https://shop.example/a.jpg"}, "image", "is not base64: it is an address"),
    ],
)
def test_wrong_values_in_json_are_told_with_their_field(
    service: Service, fields: dict[str, Any], name: str, message: str
) -> None:
    content = json.dumps(fields).replace("Infinity", "1e999")
    refused = service.post("/search", content=content, headers={"content-type": "application/json"})
    wrong, told = field(refused)
    assert (wrong, told[: len(message)]) == (name, message)


def test_all_wrong_fields_are_told_at_once(service: Service) -> None:
    errors = problem(service.post("/search", json={"k": "5", "tiers": 1, "box": "x", "image": text(PICTURE)}))["errors"]
    assert [error["field"] for error in errors] == ["k", "tiers", "box"]
    errors = problem(service.post("/search", json={"treshold": 1, "k": 0, "zzz": {"a": [1]}}))["errors"]
    assert {error["field"] for error in errors} == {"k", "treshold", "zzz"}
    assert "did you mean threshold?" in next(error["message"] for error in errors if error["field"] == "treshold")


def test_what_is_missing_in_json_is_named(service: Service) -> None:
    assert field(service.post("/compare", json={"image_a": {"key": "plain-0"}})) == ("image_b", "is missing")
    assert field(service.post("/embed", json={"image": None})) == ("image", "is missing")
    problem(service.post("/search", json={}), 422, "image-missing")
    problem(service.post("/search", json={"key": "plain-0", "image": text(PICTURE)}), 422, "image-missing")


def test_a_key_in_the_place_of_a_picture_is_an_object(service: Service) -> None:
    name, message = field(service.post("/compare", json={"image_a": "plain-0", "image_b": {"key": 5}}))
    assert (name, message) == ("image_b", "must be text, not a number")
    name, message = field(service.post("/compare", json={"image_a": "plain-0", "image_b": {"key": "plain-1"}}))
    assert (name, message.partition(":")[0]) == ("image_a", "is not base64")
    name, message = field(service.post("/compare", json={"image_a": [], "image_b": {"key": "plain-1"}}))
    assert message.endswith('or {"key": ...} for an indexed one')


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as JSON: it is empty"),
        (b'{"k": 1} {"k": 2}', "cannot be read as JSON: at byte 10: Extra data"),
        (b'{"k": 1, "k": 2}', "an object has the name 'k' twice"),
        (b'{"filter": {"a": 1, "a": 2}}', "an object has the name 'a' twice"),
        (b'{"key": "\xff"}', "byte 10 is not UTF-8"),
        (b'{"filter": ' + b"[" * 5000, "nested too deeply"),
        (b'["k"]', "it must be an object of the form's fields"),
        (b"k=1&key=plain-0", "at byte 1: Expecting value"),
        (b'{"exclude_keys": [' + b'"a",' * 20000 + b'"a"]}', "what it has besides pictures is more than 64 KB"),
    ],
)
def test_a_body_that_is_no_json_is_refused(service: Service, content: bytes, words: str) -> None:
    refused = service.post("/search", content=content, headers={"content-type": "application/json; charset=utf-8"})
    assert words in problem(refused, 400, "form-invalid")["detail"]


def test_a_key_in_json_that_is_not_utf_8_where_it_is_long_is_told_with_its_field(service: Service) -> None:
    content = b'{"key": "' + b"\xff" * 5000 + b'"}'
    refused = service.post("/search", content=content, headers={"content-type": "application/json"})
    assert field(refused) == ("key", "is not UTF-8; send its text in UTF-8")
    content = b'{"key": "' + b"a" * 5000 + b'\n"}'
    refused = service.post("/search", content=content, headers={"content-type": "application/json"})
    assert field(refused) == ("key", "is no text in JSON: it has a control character or a wrong escape")


@pytest.mark.parametrize(("data", "code"), [(b"", "image-empty"), (b"no picture at all", "unsupported-format")])
def test_a_picture_that_is_none_is_told_with_its_field_and_name(service: Service, data: bytes, code: str) -> None:
    status = 415 if code == "unsupported-format" else 422
    for file, name in ((text(data), "image"), ({"name": "bad.png", "data": text(data)}, "bad.png")):
        refused = problem(service.post("/search", json={"image": file}), status, code)
        assert [(error["field"], name in error["message"]) for error in refused["errors"]] == [("image", True)]
    problem(service.post("/search", content=data, headers=PNG), status, code)
    entries = service.post("/search/batch", json={"image": [text(data), text(PICTURE)]}).json()["results"]
    assert [None if entry["problem"] is None else entry["problem"]["code"] for entry in entries] == [code, None]


@pytest.fixture(scope="module")
def small(shop: Shop) -> Iterator[Service]:
    """A service whose pictures may have 256 KB."""
    with serving(shop.data, limits=ImageLimits(max_bytes=256 * 1024)) as running:
        yield running


LIMIT, REST = 256 * 1024, 64 * 1024


@pytest.mark.parametrize(
    ("path", "kind", "largest"),
    [
        ("/search", "application/json", LIMIT * 3 // 2 + REST),
        ("/compare", "application/json", 2 * LIMIT * 3 // 2 + REST),
        ("/search/batch", "application/json", 4 * LIMIT * 3 // 2 + REST),
        ("/collections/shop/items/a", "application/json", REST),
        ("/search", "image/png", LIMIT + REST),
    ],
)
def test_a_body_is_refused_before_it_has_come_if_it_is_too_large(
    small: Service, path: str, kind: str, largest: int
) -> None:
    method = "PATCH" if "items" in path else "POST"
    pieces = Trickle(*[b'{"image": "' + b"A" * 1000] * 10)
    headers = {"content-type": kind, "content-length": str(largest + 1)}
    refused = small.request(method, path, content=pieces, headers=headers)
    assert f"larger than the {largest} bytes" in problem(refused, 413, "body-too-large")["detail"]
    assert pieces.fetched == 0
    pieces = Trickle(b'{"image": "', *[b"A" * 32 * 1024] * (largest // (32 * 1024) + 10))
    problem(small.request(method, path, content=pieces, headers={"content-type": kind}), 413, "body-too-large")
    assert pieces.fetched < largest // (32 * 1024) + 4


def test_a_picture_may_be_as_large_in_base64_as_in_a_form(small: Service) -> None:
    largest = PICTURE + b"\0" * (LIMIT - len(PICTURE))
    escaped = json.dumps({"image": text(largest)}).replace("/", "\\/")
    headers = {"content-type": "application/json"}
    assert small.post("/search", content=escaped, headers=headers).status_code == 200
    problem(small.post("/search", json={"image": text(largest + b"\0" * 3)}), 413, "image-too-large")
    assert small.post("/search", content=largest, headers=PNG).status_code == 200
    problem(small.post("/search", content=largest + b"\0", headers=PNG), 413, "image-too-large")


@pytest.mark.parametrize("kind", ["application/json", "image/png"])
def test_memory_for_other_bodies_is_counted_before_they_come(
    service: Service, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.services, "uploads", Admission(1000))
    pieces = Trickle(b"x" * 10, b"y" * 10)
    taken = service.services.uploads.permit(1)
    with taken:
        headers = {"content-type": kind, "content-length": "1000"}
        refused = service.post("/search", content=pieces, headers=headers)
    problem(refused, 429, "overloaded")
    assert pieces.fetched == 0


def test_a_large_picture_is_decoded_beside_the_event_loop(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[Thread] = []

    def decode(encoded: Any) -> list[bytes]:
        threads.append(current_thread())
        return base64_text.decode_base64(encoded)

    async def loop_thread() -> Thread:
        return current_thread()

    monkeypatch.setattr("service.http.json_form.decode_base64", decode)
    for size in (1000, 1_000_000):
        good(service.post("/search", json={"image": text(PICTURE + b"\0" * size)}))
    small, large = threads
    assert small is service.call(loop_thread)
    assert large is not small


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """A service that has no collection yet."""
    with serving(tmp_path) as running:
        yield running


def test_a_collection_is_made_filled_and_changed_in_json_alone(own: Service) -> None:
    made = own.request("PUT", "/collections/mugs", json={"encoder": "bundled", "input_size": None})
    assert made.status_code == 201, made.text
    problem(own.request("PUT", "/collections/mugs", json={"encoder": 5}))
    path = item_path("sku-1", collection="mugs")
    metadata = {"category": "mug", "price": 12.5, "tags": ["a", "b"], "note": "é" * 3000}
    put = own.request("PUT", path, json={"image": url(PICTURE), "title": "Striped mug", "metadata": metadata})
    assert put.status_code == 201, put.text
    assert put.json()["item"]["metadata"] == metadata
    patched = own.request("PATCH", path, json={"metadata": {"price": 9.9, "note": None}, "title": None})
    assert patched.json()["item"]["metadata"] == {"category": "mug", "price": 9.9, "tags": ["a", "b"]}
    assert patched.json()["item"]["title"] == "Striped mug"
    changes = [
        {"op": "put", "key": "sku-2", "image": "b.png", "metadata": {"category": "cup"}},
        {"op": "patch", "key": "sku-1", "title": "Mug"},
        {"op": "delete", "key": "sku-3"},
    ]
    batch = own.post(
        "/collections/mugs/items", json={"changes": changes, "image": [{"name": "b.png", "data": text(OTHER)}]}
    )
    assert [entry["status"] for entry in batch.json()["results"]] == ["created", "replaced", None], batch.text
    assert own.get(item_path("sku-2", "image", collection="mugs")).content == OTHER
    assert field(own.request("PUT", path, json={"metadata": '{"a": 1}'})) == (
        "metadata",
        "must be an object, not text",
    )
    assert field(own.request("PUT", path, json={"metadata": {"a": {"b": 1}}}))[0] == "metadata"


def test_an_item_is_put_as_its_picture_with_its_fields_as_parameters(own: Service) -> None:
    assert own.request("PUT", "/collections/mugs").status_code == 201
    path = item_path("sku-1", collection="mugs")
    parameters = {"title": "Mug", "metadata": '{"price": 5}'}
    put = own.request("PUT", path, params=parameters, content=PICTURE, headers=PNG)
    assert (put.status_code, put.json()["item"]["title"], put.json()["item"]["metadata"]) == (201, "Mug", {"price": 5})
    assert own.get(item_path("sku-1", "image", collection="mugs")).content == PICTURE
    changed = own.request("PUT", path, content=OTHER, headers=PNG | {"if-match": put.headers["etag"]})
    assert (changed.status_code, changed.json()["item"]["title"]) == (200, "Mug")


def test_decisions_about_duplicates_are_taken_in_json(service: Service) -> None:
    path = "/collections/shop/duplicates/decisions"
    decision = {"key": ["plain-0", "plain-1"], "decision": "duplicates-after-all"}
    assert good(service.post(path, json=decision))["pairs"] == 1
    assert field(service.post(path, json=decision | {"key": "plain-0"})) == ("key", "must be a list, not text")
    assert field(service.post(path, json=decision | {"key": ["plain-0", 1]})) == ("key", "must be text, not a number")


def test_bodies_in_parts_are_read_as_ever(service: Service) -> None:
    refused = service.post("/search", content=b"{}", headers=MULTIPART)
    assert "cannot be read as a form" in problem(refused, 400, "form-invalid")["detail"]
