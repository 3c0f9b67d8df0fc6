"""Two pictures are judged by score and by pixels: a copy is similar whatever its score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike import Encoder, Tier
from lookalike.api import RGB
from lookalike.errors import EntryMissingError, EntryUnreadableError, ImageTooLargeError, UnsupportedFormatError
from lookalike.images import encode_jpeg, encode_png
from lookalike.options import ImageLimits
from lookalike.testing import TinyEncoder, make_picture
from lookalike.thresholds import Threshold

ENCODER = Encoder(TinyEncoder())
PICTURE = make_picture(1, (200, 160))


def test_a_file_beside_itself_has_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(PICTURE, 90))
    found = ENCODER.judge(tmp_path / "a.jpg", encode_jpeg(PICTURE, 90))
    assert (found.tier, found.similar) == (Tier.SAME_BYTES, True)
    assert found.score == pytest.approx(1.0, abs=1e-5)


def test_another_file_of_the_same_picture_has_the_same_pixels() -> None:
    assert ENCODER.judge(encode_png(PICTURE), PICTURE).tier is Tier.SAME_PIXELS


def test_a_copy_is_similar_even_above_its_score() -> None:
    found = ENCODER.judge(encode_jpeg(PICTURE, 20), PICTURE, threshold=1.0)
    assert (found.tier, found.similar, found.threshold.source) == (Tier.NEAR_DUPLICATE, True, "given")
    assert not found.threshold.similar(found.score)


def test_strangers_are_judged_by_their_score_alone() -> None:
    other = make_picture(7, (200, 160))
    assert ENCODER.judge(PICTURE, other, threshold=1.0).tier is Tier.DIFFERENT
    found = ENCODER.judge(PICTURE, other, threshold=0.0)
    assert (found.tier, found.similar, found.confidence) == (Tier.SIMILAR, True, None)


@pytest.mark.parametrize("other", [np.zeros((300, 400, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8), PICTURE])
def test_a_picture_of_one_colour_is_similar_to_none_and_claims_no_confidence(
    monkeypatch: pytest.MonkeyPatch, other: RGB
) -> None:
    monkeypatch.setattr(Threshold, "confidence", lambda _self, _score: 0.99)
    white = np.full((300, 400, 3), 255, np.uint8)
    judgement = ENCODER.judge(white, other, threshold=0.0)
    assert (judgement.tier, judgement.similar, judgement.confidence) == (Tier.DIFFERENT, False, None)
    assert judgement.score == pytest.approx(ENCODER.compare(white, other))
    assert "one colour" in str(judgement.score_problem)
    assert ENCODER.judge(white, white).tier is Tier.SAME_BYTES
    assert ENCODER.judge(encode_png(white), white).tier is Tier.SAME_PIXELS


def test_a_copy_has_no_confidence_since_the_score_did_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Threshold, "confidence", lambda _self, _score: 0.83)
    copy = ENCODER.judge(encode_jpeg(PICTURE, 20), PICTURE)
    assert (copy.confidence, copy.score_problem) == (None, "decided on pixels, whatever the score is")
    assert ENCODER.judge(make_picture(7, (200, 160)), PICTURE).confidence == 0.83


def test_arrays_of_other_shapes_are_other_pictures() -> None:
    flat = np.full((4, 16, 3), 9, dtype=np.uint8)
    assert ENCODER.judge(flat, flat.reshape(8, 8, 3), threshold=0.0).tier not in {Tier.SAME_BYTES, Tier.SAME_PIXELS}


def test_a_picture_that_cannot_be_judged_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no picture")
    with pytest.raises(UnsupportedFormatError, match=r"notes\.jpg"):
        ENCODER.judge(PICTURE, tmp_path / "notes.jpg")
    with pytest.raises(EntryUnreadableError, match=r"is a folder, and a picture is wanted: name a file in it"):
        ENCODER.judge(tmp_path, PICTURE)
    (tmp_path / "large.png").write_bytes(bytes(300))
    small = Encoder(TinyEncoder(), limits=ImageLimits(max_bytes=100))
    with pytest.raises(ImageTooLargeError, match=r"large\.png has 300 bytes, more than the limit of 100: save it as"):
        small.judge(tmp_path / "large.png", PICTURE)
    with pytest.raises(EntryMissingError, match="gone"):
        ENCODER.judge(tmp_path / "gone.jpg", PICTURE)
