"""Bodies of JSON taken apart while they come: the same values as the standard parser's, and nothing that is no JSON."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.base64_text import NotBase64Error, decode_base64
from service.http.json_body import JsonReader, LongText
from service.http.multipart import BadFormError

TEXT = 64 * 1024
LONG = 5000
LETTERS = st.sampled_from(['"', "\\", "é", "日", "\n", "/", "a", "+", "NaN", "{", "}", ":", ","])
TEXTS = st.one_of(st.lists(LETTERS).map("".join), st.builds(lambda text: (text or "x") * LONG, LETTERS))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


def split(body: bytes, places: list[int]) -> list[bytes]:
    """A body in pieces that end at these places, some of which may be empty."""
    ends = sorted(place % (len(body) + 1) for place in places)
    return [body[start:end] for start, end in pairwise([0, *ends, len(body)])]


def read(*pieces: bytes) -> dict[str, Any]:
    reader = JsonReader(text_bytes=TEXT)
    for piece in pieces:
        reader.write(piece)
    return reader.close()


def decoded(value: Any) -> Any:
    """A value with its long texts as texts."""
    if isinstance(value, dict):
        return {name: decoded(member) for name, member in value.items()}
    if isinstance(value, list):
        return [decoded(entry) for entry in value]
    return value.decode() if isinstance(value, LongText) else value


@given(
    value=st.dictionaries(st.text(max_size=5), VALUES, max_size=4),
    places=st.lists(st.integers(0, 10**6), max_size=6),
    is_ascii=st.booleans(),
)
def test_a_body_in_any_pieces_has_the_values_of_the_standard_parser(
    value: dict[str, Any], places: list[int], is_ascii: bool
) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii, indent=1).encode()
    if body.count(b'\\"') < TEXT // 2:
        assert decoded(read(*split(body, places))) == value


def test_only_long_texts_are_set_aside() -> None:
    value = read(b'{"a": "' + b"x" * 4095 + b'", "b": "' + b"y" * 4096 + b'"}')
    assert value["a"] == "x" * 4095
    assert isinstance(value["b"], LongText)
    assert value["b"].byte_count == 4096


def test_of_a_text_that_is_not_set_aside_the_beginning_counts() -> None:
    assert len(read(json.dumps({"a": ["x" * 4095] * 64}).encode())["a"]) == 64
    for texts in (["x" * 4095] * 128, ["x" * 512] * 128, ["x" * 256] * 256):
        with pytest.raises(BadFormError, match="more than 64 KB"):
            read(json.dumps({"a": texts}).encode())


LONG_TEXT = '"' + "A" * LONG + '"'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("[]", "must be an object"),
        ("null", "must be an object"),
        (LONG_TEXT, "must be an object"),
        ('{"a": 1}x', "at byte 9: Extra data"),
        ('{"a": 1', "at byte 8: Expecting ',' delimiter"),
        ('{"a": "b', "ends within a text"),
        ('{"a": "b\\"', "ends within a text"),
        ('{"k": 1, "k": 2}', "an object has the name 'k' twice"),
        ('{"m": {"k": 1, "\\u006b": 2}}', "an object has the name 'k' twice"),
        ('{"a": NaN}', "NaN and Infinity"),
        ('{"a": -Infinity, "b": ' + LONG_TEXT + "}", "NaN and Infinity"),
        ('{"a": NaN, "b": ' + LONG_TEXT + "}", "NaN and Infinity"),
        ("{" + LONG_TEXT + ": 1}", "Expecting property name"),
        ('{"a": ' + LONG_TEXT + " x}", f"at byte {6 + LONG + 2 + 2}: Expecting ',' delimiter"),
        ('{"a": ' + LONG_TEXT + LONG_TEXT + "}", "Expecting ',' delimiter"),
        ('{"a": "line\nbreak"}', "Invalid control character"),
        ('{"a": "\\x"}', "Invalid \\escape"),
        ('{"a": ["\\ud83d"]}', "half of a surrogate pair"),
        ('{"\\udc00": ' + LONG_TEXT + "}", "half of a surrogate pair"),
        ("{'a': 1}", "Expecting property name"),
        ('{"a": ' + "[" * 30000 + "]" * 30000 + "}", "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "limit"),
        ('{"a": [' + ",".join("1" * 40000) + "]}", "more than 64 KB"),
        ('{"a": "' + '\\"' * (TEXT + 1) + '"}', "more than 64 KB"),
        ('{"a": [' + '"",' * TEXT + "1]}", "more than 64 KB"),
        ("\ufeff{}", "BOM"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(body: str, words: str) -> None:
    with pytest.raises(BadFormError) as refused:
        read(*split(body.encode(), list(range(0, len(body), 1000))))
    assert words in str(refused.value)


def test_bytes_that_are_not_utf_8_are_refused_with_their_place() -> None:
    with pytest.raises(BadFormError, match="byte 8 is not UTF-8"):
        read(b'{"a": "\xff"}')
    with pytest.raises(BadFormError, match=f"byte {9 + LONG + 8} is not UTF-8"):
        read(b'{"a": "' + b"A" * LONG + b'", "b": "\xff"}')


def long_text(written: bytes, places: list[int]) -> LongText:
    text = read(*split(b'{"a": "' + written + b'"}', places))["a"]
    assert isinstance(text, LongText)
    return text


ESCAPES = {"plain": [], "slashes": [(b"/", b"\\/")], "all": [(b"/", b"\\/"), (b"+", b"\\u002B"), (b"A", b"\\u0041")]}
HEADS = [b"", b"data:image/jpeg;base64,", b"data:;base64,", b"DATA:image/svg+xml;charset=utf-8;BASE64,"]


@given(
    data=st.binary(min_size=1, max_size=40),
    repeats=st.integers(2500, 4500),
    places=st.lists(st.integers(0, 10**6), max_size=8),
    escapes=st.sampled_from(sorted(ESCAPES)),
    head=st.sampled_from(HEADS),
)
def test_pictures_are_decoded_however_they_come_and_are_escaped(
    data: bytes, repeats: int, places: list[int], escapes: str, head: bytes
) -> None:
    content = data * repeats
    encoded = base64.b64encode(content)
    written = head + encoded
    for letter, escape in ESCAPES[escapes]:
        written = written.replace(letter, escape)
    text: LongText | str
    text = long_text(written, places) if len(written) >= 4096 else (head + encoded).decode()
    assert b"".join(decode_base64(text)) == content


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100, 191, 192, 193, 3000])
@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
def test_small_pictures_are_decoded_too(size: int, head: str) -> None:
    content = bytes(range(256)) * 12
    text = head + base64.b64encode(content[:size]).decode()
    assert b"".join(decode_base64(text)) == content[:size]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text + b"A", "no multiple of 4"),
        (lambda text: text + b"QUJD", "= may stand at its end only"),
        (lambda text: base64.b64encode(b"x" * 49151) + text, "= may stand at its end only"),
        (lambda text: text[:8] + b"====" + text[8:], "= may stand at its end only"),
        (lambda text: text[:76] + b"\\n" + text[76:], "send it as one line"),
        (lambda text: text[:400] + b"-" + text[401:], "base64url"),
        (lambda text: text[:400] + b"!" + text[401:], "it has a '!'"),
        (lambda text: text[:400] + "é".encode() + text[402:], "not ASCII"),
        (lambda text: text[:400] + b"\\x" + text[402:], "backslash"),
        (lambda text: text + b"\\\\", "backslash"),
        (lambda text: b"http://shop.example/" + text, "nothing is fetched"),
        (lambda text: b"HTTPS://shop.example/" + text, "nothing is fetched"),
        (lambda text: b"data:image/png," + text, "has ;base64, before"),
        (lambda text: b"data:image/png;" + b"a=b;" * 70 + b"base64," + text, "has ;base64, before"),
        (lambda text: b"data:image/png;base64" + text, "has ;base64, before"),
    ],
)
def test_what_is_no_base64_is_refused_with_what_is_wrong(change: Any, words: str) -> None:
    encoded = base64.b64encode(bytes(range(256)) * 400)
    assert encoded.endswith(b"=")
    with pytest.raises(NotBase64Error) as refused:
        decode_base64(long_text(change(encoded), [70000]))
    assert words in str(refused.value)


def test_a_long_text_is_released_while_it_is_decoded() -> None:
    text = long_text(base64.b64encode(b"x" * 30_000), list(range(0, 40_000, 1000)))
    count = len(text.pieces)
    assert count >= 40
    pieces = text.take()
    next(pieces)
    assert len(text.pieces) == count - 1
    list(pieces)
    assert not text.pieces
