"""The words of a text, as full text search compares them: without case and diacritics, the same for every database.

A word is a run of letters, digits and marks. Scripts that put no spaces between words (Chinese, Japanese, Thai and
their neighbours) have a word for each letter, so that a run of them is found as a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

MAX_WORD = 64
"""Characters of a word that are compared: longer words are cut, here and in queries."""

_ASCII_WORD = re.compile("[A-Za-z0-9]+")
_JOINERS = "\u00ad\u200c\u200d\u2060\ufeff"
"""Characters within words that are not seen: soft hyphens and joiners."""
_VOICED_MARKS = "\uff9e\uff9f"
"""Marks of half-width Katakana, which Unicode counts as letters."""
_DIACRITICS = ((0x300, 0x370), (0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x20D0, 0x2100), (0xFE00, 0xFE10), (0xFE20, 0xFE30))
"""Marks that are left out; others, such as the vowels of Indic scripts, tell words apart."""
# Letters with a stroke, and ligatures, which Unicode does not take apart.
_PLAIN_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"}
_FOLDED: dict[int, str | None] = {
    **{code: None for start, stop in _DIACRITICS for code in range(start, stop)},
    **{ord(joiner): None for joiner in _JOINERS},
    **{ord(letter): plain for letter, plain in _PLAIN_LETTERS.items()},
}
_UNSPACED = (
    (0x0E00, 0x0F00),  # Thai, Lao
    (0x1000, 0x10A0),  # Burmese
    (0x1780, 0x1800),  # Khmer
    (0x3005, 0x3008),  # iteration marks of Japanese
    (0x3040, 0x3100),  # Hiragana, Katakana
    (0x31F0, 0x3200),
    (0x3400, 0xA000),  # Chinese characters
    (0xF900, 0xFB00),
    (0xFF66, 0xFFA0),  # Katakana of half width
    (0x20000, 0x40000),
)


class _Kind(Enum):
    LETTER = 0
    SINGLE = 1
    MARK = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is compared, and where it stands: ``text[start:end]``."""

    folded: str
    start: int
    end: int


def read_words(text: str) -> Iterator[Word]:
    """The words of a text, in their order."""
    if text.isascii():
        for match in _ASCII_WORD.finditer(text):
            yield Word(match.group().lower()[:MAX_WORD], match.start(), match.end())
        return
    for start, end in _read_spans(text):
        for folded in _fold(text[start:end]):
            yield Word(folded, start, end)


def fold_words(text: str) -> list[str]:
    """The words of a text as they are compared, without their places: of plain text in a third of the time."""
    if text.isascii():
        return [word[:MAX_WORD] for word in _ASCII_WORD.findall(text.lower())]
    return [word.folded for word in read_words(text)]


def is_letter(character: str) -> bool:
    """Whether it is a letter, or a mark on one."""
    return unicodedata.category(character)[0] in "LM"


def _read_spans(text: str) -> Iterator[tuple[int, int]]:
    start, is_single = -1, False
    for place, character in enumerate(text):
        kind = _kind_of(character)
        if kind is _Kind.MARK:
            continue  # belongs to the letter before it
        if start >= 0 and (is_single or kind is not _Kind.LETTER):
            yield start, place
            start = -1
        if start < 0 and kind is not _Kind.OTHER:
            start, is_single = place, kind is _Kind.SINGLE
    if start >= 0:
        yield start, len(text)


@lru_cache(maxsize=1 << 13)
def _kind_of(character: str) -> _Kind:
    category = unicodedata.category(character)[0]
    if category == "M" or character in _JOINERS + _VOICED_MARKS:
        return _Kind.MARK
    if category not in "LN":
        return _Kind.OTHER
    code = ord(character)
    return _Kind.SINGLE if any(start <= code < stop for start, stop in _UNSPACED) else _Kind.LETTER


@lru_cache(maxsize=1 << 14)
def _fold(run: str) -> tuple[str, ...]:
    """A run of letters as it is compared: one word, or several where a sign stands for more (``½`` is 1 and 2)."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", run).casefold())
    folded = unicodedata.normalize("NFC", plain.translate(_FOLDED))
    return tuple(folded[start:end][:MAX_WORD] for start, end in _read_spans(folded))
