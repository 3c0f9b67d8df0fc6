"""Forms: what is wrong with one is said field by field."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from lookalike.images import encode_png
from lookalike.testing import make_picture
from tests.service.harness import BOUNDARY, MULTIPART, Service, Trickle, body, item_path, part

PICTURE = encode_png(make_picture(1))
FILE = {"image": ("a.png", PICTURE)}
TEXT = 64 * 1024
SEARCH_FIELDS = (
    "image, combine, key, k, min_score, threshold, box, tiers, text, text_match, text_weight, filter, fallback, "
    "group_by, group_size, group_score, dedupe, exclude_keys, diversity, boost, like_keys, unlike_keys, "
    "include_liked, facets, cursor, collection, collections, rank_by"
)


def wrong(service: Service, path: str = "/search", **options: Any) -> list[dict[str, str]]:
    """The fields that are wrong."""
    response = service.post(path, **options)
    assert (response.status_code, response.json()["code"]) == (422, "field-invalid")
    errors: list[dict[str, str]] = response.json()["errors"]
    return errors


def test_a_field_that_is_not_known_is_refused_with_the_one_that_was_meant(service: Service) -> None:
    for written, meant in (("treshold", "threshold"), ("colection", "collection"), ("min-score", "min_score")):
        (error,) = wrong(service, files=FILE, data={written: "0.5"})
        assert (error["field"], error["code"]) == (written, "extra-forbidden")
        assert error["message"] == f"is unknown; did you mean {meant}? the fields are {SEARCH_FIELDS}"
    (problem,) = wrong(service, files=FILE, data={"zzz": "1"})
    assert problem["message"] == f"is unknown; the fields are {SEARCH_FIELDS}"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("k", "0", "must be at least 1"),
        ("k", "1001", "must be at most 1000"),
        ("k", "ten", "must be a whole number"),
        ("k", "1.5", "must be a whole number"),
        ("k", "", "must be a whole number"),
        ("min_score", "1.01", "must be at most 1"),
        ("min_score", "-2", "must be at least -1"),
        ("min_score", "nan", "finite number"),
        ("threshold", "-0.1", "must be at least 0"),
        ("threshold", "inf", "finite number"),
        ("threshold", "80%", "must be a number"),
        ("box", "1,2,3", "must be four numbers"),
        ("box", "a,b,c,d", "must be four numbers"),
        ("box", "0.5,0,0.5,1", "must lie in the picture"),
        ("box", "0,0,1.1,1", "must lie in the picture"),
        ("box", "nan,0,1,1", "must lie in the picture"),
        ("collection", "x" * 65, "at most 64 characters"),
    ],
)
def test_a_value_out_of_range_is_told_with_the_range(service: Service, field: str, value: str, words: str) -> None:
    (error,) = wrong(service, files=FILE, data={field: value})
    assert error["field"] == field
    assert words in error["message"]


def test_all_wrong_fields_are_told_at_once(service: Service) -> None:
    errors = wrong(service, files=FILE, data={"k": "0", "threshold": "2", "box": "x", "colour": "red"})
    assert {error["field"] for error in errors} == {"k", "threshold", "box", "colour"}


def test_a_field_comes_once(service: Service) -> None:
    (twice,) = wrong(service, files=FILE, data={"k": ["1", "2"]})
    assert (twice["field"], twice["code"]) == ("k", "repeated")
    (pictures,) = wrong(service, "/embed", files=[("image", PICTURE), ("image", PICTURE)])
    assert (pictures["field"], pictures["code"]) == ("image", "repeated")


def test_text_in_the_place_of_a_file_is_told_how_to_send_one(service: Service) -> None:
    for path, field in (("/search", "image"), ("/embed", "image"), ("/cosine_similarity_score", "image_1")):
        errors = wrong(service, path, data={field: "cat.jpg"})
        (error,) = [error for error in errors if error["field"] == field]
        assert error["message"] == f"must be a file: with curl, -F {field}=@cat.jpg"


def test_a_file_in_the_place_of_text_is_refused(service: Service) -> None:
    for field, value in (("k", b"3"), ("key", b"plain-0"), ("collection", b"shop"), ("box", b"0,0,1,1")):
        (error,) = wrong(service, files={field: value})
        assert error["field"] == field


def test_what_is_missing_is_named(service: Service) -> None:
    assert {error["field"]: error["message"] for error in wrong(service, "/compare", files={"image_a": PICTURE})} == {
        "image_b": "is missing"
    }
    for options in ({"files": FILE, "data": {"key": "plain-0"}}, {"data": {"k": "1"}}):
        refused = service.post("/search", **options)
        assert (refused.status_code, refused.json()["code"]) == (422, "image-missing")


@pytest.mark.parametrize("kind", ["application/xml", "text/plain", "video/mp4", "multipart/mixed", "", "nonsense"])
def test_other_content_types_are_refused_with_those_that_are_taken(service: Service, kind: str) -> None:
    pieces = Trickle(PICTURE, PICTURE)
    refused = service.post("/search", content=pieces, headers={"content-type": kind} if kind else {})
    assert (refused.status_code, refused.json()["code"]) == (415, "media-type-unsupported")
    assert "curl -F image=@cat.jpg" in refused.json()["detail"]
    assert pieces.fetched == 0


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "multipart/form-data"}, body(part("image", PICTURE, "a.png"))),
        (MULTIPART, b"no boundary anywhere"),
        (MULTIPART, b""),
        (MULTIPART, body(part("key", b"plain-0")).removesuffix(f"--{BOUNDARY}--\r\n".encode())),
        (MULTIPART, f"--{BOUNDARY}\r\nContent-Type: image/png\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode()),
        (MULTIPART, body(part("k", b"1" * (TEXT + 1)))),
        ({"content-type": f"multipart/form-data; boundary={BOUNDARY}{';' * 2000}"}, body(part("key", b"plain-0"))),
    ],
)
def test_a_body_that_is_no_form_is_refused(service: Service, headers: dict[str, str], content: bytes) -> None:
    refused = service.post("/search", content=content, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "form-invalid")


@pytest.mark.parametrize("content", [b'{"key":"plain-0"}', b' \n["plain-0"]', b'{"key": "a=b&c"}'])
def test_json_that_is_said_to_be_a_form_is_told_the_right_content_type(service: Service, content: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused = service.post("/search", headers=form, content=content)
    assert (refused.status_code, refused.json()["code"]) == (415, "media-type-unsupported")
    assert "this looks like JSON: send Content-Type: application/json" in refused.json()["detail"]


FIELDS = {
    "/search": 28,
    "/search/batch": 17,
    "/recommend": 19,
    "/compare": 7,
    "/cosine_similarity_score": 2,
    "/embed": 5,
}
"""How many fields the form of each path has."""


@pytest.mark.parametrize("path", FIELDS)
def test_no_more_names_are_waited_for_than_a_form_has_fields(service: Service, path: str) -> None:
    names = [f"no-field-{number}" for number in range(FIELDS[path] + 1)]
    pieces = Trickle(*(part(name, b"1") for name in names), body(part("one-more", b"")), go_on=asyncio.Event())
    refused = service.post(path, content=pieces, headers=MULTIPART)
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert [error["field"] for error in refused.json()["errors"]] == names[:10], "the others are counted"
    assert {error["code"] for error in refused.json()["errors"]} == {"extra-forbidden"}
    assert pieces.fetched == len(names)


def test_the_fields_of_a_form_without_files_are_counted_likewise(service: Service) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    errors = wrong(service, content=b"&".join(b"no-field-%d=1" % number for number in range(3000)), headers=headers)
    assert [error["field"] for error in errors] == [f"no-field-{number}" for number in range(10)]
    (twice,) = wrong(service, content=b"a&" * 5000, headers=headers)
    assert (twice["field"], twice["code"]) == ("a", "repeated")


def test_a_batch_has_as_many_pictures_as_it_may_have_and_no_more_are_waited_for(service: Service) -> None:
    parts = [part("image", b"", "a.png")] * 64
    full = service.post("/search/batch", content=body(*parts), headers=MULTIPART)
    assert (full.status_code, len(full.json()["results"])) == (200, 64)
    pieces = Trickle(*parts, parts[0], b"", go_on=asyncio.Event())
    (error,) = wrong(service, "/search/batch", content=pieces, headers=MULTIPART)
    assert (error["field"], error["code"]) == ("image", "too-long")
    assert error["message"] == "must be sent at most 64 times"


@pytest.mark.parametrize("path", ["/collections", "/health", "/collections/shop/items/plain-0/similar"])
def test_a_query_string_of_countless_parameters_is_refused(service: Service, path: str) -> None:
    assert service.get(path + "?" + "a&" * 63).json()["errors"][0]["field"] == "a"
    refused = service.get(path + "?" + "a&" * 64)
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert refused.json()["errors"][0]["field"] == "query"


def test_names_of_files_come_back_as_they_were_sent_and_mean_nothing(service: Service) -> None:
    names = ["../../etc/passwd", "katze 🐱.png", "<script>.jpg", "a.exe"]
    answer = service.post("/search/batch", files=[("image", (name, PICTURE)) for name in names]).json()
    assert [entry["name"] for entry in answer["results"]] == names
    assert all(entry["problem"] is None for entry in answer["results"])


def test_what_is_quoted_back_is_cut_short(service: Service) -> None:
    long = "x" * 5000
    for options in ({"data": {long: "1"}}, {"data": {"key": "plain-0", "collection": long}}, {"data": {"k": long}}):
        refused = service.post("/search", **options)
        assert refused.status_code == 422
        assert len(refused.content) < 1000
    for path in (item_path(long), item_path("plain-0", collection=long), item_path("ü" * 5000, "image")):
        refused = service.get(path)
        assert refused.status_code == 404
        assert len(refused.json()["detail"]) < 100
    refused = service.post("/search", content=b"", headers={"content-type": long})
    assert refused.status_code == 415
    assert len(refused.content) < 1000


@pytest.mark.parametrize("charset", ["utf-7", "punycode", "undefined", "no-such-codec", "latin-1"])
@pytest.mark.parametrize("kind", [MULTIPART["content-type"], "application/x-www-form-urlencoded"])
def test_a_client_that_says_another_codec_than_utf_8_is_refused(service: Service, kind: str, charset: str) -> None:
    content = body(part("image", PICTURE, "+2AA-.png"), part("collection", "shöp".encode()))
    refused = service.post("/search", headers={"content-type": f"{kind}; charset={charset}"}, content=content)
    assert (refused.status_code, refused.json()["code"]) == (415, "media-type-unsupported")
    assert f"is said to be in {charset}; send UTF-8" in refused.json()["detail"]
    taken = service.post(
        "/search", headers={"content-type": f"{MULTIPART['content-type']}; charset=UTF-8"}, content=content
    )
    assert "'shöp'" in taken.json()["detail"]


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_a_compressed_body_is_refused_not_taken_for_a_broken_form(service: Service, coding: str) -> None:
    content = gzip.compress(body(part("image", PICTURE, "a.png")))
    refused = service.post("/search", headers=MULTIPART | {"content-encoding": coding}, content=content)
    assert (refused.status_code, refused.json()["code"]) == (415, "media-type-unsupported")
    assert f"the content encoding {coding}; send it as it is" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        (MULTIPART, body(part("key", b"caf\xe9"))),
        ({"content-type": "application/x-www-form-urlencoded"}, b"key=caf%E9"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"key=caf\xe9"),
    ],
)
def test_a_key_that_is_not_utf_8_is_refused_not_looked_for_under_another_name(
    service: Service, headers: dict[str, str], content: bytes
) -> None:
    refused = service.post("/search", headers=headers, content=content)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"field": "key", "code": "not-utf-8", "message": "is not UTF-8; send its text in UTF-8"}
    ]
    plain = service.post(
        "/search", headers=headers | {}, content=content.replace(b"\xe9", "é".encode()).replace(b"%E9", b"%C3%A9")
    )
    assert (plain.status_code, "'café'" in plain.json()["detail"]) == (404, True)


@pytest.mark.parametrize(("data", "code"), [(b"", "image-empty"), (b"no picture at all", "unsupported-format")])
def test_a_file_that_is_no_picture_is_told_with_its_field_and_its_name(
    service: Service, data: bytes, code: str
) -> None:
    for path, field, others in (
        ("/compare", "image_b", {"image_a": ("good.png", PICTURE)}),
        ("/search", "image", {}),
        ("/embed", "image", {}),
        ("/cosine_similarity_score", "image_1", {"image_2": ("good.png", PICTURE)}),
    ):
        refused = service.post(path, files=others | {field: ("bad.png", data)}).json()
        assert refused["code"] == code
        assert [(error["field"], error["code"]) for error in refused["errors"]] == [(field, code)]
        assert "bad.png" in refused["errors"][0]["message"]
        assert "bad.png" in refused["detail"]
    entries = service.post("/search/batch", files=[("image", ("bad.png", data))]).json()["results"]
    assert entries[0]["problem"]["errors"][0]["field"] == "image"


def test_fields_of_the_other_route_are_told_the_name_of_the_same_place(service: Service) -> None:
    files = {"image_a": PICTURE, "image_b": PICTURE}
    messages = {error["field"]: error["message"] for error in wrong(service, "/cosine_similarity_score", files=files)}
    assert "did you mean image_1?" in messages["image_a"]
    assert "did you mean image_2?" in messages["image_b"]
    files = {"image_1": PICTURE, "image_2": PICTURE}
    messages = {error["field"]: error["message"] for error in wrong(service, "/compare", files=files)}
    assert "did you mean image_a?" in messages["image_1"]
    assert "did you mean image_b?" in messages["image_2"]


def test_of_many_unknown_parameters_the_first_are_named_and_the_others_counted(service: Service) -> None:
    refused = service.get("/collections?" + "&".join(f"x{number}=1" for number in range(60)))
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [f"x{number}" for number in range(10)]
    assert refused.json()["detail"].endswith("; and 50 more")


def test_a_form_without_files_may_not_be_as_large_as_one_with_a_picture(service: Service) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    refused = service.post("/search", headers=headers, content=b"&" * (TEXT + 1))
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    assert "a form without files may have; send shorter values" in refused.json()["detail"]
