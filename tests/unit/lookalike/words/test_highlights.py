"""Highlights are the item's own text in pieces, of which those that were searched for say so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lookalike.words.highlights import MAX_HIGHLIGHTS, SHOWN_CHARACTERS, highlight_item
from lookalike.words.text_query import TextQuery


def marked(text: str, title: str = "", key: str = "k", **metadata: object) -> list[str]:
    """Each highlight in one line, with the matches in brackets."""
    highlights = highlight_item(TextQuery.parse(text).wanted, key, title, metadata)
    return [
        f"{one.field}: " + "".join(f"[{piece.text}]" if piece.is_match else piece.text for piece in one.pieces)
        for one in highlights
    ]


def test_words_phrases_and_beginnings_are_marked_where_they_stand() -> None:
    assert marked('red "striped mug" bl', "Réd Striped-Mug, mug <b>blue</b>") == [
        "title: [Réd] [Striped-Mug], mug <b>[blue]</b>"
    ]
    assert marked("mug ", "mugs", key="a/red_mug.jpg", tags=["a mug", "cup"], note="Mug mug") == [
        "key: red_[mug]", "tags: a [mug]", "note: [Mug] [mug]",
    ]  # fmt: skip


def test_columns_are_named_as_filters_name_them() -> None:
    assert marked("mug", **{"title_": "mug", "width": "mug"}) == ["title_: [mug]", "metadata.width: [mug]"]


def test_a_long_text_is_cut_around_its_first_match() -> None:
    (line,) = marked("mug ", note="x" * 500 + " a mug of " + "y" * 500)
    text = line.removeprefix("note: ").replace("[", "").replace("]", "")
    assert text.startswith("…")
    assert text.endswith("…")
    assert "a [mug] of" in line
    assert len(text) <= SHOWN_CHARACTERS + 2


def test_there_are_only_so_many() -> None:
    assert len(marked("mug", tags=["mug"] * 20)) == MAX_HIGHLIGHTS


@given(title=st.text(max_size=60), text=st.text(alphabet='ab"- é', min_size=1, max_size=8))
def test_the_pieces_are_the_text(title: str, text: str) -> None:
    for one in highlight_item(TextQuery.parse("a " + text).wanted, "k", title, {}):
        assert "".join(piece.text for piece in one.pieces) == title
        assert any(piece.is_match for piece in one.pieces)
