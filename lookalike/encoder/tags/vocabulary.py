"""The words that tags are taken from, and which of them a picture gets.

A *specific* word is one thing that the classifier knows, such as "coffee mug"; a *general* one stands for all classes
below it in WordNet, such as "dog", and its probability is the sum of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.encoder.weights.file_format import invalid_weights_error
from lookalike.encoder.weights.installed import BOX

WORDS = BOX / "tags" / "words.json"
MIN_CONFIDENCE = 0.8
"""A word is given if it is right in at least this share of the cases in which a picture gets it."""

MAX_TAGS = 8
"""Maximum number of words of a picture; the most specific ones are given."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tag:
    """A word, and the share of the cases in which it is right where it is given with this ``confidence``."""

    word: str
    confidence: float


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """``words`` with the classes of each: ``members`` (words, classes) is 1 where a class belongs to a word.

    The first ``specific`` words are the specific ones. ``sizes`` (words,) has the number of each one's classes.
    """

    words: tuple[str, ...]
    specific: int
    members: Floats
    sizes: Floats

    @classmethod
    def of(cls, classes: int, specific: dict[str, list[int]], general: dict[str, list[int]]) -> Vocabulary:
        """A vocabulary over so many classes, from the numbers of each word's classes."""
        words = (*specific, *general)
        members = np.zeros((len(words), classes), np.float32)
        for row, numbers in enumerate((*specific.values(), *general.values())):
            members[row, numbers] = 1.0
        return cls(words, len(specific), members, members.sum(axis=1))

    def is_within(self, word: int, other: int) -> bool:
        """Whether all classes of one word, by its place, are classes of the other."""
        return not np.any(self.members[word] > self.members[other])

    def choose(self, confidences: Floats, least: float = MIN_CONFIDENCE) -> list[Tag]:
        """The tags of a picture, from the most specific to the most general, given each word's confidence (words,).

        A word is never less sure than a more specific one that it includes.
        """
        chosen: list[tuple[int, float]] = []
        for place in self._in_order(confidences, least):
            below = (confidence for word, confidence in chosen if self.is_within(word, place))
            chosen.append((place, max([float(confidences[place]), *below])))
        return [Tag(self.words[place], round(confidence, 3)) for place, confidence in chosen]

    def _in_order(self, confidences: Floats, least: float) -> list[int]:
        """The places of the words that are sure enough: specific ones by their confidence, general ones by size."""
        places = np.flatnonzero(confidences >= least)
        is_general = places >= self.specific
        rank = np.where(is_general, self.sizes[places], -confidences[places])
        ordered: list[int] = places[np.lexsort((rank, is_general))][:MAX_TAGS].tolist()
        return ordered

    def places(self, words: Sequence[str]) -> list[int]:
        """The places of words; raises ValueError for one that there is not."""
        return [self.words.index(word) for word in words]


@cache
def read_vocabulary(path: Path = WORDS) -> Vocabulary:
    """The words in the box; raises WeightsInvalidError if their file is damaged."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Vocabulary.of(fields["classes"], fields["specific"], fields["general"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise invalid_weights_error(path, f"cannot be read ({error}); install lookalike again") from error
