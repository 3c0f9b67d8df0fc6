"""The words of tags, and which of them a picture gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.encoder.tags.vocabulary import MAX_TAGS, Vocabulary, read_vocabulary
from lookalike.errors import WeightsInvalidError

SMALL = Vocabulary.of(4, {"beagle": [0], "collie": [1], "tabby": [2], "cup": [3]}, {"dog": [0, 1], "animal": [0, 1, 2]})


def words(*confidences: float) -> list[str]:
    return [tag.word for tag in SMALL.choose(np.array(confidences, np.float32), 0.8)]


def test_the_general_word_is_given_where_the_specific_one_is_unclear() -> None:
    assert words(0.5, 0.4, 0.0, 0.0, 0.9, 0.9) == ["dog", "animal"]
    assert words(0.5, 0.1, 0.3, 0.0, 0.6, 0.9) == ["animal"]


def test_words_come_from_the_most_specific_to_the_most_general() -> None:
    assert words(0.9, 0.0, 0.0, 0.0, 0.95, 0.99) == ["beagle", "dog", "animal"]


def test_nothing_is_said_of_what_is_not_sure() -> None:
    assert words(0.3, 0.2, 0.2, 0.3, 0.5, 0.7) == []


def test_a_word_is_as_sure_as_what_it_includes() -> None:
    tags = SMALL.choose(np.array([0.97, 0, 0, 0, 0.82, 0.9], np.float32), 0.8)
    assert [tag.confidence for tag in tags] == [0.97, 0.97, 0.97]


def test_the_words_in_the_box_are_plain_and_each_stands_once() -> None:
    vocabulary = read_vocabulary()
    folded = [word.casefold() for word in vocabulary.words]
    assert len(set(folded)) == len(folded)
    assert {"coffee mug", "dog", "vehicle", "food", "T-shirt"} <= set(vocabulary.words)
    assert (vocabulary.members[: vocabulary.specific].sum(axis=0) == 1).all(), "each class has one specific word"
    assert (vocabulary.members[vocabulary.specific :].sum(axis=1) >= 2).all()
    (dog, beagle, tabby) = vocabulary.places(["dog", "beagle", "tabby"])
    assert vocabulary.is_within(beagle, dog)
    assert not vocabulary.is_within(tabby, dog)


def test_no_picture_gets_more_words_than_can_be_read() -> None:
    vocabulary = read_vocabulary()
    assert len(vocabulary.choose(np.ones(len(vocabulary.words), np.float32))) == MAX_TAGS


def test_a_damaged_file_of_words_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text("{}")
    with pytest.raises(WeightsInvalidError, match=r"words\.json"):
        read_vocabulary(tmp_path / "words.json")
