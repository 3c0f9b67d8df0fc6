"""Forms taken apart: every way of writing one that clients have, and nothing that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.multipart import BadFormError, boundary_of, parts

BOUNDARY = b"a-boundary"
Found = list[tuple[str, str | None, bytes]]


def found(body: bytes, boundary: bytes = BOUNDARY) -> Found:
    return [(part.name, part.filename, part.data) for part in parts(body, boundary)]


def one(head: bytes, content: bytes = b"x") -> bytes:
    """A body of one part."""
    return b"--a-boundary\r\n" + head + b"\r\n\r\n" + content + b"\r\n--a-boundary--\r\n"


def written(fields: Found) -> bytes:
    pieces = []
    for name, filename, content in fields:
        file = "" if filename is None else f'; filename="{filename}"'
        pieces.append(f'--a-boundary\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode())
        pieces.append(content + b"\r\n")
    return b"".join(pieces) + b"--a-boundary--\r\n"


PIECES = [b"\r\n", b"--", b"a-boundary", b"--a-boundary", b"\0", b"\xff\xd8", b" "]
CONTENTS = st.lists(st.sampled_from(PIECES)).map(b"".join).filter(lambda data: b"\r\n--a-boundary" not in data)
FIELDS = st.tuples(st.text("abc_-ü", min_size=1, max_size=5), st.none() | st.text("abc. 日/", max_size=5), CONTENTS)


@given(st.lists(FIELDS, max_size=4))
def test_what_was_put_in_comes_out_whatever_is_in_it(fields: Found) -> None:
    assert found(written(fields)) == fields


@pytest.mark.parametrize(
    ("head", "name", "filename"),
    [
        (b'Content-Disposition: form-data; name="image"; filename="a.png"', "image", "a.png"),
        (b'content-disposition:form-data;name="image";filename="a.png"', "image", "a.png"),
        (b"Content-Disposition: form-data; name=image; filename=a.png", "image", "a.png"),
        (b'Content-Type: image/png\r\nCONTENT-DISPOSITION: form-data; name="image"; filename=""', "image", ""),
        (b'Content-Disposition: form-data; filename="a.png"; name="image"', "image", "a.png"),
        (b'Content-Disposition: form-data; name="image"; filename="\xe9.png"', "image", "é.png"),
        (b'Content-Disposition: form-data; name="image"; filename="\xf0\x9f\x90\xb1.png"', "image", "🐱.png"),
        (rb'Content-Disposition: form-data; name="image"; filename="a \"b\".png"', "image", 'a "b".png'),
        (b'Content-Disposition: form-data; name="k"', "k", None),
    ],
)
def test_a_field_is_named_in_all_the_ways_that_clients_have(head: bytes, name: str, filename: str | None) -> None:
    assert found(one(head)) == [(name, filename, b"x")]


def test_what_stands_behind_the_form_is_left_out() -> None:
    plain = one(b'Content-Disposition: form-data; name="k"')
    for body in (plain, b"\r\n" + plain, plain + b"an epilogue", plain[:-2]):
        assert found(body) == [("k", None, b"x")]
    assert found(b"--a-boundary--\r\n") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends before its last boundary"),
        (b"a-boundary", "byte 0 is not"),
        (b"a preamble\r\n--a-boundary--\r\n", "byte 0 is not"),
        (b"--another\r\n\r\n", "byte 3 is not"),
        (b"--a-boundary", "ends before its last boundary"),
        (b"--a-boundaryx\r\n", "byte 12 is not"),
        (one(b'Content-Disposition: form-data; name="k"')[:-3], "ends before its last boundary"),
        (one(b'Content-Disposition: form-data; name="k"')[:-20], "ends before its last boundary"),
        (b"--a-boundary\r\nno end of a head", "byte 16 is not"),
        (one(b'Content-Disposition: form-data; name="k"\r\nX: ' + b"x" * 20_000), "byte 59 is not"),
        (one(b"Content-Type: image/png"), "no header Content-Disposition"),
        (one(b'Content-Disposition: form-data; filename="a.png"'), "has no name"),
    ],
)
def test_what_is_no_form_is_refused_with_the_reason(body: bytes, words: str) -> None:
    with pytest.raises(BadFormError, match=words):
        found(body)


def test_a_boundary_is_as_the_content_type_writes_it() -> None:
    for written_as in ("a-boundary", '"a-boundary"'):
        assert boundary_of(f"multipart/form-data; boundary={written_as}; charset=utf-7") == BOUNDARY
    for without in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
    ):
        with pytest.raises(BadFormError, match="names no boundary"):
            boundary_of(without)
