"""Forms taken apart: every way of writing one that clients have, and nothing that is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.http.multipart import BadFormError, MultipartReader, decode_text, parse_boundary

BOUNDARY = b"a-boundary"
TEXT = 2048
Found = list[tuple[str, str | None, bytes]]


def feed(*pieces: bytes) -> MultipartReader:
    """A reader that takes any number of parts, after these pieces."""
    names: list[str] = []
    reader = MultipartReader(BOUNDARY, names.append, text_bytes=TEXT)
    for piece in pieces:
        reader.write(piece)
    return reader


def parse(*pieces: bytes) -> Found:
    """The fields of a body that comes in these pieces."""
    return [(part.name, part.filename, b"".join(part.pieces)) for part in feed(*pieces).close()]


def form_of(head: bytes, content: bytes = b"x") -> bytes:
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


@st.composite
def bodies_in_pieces(draw: st.DrawFn) -> tuple[Found, list[bytes]]:
    """Fields, and the body of them cut somewhere."""
    fields = draw(st.lists(FIELDS, max_size=4))
    body = written(fields)
    cuts = draw(st.lists(st.integers(0, len(body)), max_size=8).map(sorted))
    return fields, [body[begin:end] for begin, end in pairwise([0, *cuts, len(body)])]


@given(bodies_in_pieces())
def test_what_was_put_in_comes_out_whatever_is_in_it_and_however_it_arrives(drawn: tuple[Found, list[bytes]]) -> None:
    fields, pieces = drawn
    assert parse(*pieces) == fields


def test_a_form_that_arrives_byte_by_byte_is_read_as_one_that_comes_at_once() -> None:
    fields: Found = [("k", None, b"\r\n--a-bound"), ("image", "a.png", b"\r\r\n\r\n--"), ("e", "", b"")]
    body = b"\r\n" + written(fields) + b"an epilogue"
    assert parse(*(body[at : at + 1] for at in range(len(body)))) == parse(body) == fields


def reference(body: bytes) -> Found | None:
    """What a parser of others' making reads; None if that is no form to it."""
    fields: list[tuple[dict[bytes, bytes], list[bytes]]] = []
    names: list[bytes] = []
    ended: list[bool] = []

    def disposition(data: bytes, start: int, end: int) -> None:
        if names[-1].lower() == b"content-disposition":
            fields[-1] = (parse_options_header(data[start:end])[1], [])

    parser = MultipartParser(
        BOUNDARY,
        {
            "on_part_begin": lambda: fields.append(({}, [])),
            "on_header_field": lambda data, start, end: names.append(data[start:end]),
            "on_header_value": disposition,
            "on_part_data": lambda data, start, end: fields[-1][1].append(data[start:end]),
            "on_end": lambda: ended.append(True),
        },
    )
    with suppress(MultipartParseError):
        parser.write(body)
    if not ended or any(b"name" not in options for options, _ in fields):
        return None
    return [
        (
            decode_text(options[b"name"]),
            decode_text(options[b"filename"]) if b"filename" in options else None,
            b"".join(data),
        )
        for options, data in fields
    ]


GRAMMAR = [
    b"--a-boundary", b"\r\n--a-boundary", b"--", b"\r\n", b"\r\n\r\n", b" ", b"\t", b"\r", b"\n", b"-", b"a-boundary",
    b'Content-Disposition: form-data; name="k"', b'Content-Disposition: form-data; name="image"; filename="a"',
    b"Content-Type: image/png", b"X:", b"x",
]  # fmt: skip


@given(st.lists(st.sampled_from(GRAMMAR), max_size=14).map(b"".join))
def test_what_is_taken_for_a_form_is_what_others_read_in_it(rest: bytes) -> None:
    body = form_of(b'Content-Disposition: form-data; name="k"').removesuffix(b"--\r\n") + rest
    with suppress(BadFormError):
        assert parse(body) == reference(body)


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
    assert parse(form_of(head)) == [(name, filename, b"x")]


