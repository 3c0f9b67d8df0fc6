"""What somebody types into a search box, as words to look for: nothing of it is a language of a database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from lookalike.filters.builder import refuse
from lookalike.filters.fields import is_unicode
from lookalike.words.tokens import is_letter, read_words

MAX_TEXT = 1000
MAX_PHRASES = 32
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
# A text in quotes, the last of which may not be closed yet, or what stands between spaces.
_PIECE = re.compile(r'(?P<minus>[-−])?(?:"(?P<quoted>[^"]*)(?P<end>"?)|(?P<plain>[^\s"]+))')


class TextMatch(StrEnum):
    """Which items have the words: those that have all of them, or any."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand one after the other, or one word; with ``is_prefix`` the last may go on."""

    words: tuple[str, ...]
    is_prefix: bool = False

    @property
    def exact(self) -> Phrase:
        """The same, whose last word does not go on."""
        return Phrase(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextQuery:
    """The phrases to look for, those that an item must not have, and how much the words count beside a picture.

    ``weight`` is from 0, where words only leave items out, to 1, where the picture only orders what the words do not.
    """

    wanted: tuple[Phrase, ...]
    unwanted: tuple[Phrase, ...] = ()
    match: TextMatch = TextMatch.ALL
    weight: float = 0.5

    @classmethod
    def parse(cls, text: str, *, match: TextMatch = TextMatch.ALL, weight: float = 0.5) -> Self:
        """Read a text: words, phrases in quotes, and with a minus before it what is to be left out.

        The last word matches its beginnings too if the text ends with one of its letters. Raises FilterInvalidError.
        """
        if not 0 <= weight <= 1:
            refuse("text_weight", f"must be from 0 to 1, got {weight}")
        _check(text)
        wanted: dict[Phrase, None] = {}
        unwanted: dict[Phrase, None] = {}
        for phrase, is_unwanted in _read_phrases(text.translate(_QUOTES)):
            (unwanted if is_unwanted else wanted)[phrase] = None
        if not wanted and unwanted:
            refuse("text", "has only words to leave out: give at least one to look for")
        if not wanted:
            refuse("text", "has no letters or digits to look for")
        if len(wanted) + len(unwanted) > MAX_PHRASES:
            refuse("text", f"has {len(wanted) + len(unwanted)} words and phrases, more than {MAX_PHRASES}")
        return cls(wanted=tuple(wanted), unwanted=tuple(unwanted), match=match, weight=weight)


def _check(text: str) -> None:
    if not text.strip():
        refuse("text", "is blank: give the words to look for, or leave it out")
    if len(text) > MAX_TEXT:
        refuse("text", f"has {len(text)} characters, more than {MAX_TEXT}")
    if "\0" in text:
        refuse("text", "has a NUL character, which no text has")
    if not is_unicode(text):
        refuse("text", "is no valid Unicode text")


def _read_phrases(text: str) -> Iterator[tuple[Phrase, bool]]:
    """Each phrase, and whether it is to be left out."""
    for piece in _PIECE.finditer(text):
        # A text between signs is a phrase as well: "t-shirt" is found where "shirt" follows "t".
        words = list(read_words(piece["plain"] if piece["quoted"] is None else piece["quoted"]))
        if not words:
            continue
        is_typed = piece.end() == len(text) and not piece["end"] and is_letter(text[-1])
        is_unwanted = piece["minus"] is not None
        yield Phrase(tuple(word.folded for word in words), is_typed and not is_unwanted), is_unwanted
