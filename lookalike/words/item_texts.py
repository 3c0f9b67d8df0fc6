"""The texts of an item that full text search looks into: title, metadata, and the file name of its key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from lookalike.filters.fields import BUILT_IN, METADATA
from lookalike.words.tokens import fold_words

MAX_ITEM_WORDS = 3000
"""Words of an item that can be found: the first ones, in the order title, file name, metadata."""
_SUFFIX = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{1,4}$")


class TextPart(StrEnum):
    """The parts of an item whose words weigh differently; values are what its words begin with in the index."""

    TITLE = "t"
    METADATA = "m"
    FILE_NAME = "n"


@dataclass(frozen=True, slots=True)
class ItemText:
    """One text of an item; ``field`` is its name as filters and highlights have it."""

    part: TextPart
    field: str
    text: str


def read_item_texts(key: str, title: str | None, metadata: Mapping[str, Any]) -> Iterator[ItemText]:
    """The texts of an item, the most telling ones first."""
    if title:
        yield ItemText(TextPart.TITLE, "title", title)
    yield ItemText(TextPart.FILE_NAME, "key", file_name(key))
    for column, value in metadata.items():
        field = METADATA + column if column in BUILT_IN else column
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str):
                yield ItemText(TextPart.METADATA, field, text)


def file_name(key: str) -> str:
    """The last part of a key that is a path, without the suffix of a file."""
    return _SUFFIX.sub("", key.replace("\\", "/").rstrip("/").rpartition("/")[2])


def read_indexed_words(key: str, title: str | None, metadata: Mapping[str, Any]) -> Iterator[tuple[TextPart, int, str]]:
    """The words of an item that can be found: their part, their position from 1, and the word.

    Between the words of two texts a position is left out, so that no phrase reaches from one into the other.
    """
    return islice(_read_positions(key, title, metadata), MAX_ITEM_WORDS)


def _read_positions(key: str, title: str | None, metadata: Mapping[str, Any]) -> Iterator[tuple[TextPart, int, str]]:
    position = 0
    for text in read_item_texts(key, title, metadata):
        for place, word in enumerate(fold_words(text.text)):
            position += 2 if place == 0 else 1
            yield text.part, position, word
