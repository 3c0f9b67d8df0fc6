"""Where the words of a query stand in the texts of an item, as pieces of text: no page has to trust any markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lookalike.words.item_texts import read_item_texts
from lookalike.words.text_query import Phrase
from lookalike.words.tokens import Word, read_words

MAX_HIGHLIGHTS = 8
SHOWN_CHARACTERS = 200
_BEFORE = 40
"""Characters that are shown before the first match of a long text."""
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether it is what was looked for."""

    text: str
    is_match: bool = False


@dataclass(frozen=True, slots=True)
class Highlight:
    """A text with a match, in pieces: one after the other they are the text, or a part of a long one between dots.

    ``field`` is ``title``, ``key`` (its file name is shown), or a column of the metadata as filters name it.
    """

    field: str
    pieces: tuple[Piece, ...]


def highlight_item(
    phrases: Sequence[Phrase], key: str, title: str | None, metadata: Mapping[str, Any]
) -> tuple[Highlight, ...]:
    """The texts of an item that have one of the phrases: the first ``MAX_HIGHLIGHTS``."""
    texts = read_item_texts(key, title, metadata)
    marked = ((text, _find_spans(phrases, list(read_words(text.text)))) for text in texts)
    found = (Highlight(text.field, _cut(text.text, spans)) for text, spans in marked if spans)
    return tuple(islice(found, MAX_HIGHLIGHTS))


def _find_spans(phrases: Iterable[Phrase], words: Sequence[Word]) -> list[tuple[int, int]]:
    """Where phrases stand, in order, those that touch or overlap as one."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted(span for phrase in phrases for span in _find_phrase(phrase, words)):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _find_phrase(phrase: Phrase, words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    count = len(phrase.words)
    *first_words, last_word = phrase.words
    for place in range(len(words) - count + 1):
        last = words[place + count - 1]
        is_last = last.folded.startswith(last_word) if phrase.is_prefix else last.folded == last_word
        if is_last and [word.folded for word in words[place : place + count - 1]] == first_words:
            yield words[place].start, last.end


def _cut(text: str, spans: Sequence[tuple[int, int]]) -> tuple[Piece, ...]:
    begin = max(0, spans[0][0] - _BEFORE) if len(text) > SHOWN_CHARACTERS else 0
    stop = min(len(text), max(begin + SHOWN_CHARACTERS, spans[0][1]))
    pieces, place = [Piece(_ELLIPSIS)] if begin else [], begin
    for start, end in spans:
        if end > stop:
            break
        pieces += [Piece(text[place:start]), Piece(text[start:end], is_match=True)]
        place = end
    pieces.append(Piece(text[place:stop] + (_ELLIPSIS if stop < len(text) else "")))
    return tuple(piece for piece in pieces if piece.text)
