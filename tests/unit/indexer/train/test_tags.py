"""How the words of tags are made, what counts as right, and the fit of a head and of its confidences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexer.train.tag_head import LOWEST, _fit_map, fit_layer
from indexer.train.tag_quality import calibration_error
from indexer.train.tag_truth import WORDS_OF_LABELS, right_words
from indexer.train.tag_words import GENERAL_THINGS, Synset, class_synsets, make_words, read_nouns
from lookalike.encoder.tags.vocabulary import read_vocabulary
from lookalike.errors import SourceNotFoundError

NOUNS = """\
  1 This is the licence.
02083346 05 n 02 canine 0 canid 0 001 @ 02075296 n 0000 | an animal
02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 002 @ 02083346 n 0000 #m 02075296 n 0000 | a pet
09907196 18 n 01 cow 0 002 @i 02083346 n 0000 + 01234567 v 0000 | somebody
"""


def words_for(source: str, label: str) -> set[str]:
    right = right_words(source, label, tuple(class_synsets()))
    assert right is not None
    return {read_vocabulary().words[place] for place in np.flatnonzero(right)}


def test_words_and_what_is_above_them_are_read_from_wordnets_file(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text(NOUNS, encoding="utf-8")
    synsets = read_nouns(tmp_path / "data.noun")
    assert synsets["n02084071"] == Synset(("dog", "domestic dog", "Canis familiaris"), ("n02083346",))
    assert synsets["n09907196"].above == ("n02083346",)
    with pytest.raises(SourceNotFoundError, match=r"data\.noun of WordNet"):
        read_nouns(tmp_path / "nothing")


def test_general_words_have_the_classes_below_them() -> None:
    thing = GENERAL_THINGS["dog"]
    synsets = {"n1": Synset(("beagle",), (thing,)), "n2": Synset(("cup",), ()), thing: Synset(("dog",), ())}
    words = make_words(["n1", "n2"], synsets)
    assert words["specific"] == {"beagle": [0], "cup": [1]}
    assert {word: numbers for word, numbers in dict(words["general"]).items() if numbers} == {"dog": [0]}  # type: ignore[call-overload]
    assert "Princeton University" in str(words["licence"])


def test_what_is_right_includes_the_general_words_and_where_it_says_so_the_specific_ones() -> None:
    assert words_for("imagenette", "n02102040") == {"English springer", "spaniel", "dog", "mammal", "animal"}
    assert {"crab", "crustacean", "Dungeness crab"} <= words_for("caltech101", "crab")
    assert words_for("caltech101", "anchor") == set()
    assert words_for("grocery", "Banana") == {"banana", "fruit", "food", "grocery store"}
    assert right_words("caltech101", "BACKGROUND_Google", tuple(class_synsets())) is None
    assert right_words("trashnet", "metal", tuple(class_synsets())) is None


def test_all_words_of_labels_are_words_of_the_vocabulary() -> None:
    known = set(read_vocabulary().words)
    for labels in WORDS_OF_LABELS.values():
        assert {word.removesuffix("*") for words in labels.values() for word in words} <= known


def test_a_head_says_what_the_classifier_says() -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((600, 8)).astype(np.float32)
    logits = (vectors @ random.standard_normal((8, 5)) * 3 + 1).astype(np.float32)
    layer = fit_layer(vectors, logits)
    said = vectors @ layer.weight.T + layer.bias
    assert np.mean(said.argmax(axis=1) == logits.argmax(axis=1)) > 0.95


def test_a_confidence_is_the_share_that_was_right() -> None:
    random = np.random.default_rng(0)
    probabilities = random.uniform(LOWEST, 1.0, (4000, 3)).astype(np.float32)
    right = random.uniform(size=probabilities.shape) < 0.5 * probabilities  # half as often as it is said
    curve = _fit_map(probabilities, right, np.ones(len(probabilities)))
    said = curve.apply(np.array([0.2, 0.5, 0.9], np.float32))
    assert np.allclose(said, [0.1, 0.25, 0.45], atol=0.05)
    assert (np.diff(curve.confidence) >= 0).all()


def test_calibration_error_is_the_distance_of_confidence_and_share() -> None:
    confidences = np.array([[0.85], [0.85], [0.35], [0.01]], np.float32)
    right = np.array([[True], [False], [False], [True]])
    assert calibration_error(confidences, right) == pytest.approx((2 * 0.35 + 0.35) / 3, abs=1e-6)