def test_what_stands_behind_the_form_is_left_out() -> None:
    plain = form_of(b'Content-Disposition: form-data; name="k"')
    for body in (plain, b"\r\n" + plain, plain + b"an epilogue", plain[:-2]):
        assert parse(body) == [("k", None, b"x")]
    assert parse(b"--a-boundary--\r\n") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends before its last boundary"),
        (b"a-boundary", "does not begin with the boundary"),
        (b"a preamble\r\n--a-boundary--\r\n", "does not begin with the boundary"),
        (b"--another\r\n\r\n", "does not begin with the boundary"),
        (b"--a-bound", "ends before its last boundary"),
        (b"--a-boundary", "ends before its last boundary"),
        (b"--a-boundary-", "ends before its last boundary"),
        (b"--a-boundary \t\r", "ends before its last boundary"),
        (b"--a-boundaryx\r\n", "goes on behind it"),
        (b"--a-boundary-x", "goes on behind it"),
        (form_of(b'Content-Disposition: form-data; name="k"', b"x\r\n--a-boundaryx"), "goes on behind it"),
        (form_of(b'Content-Disposition: form-data; name="k"')[:-3], "ends before its last boundary"),
        (form_of(b'Content-Disposition: form-data; name="k"')[:-20], "ends before its last boundary"),
        (b"--a-boundary\r\nno end of a head", "ends before its last boundary"),
        (form_of(b"no header"), "is no header"),
        (form_of(b'Content-Disposition: form-data; name="k"\r\n and more'), "is no header"),
        (form_of(b'Content-Disposition: form-data; name="k"\r\nX: ' + b"x" * 20_000), "more than 8 KB"),
        (form_of(b'Content-Disposition: form-data; name="k"' + b";a" * 300), "more than 256 options"),
        (form_of(b"Content-Disposition: form-data; name=k", b"x" * (TEXT + 1)), "more than 2 KB"),
        (form_of(b""), "no header Content-Disposition"),
        (form_of(b"Content-Type: image/png"), "no header Content-Disposition"),
        (form_of(b'Content-Disposition: form-data; filename="a.png"'), "has no name"),
    ],
)
def test_what_is_no_form_is_refused_with_the_reason(body: bytes, words: str) -> None:
    with pytest.raises(BadFormError, match=words):
        parse(body)


def test_a_boundary_is_as_the_content_type_writes_it() -> None:
    for written_as in ("a-boundary", '"a-boundary"'):
        assert parse_boundary(f"multipart/form-data; boundary={written_as}; charset=utf-7") == BOUNDARY
    for without in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
        'multipart/form-data; boundary="a\r\nb"',
    ):
        with pytest.raises(BadFormError, match="names no boundary"):
            parse_boundary(without)
    with pytest.raises(BadFormError, match="more than 1024 characters"):
        parse_boundary("multipart/form-data; boundary=a" + ";" * 60_000)


HEAD = b'--a-boundary\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'


def without_end(filling: bytes) -> Iterator[bytes]:
    """A piece of 64 KB after the other."""
    yield from iter(lambda: (filling * (65_536 // len(filling) + 1))[:65_536], None)


@pytest.mark.parametrize(
    ("begin", "filling"),
    [
        (b"", b"x"),
        (b"--a-boundary\r\n", b"x"),
        (b"--a-boundary\r\n", b"X: x\r\n"),
        (b"--a-boundary\r\n" + b'Content-Disposition: form-data; name="', b"x"),
        (b"--a-boundary", b" "),
        (HEAD + b"x\r\n--a-boundary", b" \t"),
        (HEAD, b"\r\n--a-boundaryx"),
        (HEAD, b"\r\n--a-boundary\rx"),
        (HEAD, b"\r\n--a-boundary-x"),
        (b"--a-boundary\r\nContent-Disposition: form-data; name=k\r\n\r\n", b"x"),
    ],
)
def test_what_can_be_no_form_any_more_is_refused_with_its_first_bytes(begin: bytes, filling: bytes) -> None:
    endless = without_end(filling)
    with pytest.raises(BadFormError):
        feed(begin, next(endless), next(endless))


def test_the_first_part_too_many_is_the_last_that_is_looked_at() -> None:
    begun: list[str] = []

    def begin(name: str) -> None:
        begun.append(name)
        if len(begun) > 3:
            raise BadFormError("too many")

    reader = MultipartReader(BOUNDARY, begin, text_bytes=TEXT)
    with pytest.raises(BadFormError, match="too many"):
        reader.write(written([("k", None, b"")] * 1000))
    assert len(begun) == 4


@pytest.mark.parametrize("filling", [b"\r", b"\n", b"-", b"\r\n", b"\r\n--", b"\r\n--a-boundar", b"\0"])
def test_a_picture_is_kept_as_it_arrives_and_not_looked_at_again(filling: bytes) -> None:
    reader = feed(HEAD)
    endless = without_end(filling)
    sent = [next(endless) for _ in range(50)]
    for piece in sent:
        reader.write(piece)
        assert len(reader._buffer) < len(BOUNDARY) + 4, "what may become a boundary"
    reader.write(b"\r\n--a-boundary--")
    (part,) = reader.close()
    assert b"".join(part.pieces) == b"".join(sent)
    assert len(part.pieces) <= len(sent) + 1
