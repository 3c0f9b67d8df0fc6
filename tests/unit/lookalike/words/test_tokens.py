"""What counts as a word, in which languages, and where it stands in its text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.words.item_texts import MAX_ITEM_WORDS, file_name, read_indexed_words
from lookalike.words.tokens import MAX_WORD, fold_words, read_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Striped Mug, 300ml!", "striped mug 300ml"),
        ("IMG_0001-v2", "img 0001 v2"),
        ("men's T-Shirt", "men s t shirt"),
        # Case and diacritics make no difference, nor do letters with a stroke, ligatures and signs of compatibility.
        ("MÜLLER Straße façade naïve Ǻ", "muller strasse facade naive a"),
        ("Smørrebrød Łódź İstanbul ærø", "smorrebrod lodz istanbul aero"),
        ("ﬁne Ⅷ ½ ＡＢＣ １２", "fine viii 1 2 abc 12"),
        ("straw\u00adberry fi\u200dsh", "strawberry fish"),
        ("e\u0301cole", "ecole"),
        ("ΑΘΉΝΑ Ёлка", "αθηνα елка"),
        # Marks that tell words apart stay.
        ("हिन्दी", "हिन्दी"),
        # Scripts without spaces have a word for each letter, whatever its width.
        ("赤いマグ", "赤 い マ グ"),
        ("ｶﾞﾗｽ", "ガ ラ ス"),
        ("กาแฟ", "ก า แ ฟ"),
        ("머그컵 빨강", "머그컵 빨강"),
        ("☕ -- \0 _ 👩\u200d🍳", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert " ".join(fold_words(text)) == expected
    assert [word.folded for word in read_words(text)] == fold_words(text)


def test_a_word_has_its_place() -> None:
    text = "Zwei Müller-Tassen"
    assert [text[word.start : word.end] for word in read_words(text)] == ["Zwei", "Müller", "Tassen"]


def test_a_long_word_is_cut() -> None:
    assert fold_words("x" * 1000 + " é" + "y" * 1000) == ["x" * MAX_WORD, "e" + "y" * (MAX_WORD - 1)]


@given(st.text())
def test_any_text_has_words_of_letters_digits_and_marks_alone(text: str) -> None:
    words = list(read_words(text))
    assert [word.folded for word in words] == fold_words(text)
    assert all(0 <= one.start < one.end <= len(text) for one in words)
    assert all(one.end <= other.start or one.start == other.start for one, other in pairwise(words))
    for word in fold_words(text):
        assert word
        assert not set(word) & set("'\"\\:*()-&|!<> \t\n\0")
        assert fold_words(word) == [word], "what is stored is found again"


def test_the_file_name_of_a_key() -> None:
    assert file_name("shoes/red/IMG_1.JPEG") == "IMG_1"
    assert file_name("C:\\mugs\\a.png") == "a"
    assert file_name("sku-1.50") == "sku-1.50"
    assert file_name(".hidden") == ".hidden"


def test_phrases_do_not_reach_from_one_text_into_the_next() -> None:
    metadata = {"tags": ["big sale", "", "new"], "price": 5, "note": "x"}
    words = [(str(part), place, word) for part, place, word in read_indexed_words("a/mug.jpg", "red mug", metadata)]
    assert words == [
        ("t", 2, "red"), ("t", 3, "mug"), ("n", 5, "mug"),
        ("m", 7, "big"), ("m", 8, "sale"), ("m", 10, "new"), ("m", 12, "x"),
    ]  # fmt: skip


def test_of_a_long_item_the_first_words_are_found() -> None:
    words = list(read_indexed_words("k", "title", {"text": ["w "] * 5000}))
    assert len(words) == MAX_ITEM_WORDS
    assert words[-1][1] <= 2 * MAX_ITEM_WORDS < 16_383, "PostgreSQL's last position"
