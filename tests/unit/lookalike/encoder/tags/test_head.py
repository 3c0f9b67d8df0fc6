"""Heads for tags: which encoder they are for, and that what they say is in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookalike import Encoder
from lookalike.encoder.base import Vectors
from lookalike.encoder.int8.artifact import read_quantised
from lookalike.encoder.tags import find_head, require_head, tag_vectors
from lookalike.encoder.tags.head import FOLDER, ConfidenceMap, load_head, read_head
from lookalike.errors import EncoderMismatchError, EncoderOptionsError, TagsUnavailableError, WeightsInvalidError
from lookalike.testing import TinyEncoder, make_picture
from tests.helpers.tag_heads import SURE, heads_of, write_head

ENCODER = TinyEncoder()
MUG, DOG, OTHER = (make_picture(seed) for seed in (1, 2, 3))


def vector(picture: np.ndarray) -> Vectors:
    (made,) = ENCODER.forward(ENCODER.prepare(picture)[None])
    return np.asarray(made)


@pytest.fixture
def head_file(tmp_path: Path) -> Path:
    path = tmp_path / "heads" / "tiny.safetensors"
    write_head(path, ENCODER.spec.digest, {"coffee mug": vector(MUG), "beagle": vector(DOG)})
    return path


def test_a_picture_gets_its_word_and_the_more_general_ones_that_are_worth_saying(head_file: Path) -> None:
    with heads_of(head_file.parent):
        (mug, dog) = tag_vectors(ENCODER.spec, np.stack([vector(MUG), vector(DOG)]))
    assert [tag.word for tag in mug] == ["coffee mug"]
    assert [tag.word for tag in dog] == ["beagle", "hound", "dog", "mammal", "animal"]
    assert {tag.confidence for tag in dog} == {SURE}


def test_none_is_better_than_a_wrong_one(head_file: Path) -> None:
    assert load_head(head_file, ENCODER.spec).tags(vector(OTHER)[None]) == [[]]


def test_a_head_of_another_encoder_is_refused(head_file: Path) -> None:
    other = TinyEncoder(seed=1)
    with pytest.raises(EncoderMismatchError, match="made for other vectors than those of tiny"):
        load_head(head_file, other.spec)
    with heads_of(head_file.parent):
        assert find_head(other.spec.digest) is None
        with pytest.raises(TagsUnavailableError, match=r"no tags for the encoder tiny.*one of the tests"):
            require_head(other.spec)


def test_a_head_of_other_dimensions_is_refused(head_file: Path) -> None:
    with pytest.raises(EncoderMismatchError):
        load_head(head_file, replace(ENCODER.spec, dimension=31))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsInvalidError, match=r"bad\.safetensors"):
        read_head(tmp_path / "bad.safetensors")


def test_an_encoder_without_words_says_who_has_them() -> None:
    with pytest.raises(TagsUnavailableError, match="bundled-int8"):
        Encoder(ENCODER).tags(MUG)


def test_a_confidence_that_cannot_be_is_refused() -> None:
    with pytest.raises(EncoderOptionsError, match=r"min_confidence must be from 0 to 1, got 1\.5"):
        Encoder(ENCODER).tags(MUG, min_confidence=1.5)


@pytest.mark.parametrize("name", ["bundled", "bundled-fast"])
def test_the_heads_in_the_box_are_small_and_their_confidences_rise(name: str) -> None:
    path = FOLDER / f"{name}.safetensors"
    head = read_head(path)
    assert path.stat().st_size < 1_500_000
    assert head.weight.shape[0] == head.vocabulary.members.shape[1] == 1000
    for curve in (head.specific, head.general):
        assert (np.diff(curve.probability) >= 0).all()
        assert (np.diff(curve.confidence) >= 0).all()
        assert (curve.confidence >= 0).all()
        assert (curve.confidence <= 1).all()


def test_the_encoders_in_the_box_have_a_head_and_the_resnet_has_none(tmp_path: Path) -> None:
    int8 = [read_quantised(name, tmp_path).spec for name in ("bundled-int8", "bundled-fast")]
    for spec in (Encoder.load("bundled").spec, *int8):
        assert require_head(spec).weight.shape[1] == spec.dimension
    with pytest.raises(TagsUnavailableError, match=r"bundled-resnet18.*bundled-int8"):
        require_head(Encoder.load("bundled-resnet18").spec)


def test_confidences_are_in_order_for_any_vector() -> None:
    """A more general word is never less sure than one that it includes, whatever the two maps say."""
    head = read_head(FOLDER / "bundled.safetensors")
    steep = ConfidenceMap(np.array([0, 1], np.float32), np.array([0, 0.2], np.float32))
    for general in (head.general, steep):
        mixed = replace(head, general=general)
        vectors = np.random.default_rng(0).standard_normal((40, head.weight.shape[1])).astype(np.float32)
        for tags in mixed.tags(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), least=0.05):
            places = head.vocabulary.places([tag.word for tag in tags])
            for first, place in enumerate(places):
                for second, other in enumerate(places[:first]):
                    if head.vocabulary.is_within(other, place):
                        assert tags[first].confidence >= tags[second].confidence
