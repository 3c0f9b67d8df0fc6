"""What a search box's text asks for, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.errors import FilterInvalidError
from lookalike.words.text_query import MAX_PHRASES, MAX_TEXT, TextMatch, TextQuery


def shown(text: str) -> str:
    """A query in one line: phrases in brackets, a star for a beginning, a minus for what is left out."""
    query = TextQuery.parse(text)
    wanted = [f"[{' '.join(phrase.words)}]{'*' if phrase.is_prefix else ''}" for phrase in query.wanted]
    return " ".join([*wanted, *(f"-[{' '.join(phrase.words)}]" for phrase in query.unwanted)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mug", "[mug]*"),
        ("Red MÜG ", "[red] [mug]"),
        ("red mug 300", "[red] [mug] [300]"),
        ('"striped mug"', "[striped mug]"),
        ('blue "striped mu', "[blue] [striped mu]*"),
        ("„striped mug“ blue ", "[striped mug] [blue]"),
        ("t-shirt -red", "[t shirt] -[red]"),
        ('cup −"dark blue"', "[cup] -[dark blue]"),
        ("mug mug MUG ", "[mug]"),
        ("- & mug -", "[mug]"),
        ("赤いマグ", "[赤 い マ グ]*"),
        ("OR (a) NEAR/2 title:b* {c} ", "[or] [a] [near 2] [title b] [c]"),
    ],
)
def test_what_a_text_asks_for(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "blank"),
        ("  \t", "blank"),
        ('- & ☕ ""', "no letters or digits"),
        ("-red", "only words to leave out"),
        ("mug\0", "NUL"),
        ("mug \ud800", "Unicode"),
        ("x" * (MAX_TEXT + 1), f"{MAX_TEXT + 1} characters, more than {MAX_TEXT}"),
        (" ".join(f"w{number}" for number in range(MAX_PHRASES + 1)), f"more than {MAX_PHRASES}"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(FilterInvalidError, match=problem) as caught:
        TextQuery.parse(text)
    assert caught.value.subject == "text"


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_is_a_share(weight: float) -> None:
    with pytest.raises(FilterInvalidError, match="text_weight: must be from 0 to 1"):
        TextQuery.parse("mug", weight=weight, match=TextMatch.ANY)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = TextQuery.parse(text)
    except FilterInvalidError:
        return
    assert query.wanted
    assert all(phrase.words and all(phrase.words) for phrase in query.wanted + query.unwanted)
