"""What a calibration says of a score, and which files are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from lookalike.calibration import Calibration, HoldoutFigures, percent, read_calibration
from lookalike.collection.calibration_store import collection_calibration, remove_calibration, store_calibration
from lookalike.collection.layout import CollectionLayout
from lookalike.encoder import calibrations
from lookalike.errors import CalibrationInvalidError, CalibrationMismatchError
from lookalike.testing import TinyEncoder
from lookalike.thresholds import Threshold
from lookalike.wiring import find_calibration

SPEC, OTHER = TinyEncoder(0).spec, TinyEncoder(1).spec
HELD = HoldoutFigures(0.91, 0.95, 0.49, 0.55, 0.003, 0.08, 4120)


def made(**changes: Any) -> Calibration:
    fields: dict[str, Any] = {
        "encoder": SPEC.name,
        "encoder_digest": SPEC.digest,
        "collection": "shop",
        "threshold": 0.85,
        "rule": "best F1",
        "precision": 0.9,
        "recall": 0.8,
        "scores": (0.0, 0.5, 1.0),
        "probabilities": (0.1, 0.2, 0.9),
        "method": "isotonic",
        "brier": 0.1,
        "calibration_error": 0.05,
        "positives": 100,
        "negatives": 200,
        "created_at": "2026-01-02T03:04:05+00:00",
    }
    return Calibration(**fields | changes)


@pytest.fixture
def layout(tmp_path: Path) -> CollectionLayout:
    layout = CollectionLayout.of(tmp_path, "shop")
    layout.create_folders()
    return layout


@pytest.mark.parametrize(
    ("score", "confidence"), [(-1.0, 0.1), (0.0, 0.1), (0.25, 0.15), (0.5, 0.2), (0.75, 0.55), (1.0, 0.9), (1.01, 0.9)]
)
def test_confidence_is_linear_between_knots_and_stays_beyond_them(score: float, confidence: float) -> None:
    assert made().confidence(score) == pytest.approx(confidence, abs=1e-12)


def test_a_calibrated_threshold_says_on_what_and_for_what() -> None:
    threshold = Threshold.choose(None, made())
    assert (threshold.value, threshold.source) == (0.85, "calibrated on collection shop (best F1, recall 0.8)")
    assert threshold.source_calibration == made()
    assert threshold.similar(0.70)
    assert not threshold.similar(0.69)
    own = Threshold.choose(None, made(collection=None, rule="precision 0.99"))
    assert own.source == "calibrated for encoder tiny (precision 0.99, recall 0.8)"


def test_a_calibrated_threshold_says_how_often_it_is_right_and_how_often_reached() -> None:
    strict = Threshold.choose(None, made(collection=None, precision=0.9, recall=0.015))
    assert strict.meaning == (
        "the threshold is strict: of all pairs that reach it 90 % show the same thing, and it is reached by 1.5 % of "
        "all pairs that do; `calibrate` fits it to your pictures"
    )
    own = Threshold.choose(None, made(precision=0.9, recall=0.8))
    assert own.meaning == (
        "of all pairs that reach it 90 % show the same thing, and it is reached by 80 % of all pairs that do"
    )
    assert Threshold.choose(0.3, made()).meaning is None
    assert Threshold.choose(None, None).meaning is None


def test_a_given_threshold_goes_before_and_keeps_the_confidence() -> None:
    threshold = Threshold.choose(0.3, made())
    assert (threshold.value, threshold.source, threshold.source_calibration) == (0.3, "given", None)
    assert threshold.confidence(0.75) == pytest.approx(0.55)


def test_without_a_calibration_the_threshold_says_so_and_no_confidence_is_claimed() -> None:
    threshold = Threshold.choose(None, None)
    assert (threshold.value, threshold.source) == (0.8, "default, not calibrated for this encoder")
    assert threshold.source_calibration is None
    assert threshold.confidence(0.9) is None


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    for calibration in (made(), made(held_back=HELD)):
        path.write_text(calibration.to_json())
        assert read_calibration(path) == calibration


def test_a_file_of_the_first_version_is_read_without_what_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    fields = made(held_back=HELD).to_dict() | {"format_version": 1}
    del fields["held_back"]
    path.write_text(json.dumps(fields))
    assert read_calibration(path) == made()


def test_what_a_threshold_means_is_one_sentence_with_the_plain_cosine_first() -> None:
    calibration = made(threshold=0.705, precision=0.93, recall=0.52, held_back=HELD)
    assert calibration.summary == (
        "similar from cosine 0.410 (normalised 0.705) on: of the pairs that pass, 93 % show the same (95 % interval 91 "
        "to 95); 52 % of all same pairs pass (49 to 55); 0.3 % of different pairs pass; measured on 4 120 pairs that "
        "were not fitted to, of which 8 % show the same"
    )
    assert made(threshold=0.705, precision=0.93, recall=0.52).summary == (
        "similar from cosine 0.410 (normalised 0.705) on: of the pairs that pass, 93 % show the same; 52 % of all same "
        "pairs pass"
    )
    threshold = Threshold.choose(None, calibration)
    assert threshold.cosine == pytest.approx(0.41)
    assert threshold.words == "cosine 0.410 (normalised 0.705)"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0"),
        (0.00003, "0.003"),
        (0.0034, "0.34"),
        (0.052, "5.2"),
        (0.5, "50"),
        (0.934, "93"),
        (0.996, "99.6"),
        (0.99997, "99.997"),
        (1.0, "100"),
    ],
)
def test_a_share_never_reads_as_none_or_all_unless_it_is(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"threshold": "0.8"},
        {"precision": None},
        {"scores": [0.0, 0.5]},
        {"scores": [0.5, 0.0, 1.0]},
        {"scores": [0.0, 0.0, 1.0]},
        {"probabilities": [0.1, 0.9, 0.2]},
        {"probabilities": [0.1, 0.2, 1.2]},
        {"positives": 0},
        {"method": "guess"},
        {"created_at": "yesterday"},
        {"encoder_digest": ""},
        {"format_version": 3},
        {"held_back": {}},
        {"held_back": {**dataclasses.asdict(HELD), "pairs": 0}},
        {"held_back": {**dataclasses.asdict(HELD), "precision_low": 1.1}},
        {"surprise": 1},
    ],
)
def test_a_file_with_a_wrong_field_is_refused_by_name(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(made().to_dict() | changes))
    (field,) = changes
    with pytest.raises(CalibrationInvalidError, match=rf"one\.json.*({field}|knots|scores)"):
        read_calibration(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "7", "\x00"])
def test_a_file_that_is_no_calibration_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(text)
    with pytest.raises(CalibrationInvalidError, match=r"one\.json is no calibration"):
        read_calibration(path)


def test_a_collection_keeps_and_gives_back_its_calibration(layout: CollectionLayout) -> None:
    assert collection_calibration(layout, SPEC) is None
    assert remove_calibration(layout, SPEC) is False
    store_calibration(layout, SPEC, made())
    assert collection_calibration(layout, SPEC) == made()
    assert collection_calibration(layout, OTHER) is None
    store_calibration(layout, SPEC, made(threshold=0.9))
    assert collection_calibration(layout, SPEC) == made(threshold=0.9)
    assert remove_calibration(layout, SPEC) is True
    assert collection_calibration(layout, SPEC) is None


def test_another_encoders_calibration_is_refused_by_both_names(layout: CollectionLayout) -> None:
    foreign = made(encoder="resnet50", encoder_digest=OTHER.digest)
    with pytest.raises(CalibrationMismatchError, match=r"'resnet50'.*'tiny'"):
        store_calibration(layout, SPEC, foreign)
    store_calibration(layout, SPEC, made())
    layout.calibration(SPEC.digest).write_text(foreign.to_json())
    with pytest.raises(CalibrationMismatchError, match=r"'resnet50'.*'tiny'"):
        collection_calibration(layout, SPEC)


def test_a_lost_calibration_is_missed_and_never_replaced_by_the_default(layout: CollectionLayout) -> None:
    store_calibration(layout, SPEC, made())
    path = layout.calibration(SPEC.digest)
    path.unlink()
    with pytest.raises(CalibrationInvalidError, match=rf"{path.name} is lost"):
        find_calibration(SPEC, layout.root / "encoders", layout)
    assert remove_calibration(layout, SPEC) is True
    assert find_calibration(SPEC, layout.root / "encoders", layout) is None


def test_a_damaged_calibration_can_be_removed(layout: CollectionLayout) -> None:
    store_calibration(layout, SPEC, made())
    layout.calibration(SPEC.digest).write_text("oops")
    with pytest.raises(CalibrationInvalidError, match=layout.calibration(SPEC.digest).name):
        collection_calibration(layout, SPEC)
    assert remove_calibration(layout, SPEC) is True
    assert collection_calibration(layout, SPEC) is None


def test_the_collections_calibration_goes_before_the_encoders_own(layout: CollectionLayout, tmp_path: Path) -> None:
    own = made(collection=None, threshold=0.7)
    folder = tmp_path / "encoders" / "tiny" / "calibrations"
    folder.mkdir(parents=True)
    (folder / calibrations.calibration_name(SPEC.digest)).write_text(own.to_json())
    assert find_calibration(SPEC, tmp_path / "encoders", layout) == own
    assert find_calibration(OTHER, tmp_path / "encoders", layout) is None
    store_calibration(layout, SPEC, made())
    assert find_calibration(SPEC, tmp_path / "encoders", layout) == made()
    assert find_calibration(SPEC, tmp_path / "encoders") == own


def test_a_calibration_in_the_box_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "SHIPPED", tmp_path)
    (tmp_path / f"{SPEC.digest[:16]}.json").write_text(made(collection=None).to_json())
    assert find_calibration(SPEC, tmp_path / "nowhere") == made(collection=None)
